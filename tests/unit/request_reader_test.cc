#include "bot/http/request_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace swage {
namespace {

using Progress = RequestReader::Progress;

// Feeds everything and goes past kHead; the last word of the reader.
Progress FeedAll(RequestReader& reader, std::string_view bytes, std::size_t step = 1 << 20) {
  Progress progress = Progress::kNeedMore;
  for (std::size_t at = 0; at < bytes.size() && progress != Progress::kRefused; at += step) {
    progress = reader.Feed(bytes.substr(at, step));
    while (progress == Progress::kHead) progress = reader.Advance();
  }
  return progress;
}

int StatusFor(std::string_view bytes) {
  RequestReader reader{HttpLimits{}};
  const Progress progress = FeedAll(reader, bytes);
  if (progress == Progress::kRefused) return reader.refusal().status;
  return progress == Progress::kComplete ? 200 : 0;
}

constexpr std::string_view kPost =
    "POST /hooks/a?x=1 HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view kChunked =
    "POST /hooks/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3;note=1\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";

TEST(RequestReader, ReadsTheSameRequestWhateverThePieces) {
  for (std::size_t step = 1; step <= kPost.size(); ++step) {
    RequestReader reader{HttpLimits{}};
    ASSERT_EQ(FeedAll(reader, kPost, step), Progress::kComplete) << step;
    EXPECT_EQ(reader.request().method, "POST");
    EXPECT_EQ(reader.request().path, "/hooks/a");
    EXPECT_EQ(reader.request().query, "x=1");
    EXPECT_EQ(reader.request().Header("x-one"), "1");
    EXPECT_EQ(reader.request().body, "hello");
  }
}

TEST(RequestReader, ReadsChunksWhateverThePieces) {
  for (std::size_t step = 1; step <= kChunked.size(); ++step) {
    RequestReader reader{HttpLimits{}};
    ASSERT_EQ(FeedAll(reader, kChunked, step), Progress::kComplete) << step;
    EXPECT_EQ(reader.request().body, "hello");
  }
}

TEST(RequestReader, KeepsPipelinedBytesForTheNextRequest) {
  RequestReader reader{HttpLimits{}};
  ASSERT_EQ(FeedAll(reader, std::string(kPost) + std::string(kChunked)), Progress::kComplete);
  reader.Next();
  EXPECT_FALSE(reader.Idle());
  ASSERT_EQ(reader.Advance(), Progress::kHead);
  ASSERT_EQ(reader.Advance(), Progress::kComplete);
  EXPECT_EQ(reader.request().body, "hello");
  EXPECT_EQ(reader.request().Header("x-one"), "") << "headers of the first request leaked";
  reader.Next();
  EXPECT_TRUE(reader.Idle());
}

TEST(RequestReader, JoinsRepeatedHeadersSoThatTheyCanBeRefused) {
  RequestReader reader{HttpLimits{}};
  FeedAll(reader, "GET / HTTP/1.1\r\nHost: h\r\nX-Sig: a\r\nx-sig: b\r\n\r\n");
  EXPECT_EQ(reader.request().Header("x-sig"), "a\nb");
}

TEST(RequestReader, RefusesWhatTwoParsersCouldReadInTwoWays) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {start + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
      {start + "Content-Length: 1, 1\r\n\r\nx", 400},
      {start + "Content-Length: +1\r\n\r\nx", 400},
      {start + "Content-Length: 0x1\r\n\r\nx", 400},
      {start + "Content-Length: -1\r\n\r\nx", 400},
      {start + "Content-Length: 99999999999999999999\r\n\r\nx", 400},
      {start + "Content-Length:\r\n\r\nx", 400},
      {start + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {start + "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
      {start + "Transfer-Encoding: xchunked\r\n\r\n", 400},
      {start + "Transfer-Encoding : chunked\r\n\r\n", 400},
      {start + "X: a\r\n folded\r\n\r\n", 400},
      {start + " X: a\r\n\r\n", 400},
      {start + "X\r\n\r\n", 400},
      {start + ": a\r\n\r\n", 400},
      {start + "X: a\n\r\n", 400},
      {start + "X: a\rb\r\n\r\n", 400},
      {start + std::string("X: a\0b\r\n\r\n", 11), 400},
      {start + "X\x01: a\r\n\r\n", 400},
      {start + "X\xC3\xA4: a\r\n\r\n", 400},
      {start + "Host: other\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n\r\n", 400},
      {"POST /  HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"POST /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"POST http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"POST /%0D%0AX:1 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"POST /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"POST /% HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"POST /\xC3\xA4 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"POST / HTTP/1.1\nHost: h\n\n", 400},
      {"\r\nPOST / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"P@ST / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\x00\x01\n", 7), 400},
      {start + "Expect: 200-maybe\r\n\r\n", 417},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
  };
  for (const auto& [bytes, status] : cases) EXPECT_EQ(StatusFor(bytes), status) << bytes;
}

TEST(RequestReader, RefusesMalformedChunks) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string bytes :
       {"x\r\n", "\r\n", "-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1\na\n",
        "1\r\nab\r\n", "1\r\na\n0\r\n\r\n", "0\r\nTrailer: x\r\n\r\n", "fffffffffffffffff\r\n"}) {
    EXPECT_EQ(StatusFor(start + bytes), 400) << bytes;
  }
  EXPECT_EQ(StatusFor(start + "1;" + std::string(1000, 'x')), 400) << "an endless extension";
}

TEST(RequestReader, BoundsEveryDimension) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(StatusFor(start + "X: " + std::string(1 << 20, 'a')), 431);
  EXPECT_EQ(StatusFor("GET /" + std::string(1 << 20, 'a')), 431);
  std::string many = start;
  for (int i = 0; i < 10'000; ++i) many += "A: b\r\n";
  EXPECT_EQ(StatusFor(many + "\r\n"), 431);
  std::string wide = start;
  for (int i = 0; i < 5; ++i) wide += "A: " + std::string(4'000, 'b') + "\r\n";
  EXPECT_EQ(StatusFor(wide + "\r\n"), 431);
  EXPECT_EQ(StatusFor(start + "Content-Length: 65537\r\n\r\n"), 413);
  EXPECT_EQ(StatusFor(start + "Transfer-Encoding: chunked\r\n\r\n10001\r\n"), 413);
  std::string chunks = start + "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 65; ++i) chunks += "400\r\n" + std::string(1'024, 'c') + "\r\n";
  EXPECT_EQ(StatusFor(chunks), 413);
}

TEST(RequestReader, DoesNotTrustAnAnnouncedLengthWithMemory) {
  HttpLimits limits;
  limits.body_bytes = 25 << 20;
  RequestReader reader{limits};
  FeedAll(reader, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 26214400\r\n\r\nx");
  EXPECT_LT(reader.Held(), 256u << 10);
}

TEST(RequestReader, KnowsWhoWantsToKeepTheConnection) {
  const auto keeps = [](std::string_view bytes) {
    RequestReader reader{HttpLimits{}};
    EXPECT_EQ(FeedAll(reader, bytes), Progress::kComplete);
    return reader.request().keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
}

}  // namespace
}  // namespace swage
