#include "forge/gitlab/api.h"

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"

namespace swage::gitlab {
namespace {

constexpr ForgeLimits kLimits{.comment_bytes = 1'000'000,
                              .status_description_bytes = 255,
                              .title_bytes = 255,
                              .can_resolve_threads = true};

}  // namespace

Api::Api(ForgeSettings settings, std::unique_ptr<HttpTransport> transport, SleepFunction sleep)
    : settings_(std::move(settings)),
      rest_(std::move(transport), std::move(sleep)),
      limits_(kLimits) {}

Result<Actor> Api::Self() {
  std::lock_guard lock(mutex_);
  if (self_) return *self_;
  SWAGE_ASSIGN_OR_RETURN(const nlohmann::json user, rest_.Get("/user"));
  Actor self{JsonId(user, "id"), JsonString(user, "username"), JsonBool(user, "bot")};
  if (self.id.empty()) return MakeError(ErrorCode::kUnavailable, "GET /user: no account");
  self_ = self;
  return self;
}

std::string ProjectPath(const RepoRef& repo, std::string_view rest) {
  return "/projects/" + PercentEncode(repo.id) + std::string(rest);
}

std::string ThreadPath(const RepoRef& repo, const Thread& thread, std::string_view rest) {
  const std::string kind = thread.kind == ThreadKind::kIssue ? "/issues/" : "/merge_requests/";
  return ProjectPath(repo, kind + std::to_string(thread.number) + std::string(rest));
}

}  // namespace swage::gitlab
