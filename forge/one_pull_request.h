// What every adapter does so that a branch has exactly one pull request (I1, X8, X9): the order of
// the questions, and what is ours to change. How each is asked is the adapter's.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "config/base/result.h"
#include "forge/model.h"

namespace swage {

struct PullRequestCalls {
  std::string_view noun;  ///< "pull request #": a number follows
  std::function<Result<Actor>()> self;
  /// The newest of the branch, in any state (see NewestOfBranch).
  std::function<Result<std::optional<PullRequest>>()> find;
  /// One attempt; nothing when there is one already.
  std::function<Result<std::optional<PullRequest>>()> create;
  /// Of our own, which is open.
  std::function<Result<PullRequest>(const PullRequest&)> bring_up_to_date;
};

/// Found first: most calls are updates. A lost reply to the creation shows as found at the retry,
/// and a creation that raced another as one that exists already. What a person opened for the
/// branch stays as it is. Errors: as Forge::EnsurePullRequest.
Result<PullRequest> EnsureOnePullRequest(const PullRequestCalls& calls);

/// Closes what is open; what is not stays as it is. `close` sends the request.
Result<void> CloseIfOpen(const Result<PullRequest>& pull,
                         const std::function<Result<void>()>& close);

/// Looks through a list of pull requests, whatever the forge made of its filter.
class NewestOfBranch {
 public:
  explicit NewestOfBranch(std::string_view branch) : branch_(branch) {}
  void Look(PullRequest pull);
  std::optional<PullRequest> Take() { return std::move(newest_); }

 private:
  std::string_view branch_;
  std::optional<PullRequest> newest_;
};

}  // namespace swage
