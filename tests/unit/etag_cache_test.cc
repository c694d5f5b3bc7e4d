#include "forge/etag_cache.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

namespace swage {
namespace {

// A server that knows ETags: what it has by path, and what it was asked.
class Server final : public HttpTransport {
 public:
  std::map<std::string, std::string> pages;
  std::vector<HttpRequest> asked;
  int sent_whole = 0;

  Result<HttpResponse> Send(const HttpRequest& request) override {
    asked.push_back(request);
    const auto page = pages.find(request.path);
    if (page == pages.end()) return HttpResponse{404, {{"etag", "none"}}, "{}"};
    const std::string etag = "\"" + std::to_string(std::hash<std::string>()(page->second)) + "\"";
    if (request.method == "GET" && request.if_none_match == etag) {
      return HttpResponse{304, {{"etag", etag}, {"date", "later"}}, ""};
    }
    ++sent_whole;
    return HttpResponse{200, {{"etag", etag}, {"date", "first"}, {"link", "next"}}, page->second};
  }
};

class EtagCacheTest : public testing::Test {
 protected:
  EtagCacheTest() {
    auto server = std::make_unique<Server>();
    server_ = server.get();
    cache_ = MakeCachingTransport(std::move(server));
    server_->pages["/x"] = "one";
  }
  std::string Get(const std::string& path) {
    const auto response = cache_->Send({"GET", path, ""});
    return response.ok() ? std::to_string(response->status) + " " + response->body : "error";
  }

  Server* server_ = nullptr;
  std::unique_ptr<HttpTransport> cache_;
};

TEST_F(EtagCacheTest, AsksEveryTimeAndIsSentWhatIsNew) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Get("/x"), "200 one");
  EXPECT_EQ(server_->asked.size(), 5u);
  EXPECT_EQ(server_->sent_whole, 1);
  server_->pages["/x"] = "two";
  EXPECT_EQ(Get("/x"), "200 two");
  EXPECT_EQ(Get("/x"), "200 two");
  EXPECT_EQ(server_->sent_whole, 2);
}

TEST_F(EtagCacheTest, AnUnchangedAnswerHasTheNewHeadersOverTheOldOnes) {
  Get("/x");
  const auto again = cache_->Send({"GET", "/x", ""});
  EXPECT_EQ(again->headers.at("date"), "later");
  EXPECT_EQ(again->headers.at("link"), "next");
}

TEST_F(EtagCacheTest, WhatIsGoneIsForgotten) {
  Get("/x");
  server_->pages.erase("/x");
  EXPECT_EQ(Get("/x"), "404 {}");
  EXPECT_EQ(Get("/x"), "404 {}");
  EXPECT_EQ(server_->asked.back().if_none_match, "");
}

TEST_F(EtagCacheTest, LeavesAloneWhatIsNotItsOwn) {
  Get("/x");
  HttpRequest write{"POST", "/x", "{}"};
  HttpRequest known{"GET", "/x", ""};
  known.if_none_match = "\"theirs\"";
  HttpRequest other{"GET", "/x", ""};
  other.authorization = "Bearer other";
  for (const HttpRequest& request : {write, known, other}) {
    EXPECT_EQ(cache_->Send(request)->status, 200);
    EXPECT_EQ(server_->asked.back().if_none_match, request.if_none_match);
  }
  HttpRequest root{"GET", "/x", ""};
  root.from_root = true;
  EXPECT_EQ(cache_->Send(root)->status, 200);
  EXPECT_EQ(server_->asked.back().if_none_match, "") << "another address";
}

TEST_F(EtagCacheTest, KeepsNoMoreThanItsBound) {
  const std::string page(kLongestCached, 'x');
  constexpr std::size_t kPages = kCachedBytes / kLongestCached;
  for (std::size_t i = 0; i <= kPages; ++i) server_->pages["/" + std::to_string(i)] = page;
  server_->pages["/huge"] = page + "x";
  for (std::size_t i = 0; i < kPages; ++i) Get("/" + std::to_string(i));
  Get("/0");                          // used last
  Get("/" + std::to_string(kPages));  // takes the place of what was not used for the longest
  server_->sent_whole = 0;
  Get("/0");
  EXPECT_EQ(server_->sent_whole, 0);
  Get("/1");
  EXPECT_EQ(server_->sent_whole, 1);
  Get("/huge");
  Get("/huge");
  EXPECT_EQ(server_->sent_whole, 3) << "too long to keep";
}

}  // namespace
}  // namespace swage
