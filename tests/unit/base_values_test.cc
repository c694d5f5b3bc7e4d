// Clock, digests and JSON access.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "config/base/clock.h"
#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"

namespace swage {
namespace {

using std::chrono::milliseconds;
using std::string_literals::operator""s;

TEST(ClockTest, FormatsUtc) {
  EXPECT_EQ(FormatUtc(FromMicros(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatUtc(FromMicros(1'772'366'400'999'999)), "2026-03-01T12:00:00Z");
  EXPECT_EQ(FormatUtc(FromMicros(-1)), "1969-12-31T23:59:59Z");
  EXPECT_EQ(ToMicros(FromMicros(42)), 42);
}

TEST(ClockTest, ReadsTimesAsForgesWriteThem) {
  const WallTime noon = FromMicros(1'772'366'400'000'000);
  for (const char* text :
       {"2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z", "2026-03-01T13:30:00+01:30",
        "2026-03-01T13:30:00.0+0130", "2026-03-01 12:00:00 UTC", "2026-03-01T07:00:00-05:00"}) {
    ASSERT_TRUE(ParseUtc(text).has_value()) << text;
    EXPECT_EQ(*ParseUtc(text), noon) << text;
  }
  EXPECT_EQ(*ParseUtc("2026-03-01T12:00:00.25Z"), noon + std::chrono::milliseconds(250));
  EXPECT_EQ(*ParseUtc("2026-03-01T12:00:00.1234567Z"), noon + std::chrono::microseconds(123'456));
  for (const char* text :
       {"", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01T12:00:00Z", "2026-02-30T12:00:00Z",
        "2026-03-01T25:00:00Z", "2026-03-01T12:00:00 CET", "2026-03-01T12:00:00+1", "x"}) {
    EXPECT_FALSE(ParseUtc(text).has_value()) << text;
  }
}

TEST(ClockTest, FormatsDurationsForPeople) {
  EXPECT_EQ(FormatDuration(milliseconds(0)), "0 ms");
  EXPECT_EQ(FormatDuration(milliseconds(999)), "999 ms");
  EXPECT_EQ(FormatDuration(milliseconds(12'345)), "12.3 s");
  EXPECT_EQ(FormatDuration(milliseconds(59'999)), "59.9 s");
  EXPECT_EQ(FormatDuration(milliseconds(250'000)), "4 min 10 s");
  EXPECT_EQ(FormatDuration(milliseconds(7'500'000)), "2 h 5 min");
}

TEST(CryptoTest, KnowsPublishedVectors) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, test case 2.
  EXPECT_EQ(HexEncode(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  // T1.
  EXPECT_EQ(HexEncode(HmacSha256("It's a Secret to Everybody", "Hello, World!")),
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
  EXPECT_EQ(HmacSha256({}, {}).size(), 32U);
}

TEST(CryptoTest, ComparesWithoutAHint) {
  EXPECT_TRUE(ConstantTimeEqual("abc", "abc"));
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_FALSE(ConstantTimeEqual("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEqual("abc", "abc\0"s));
  EXPECT_FALSE(ConstantTimeEqual("abc", ""));
}

TEST(CryptoTest, NeverDrawsTheSameName) {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(RandomHex(8));
  EXPECT_EQ(names.size(), 100U);
  EXPECT_EQ(names.begin()->size(), 16U);
  EXPECT_EQ(RandomHex(0), "");
}

TEST(JsonTest, BoundsDepth) {  // T11
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(ParseJson(nested(kMaxJsonDepth)).ok());
  EXPECT_EQ(ParseJson(nested(kMaxJsonDepth + 1)).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(ParseJson(nested(100'000)).error().code, ErrorCode::kTooLarge);
  EXPECT_FALSE(ParseJson(std::string(1'000'000, '[')).ok());
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(ParseJson(objects).ok());
}

TEST(JsonTest, RefusesWhatIsNoJson) {
  for (const auto& text : {""s, "{"s, "{} x"s, "nan"s, "{'a':1}"s, "\"\xff\""s, "\"\\ud800\""s,
                           "\0"s, "[1,]"s, "1e999"s}) {
    const auto parsed = ParseJson(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid) << text;
  }
}

TEST(JsonTest, GettersNeverThrow) {
  const auto j = *ParseJson(R"({"a":{"b":"text","n":null,"i":7,"u":18446744073709551615,"f":1.5,
                               "t":true,"s":"12"},"l":[1]})");
  EXPECT_EQ(JsonString(j, "a/b"), "text");
  EXPECT_EQ(JsonString(j, "a/i", "d"), "d");
  EXPECT_EQ(JsonString(j, "a/n", "d"), "d");
  EXPECT_EQ(JsonString(j, "a/b/c", "d"), "d");
  EXPECT_EQ(JsonString(j, "l/0", "d"), "d");
  EXPECT_EQ(JsonString(j, "", "d"), "d");
  EXPECT_EQ(JsonInt(j, "a/i"), 7);
  EXPECT_EQ(JsonInt(j, "a/u", -2), -2);
  EXPECT_EQ(JsonInt(j, "a/f", -2), -2);
  EXPECT_EQ(JsonInt(j, "a/s", -2), -2);
  EXPECT_TRUE(JsonBool(j, "a/t"));
  EXPECT_TRUE(JsonBool(j, "a/i", true));
  EXPECT_EQ(JsonId(j, "a/i"), "7");
  EXPECT_EQ(JsonId(j, "a/s"), "12");
  EXPECT_EQ(JsonId(j, "a/u"), "18446744073709551615");
  EXPECT_EQ(JsonId(j, "a/f"), "");
  EXPECT_TRUE(JsonAt(j, "nowhere").is_null());
}

TEST(JsonTest, DumpsBytesThatAreNoText) {
  EXPECT_EQ(DumpJson(nlohmann::json("a\xff")), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace swage
