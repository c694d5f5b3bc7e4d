#include "forge/one_pull_request.h"

#include <fmt/format.h>

#include <utility>

namespace swage {
namespace {

Result<PullRequest> Adopt(const PullRequestCalls& calls, const PullRequest& pull) {
  if (pull.state != PullRequestState::kOpen) {
    return MakeError(ErrorCode::kConflict,
                     fmt::format("{}{} of this branch was {} by somebody", calls.noun, pull.number,
                                 pull.state == PullRequestState::kMerged ? "merged" : "closed"));
  }
  SWAGE_ASSIGN_OR_RETURN(const Actor self, calls.self());
  if (pull.author_id != self.id) return pull;
  return calls.bring_up_to_date(pull);
}

}  // namespace

Result<PullRequest> EnsureOnePullRequest(const PullRequestCalls& calls) {
  SWAGE_ASSIGN_OR_RETURN(auto found, calls.find());
  if (found) return Adopt(calls, *found);
  SWAGE_ASSIGN_OR_RETURN(auto created, calls.create());
  if (created) return *std::move(created);
  SWAGE_ASSIGN_OR_RETURN(found, calls.find());
  if (found) return Adopt(calls, *found);
  return MakeError(ErrorCode::kUnavailable,
                   "the forge says that there is one for this branch, but does not list it yet");
}

Result<void> CloseIfOpen(const Result<PullRequest>& pull,
                         const std::function<Result<void>()>& close) {
  if (!pull.ok()) return pull.error();
  return pull->state == PullRequestState::kOpen ? close() : Ok();
}

void NewestOfBranch::Look(PullRequest pull) {
  const bool ours = pull.head_branch == branch_ && !pull.from_fork;
  if (ours && (!newest_ || pull.number > newest_->number)) newest_ = std::move(pull);
}

}  // namespace swage
