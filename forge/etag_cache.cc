#include "forge/etag_cache.h"

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace swage {
namespace {

constexpr int kOk = 200;
constexpr int kNotModified = 304;
constexpr std::size_t kMaxAnswers = 2'000;

// Answers by what was asked, the one that was used last in front. Not thread-safe.
class Answers {
 public:
  std::optional<HttpResponse> Find(const std::string& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return std::nullopt;
    kept_.splice(kept_.begin(), kept_, found->second);
    return kept_.front().second;
  }
  void Keep(const std::string& key, const HttpResponse& response) {
    Drop(key);
    if (response.body.size() > kLongestCached || !response.headers.contains("etag")) return;
    kept_.emplace_front(key, response);
    places_[key] = kept_.begin();
    bytes_ += response.body.size();
    while (bytes_ > kCachedBytes || kept_.size() > kMaxAnswers)
      Drop(std::string(kept_.back().first));
  }
  void Drop(const std::string& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    bytes_ -= found->second->second.body.size();
    kept_.erase(found->second);
    places_.erase(found);
  }

 private:
  using Kept = std::list<std::pair<std::string, HttpResponse>>;
  Kept kept_;
  std::map<std::string, Kept::iterator> places_;
  std::size_t bytes_ = 0;
};

class CachingTransport final : public HttpTransport {
 public:
  explicit CachingTransport(std::unique_ptr<HttpTransport> inner) : inner_(std::move(inner)) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    const bool plain =
        request.method == "GET" && request.if_none_match.empty() && request.authorization.empty();
    if (!plain) return inner_->Send(request);
    const std::string key = (request.from_root ? "root " : "") + request.path;
    std::optional<HttpResponse> known = Find(key);
    HttpRequest conditional = request;
    if (known) conditional.if_none_match = known->headers.at("etag");
    Result<HttpResponse> response = inner_->Send(conditional);
    if (!response.ok()) return response;
    if (known && response->status == kNotModified) {
      for (auto& [name, value] : response->headers) known->headers[name] = std::move(value);
      return *std::move(known);
    }
    const std::lock_guard lock(mutex_);
    if (response->status == kOk) {
      answers_.Keep(key, *response);
    } else {
      answers_.Drop(key);
    }
    return response;
  }

 private:
  std::optional<HttpResponse> Find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return answers_.Find(key);
  }

  const std::unique_ptr<HttpTransport> inner_;
  std::mutex mutex_;
  Answers answers_;
};

}  // namespace

std::unique_ptr<HttpTransport> MakeCachingTransport(std::unique_ptr<HttpTransport> inner) {
  return std::make_unique<CachingTransport>(std::move(inner));
}

}  // namespace swage
