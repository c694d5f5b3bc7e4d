#include "forge/github/app_transport.h"

#include <utility>

#include "config/base/text.h"

namespace swage::github {
namespace {

constexpr std::string_view kRepos = "/repos/";
constexpr std::string_view kSuspended = "installation has been suspended";

// What buys the tokens and what spends them is one connection pool.
class SharedTransport final : public HttpTransport {
 public:
  explicit SharedTransport(std::shared_ptr<HttpTransport> inner) : inner_(std::move(inner)) {}
  Result<HttpResponse> Send(const HttpRequest& request) override { return inner_->Send(request); }

 private:
  const std::shared_ptr<HttpTransport> inner_;
};

class AppTransport final : public HttpTransport {
 public:
  AppTransport(std::shared_ptr<HttpTransport> inner, std::shared_ptr<AppTokens> tokens)
      : inner_(inner),
        tokens_(std::move(tokens)),
        counter_(std::make_unique<SharedTransport>(std::move(inner)), {}) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    if (!request.authorization.empty()) return inner_->Send(request);
    const std::string repo = request.repo.empty() ? RepoOfPath(request.path) : request.repo;
    for (bool again = false;; again = true) {
      SWAGE_ASSIGN_OR_RETURN(const std::string token, TokenFor(repo));
      HttpRequest signed_request = request;
      if (!token.empty()) signed_request.authorization = "Bearer " + token;
      Result<HttpResponse> response = inner_->Send(signed_request);
      if (!response.ok()) return response;
      if (response->status == 403 && response->body.find(kSuspended) != std::string::npos) {
        tokens_->Drop(token);
        if (repo.empty() && !again) continue;  // any other installation's does
        return OutOfReach("the App's installation for " + repo + " is suspended");
      }
      if (response->status != 401 || token.empty() || again) return response;
      tokens_->Drop(token);
    }
  }

 private:
  Result<std::string> TokenFor(const std::string& repo) {
    return repo.empty() ? tokens_->AnyLookToken(counter_)
                        : tokens_->TokenFor(counter_, repo, AppScope::kApi);
  }

  const std::shared_ptr<HttpTransport> inner_;
  const std::shared_ptr<AppTokens> tokens_;
  const RestClient counter_;  ///< where tokens are bought
};

}  // namespace

std::string RepoOfPath(std::string_view path) {
  if (!path.starts_with(kRepos)) return "";
  path = path.substr(kRepos.size());
  path = path.substr(0, path.find('?'));
  const auto parts = Split(path, '/');
  if (parts.size() < 2) return "";
  return PercentDecode(parts[0]).value_or("") + "/" + PercentDecode(parts[1]).value_or("");
}

std::unique_ptr<HttpTransport> MakeAppTransport(std::unique_ptr<HttpTransport> inner,
                                                std::shared_ptr<AppTokens> tokens) {
  return std::make_unique<AppTransport>(std::move(inner), std::move(tokens));
}

}  // namespace swage::github
