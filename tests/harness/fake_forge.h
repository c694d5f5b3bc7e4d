// FakeForge: a forge in memory that keeps the promises of forge/forge.h, records every call, and
// fails when told to.
//
// A failure comes before the act or after it (`after`: the forge did it, the answer was lost). Not
// thread-safe.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "forge/forge.h"

namespace swage {

class FakeForge : public Forge {
 public:
  struct Failure {
    Error error;
    bool after = false;
    int passes = 0;  ///< calls that succeed before it
  };

  // --- what it holds
  Repo repo{{"forge", "77", "acme/lib"}, "main", "https://forge/acme/lib", false};
  std::map<std::int64_t, Issue> issues;
  std::map<std::string, Comment> comments;     ///< by marker
  std::vector<PullRequest> pulls;              ///< pulls[i].number is i + 1
  std::map<std::string, ReviewDraft> reviews;  ///< by marker
  std::map<std::string, ThreadReply> replies;  ///< by marker
  std::optional<Review> submitted;             ///< what GetReview answers
  std::vector<CommitStatus> statuses;          ///< one per commit and context
  std::set<std::string> reactions;             ///< "NUMBER/COMMENT/REACTION"
  std::vector<std::string> resolved;           ///< thread ids
  std::map<std::string, Role> roles;           ///< by actor id
  ForgeFeed* feed = nullptr;                   ///< not owned
  std::vector<Actor> accounts;                 ///< for FindAccount
  // --- what happened
  std::vector<std::string> calls;                       ///< names, in order
  std::map<std::string, std::deque<Failure>> failures;  ///< by name of the call

  int Calls(std::string_view name) const {
    return static_cast<int>(std::count(calls.begin(), calls.end(), name));
  }
  void Fail(const std::string& call, Error error, int times = 1, bool after = false) {
    for (int i = 0; i < times; ++i) failures[call].push_back({error, after});
  }
  /// The call after so many that succeed.
  void FailAfter(const std::string& call, int passes, Error error) {
    failures[call].push_back({std::move(error), false, passes});
  }

  const std::string& Name() const override { return repo.ref.forge; }
  const ForgeLimits& Limits() const override { return limits_; }
  Result<Actor> GetSelf() override {
    return Act("GetSelf", [] { return Actor{"9", "swage-bot", true}; });
  }
  Result<Repo> GetRepo(std::string_view) override {
    return Act("GetRepo", [this] { return repo; });
  }
  Result<Issue> GetIssue(const RepoRef&, std::int64_t number) override {
    if (!issues.contains(number)) return MakeError(ErrorCode::kNotFound, "no such issue");
    return Act("GetIssue", [&] { return issues.at(number); });
  }
  Result<Actor> FindAccount(std::string_view login) override {
    for (const Actor& account : accounts) {
      if (account.login == login) return Act("FindAccount", [&] { return account; });
    }
    calls.emplace_back("FindAccount");
    return MakeError(ErrorCode::kNotFound, "no such account");
  }
  Result<Role> GetRole(const RepoRef&, const Actor& actor) override {
    return Act("GetRole",
               [&] { return roles.contains(actor.id) ? roles.at(actor.id) : Role::kNone; });
  }
  Result<PullRequest> GetPullRequest(const RepoRef&, std::int64_t number) override {
    if (number < 1 || number > std::ssize(pulls)) {
      return MakeError(ErrorCode::kNotFound, "no such pull request");
    }
    return Act("GetPullRequest", [&] { return pulls[static_cast<std::size_t>(number - 1)]; });
  }
  Result<std::optional<PullRequest>> FindPullRequest(const RepoRef&,
                                                     std::string_view branch) override {
    return Act("FindPullRequest", [&] {
      const PullRequest* found = Newest(branch);
      return found == nullptr ? std::optional<PullRequest>() : std::optional(*found);
    });
  }
  ForgeFeed* Feed() override { return feed; }
  Result<GitRemote> Remote(const RepoRef& ref, GitAccess) override {
    return GitRemote{"https://forge/" + ref.path + ".git", "bot", "secret", ""};
  }
  std::string CommitEmail(const Actor& actor) const override {
    return actor.id + "+" + actor.login + "@users.noreply.forge.example";
  }

  Result<void> EnsureReaction(const RepoRef&, const Thread& thread, std::string_view comment,
                              Reaction reaction) override {
    return Done(Act("EnsureReaction", [&] {
      reactions.insert(std::to_string(thread.number) + "/" + std::string(comment) + "/" +
                       std::to_string(static_cast<int>(reaction)));
      return true;
    }));
  }
  Result<Comment> EnsureComment(const RepoRef&, const Thread&, std::string_view marker,
                                std::string_view body, std::string_view) override {
    return Act("EnsureComment", [&] {
      Comment& comment = comments[std::string(marker)];
      if (comment.id.empty()) comment.id = std::to_string(comments.size());
      comment.body = std::string(body);
      return comment;
    });
  }
  Result<PullRequest> EnsurePullRequest(const RepoRef&, const PullRequestDraft& draft) override {
    PullRequest* found = Newest(draft.head_branch);
    if (found != nullptr && found->state != PullRequestState::kOpen) {
      calls.push_back("EnsurePullRequest");
      return MakeError(ErrorCode::kConflict, "the pull request was closed by a person");
    }
    return Act("EnsurePullRequest", [&] {
      if (found == nullptr) {
        found = &pulls.emplace_back();
        found->number = std::ssize(pulls);
        found->web_url = repo.web_url + "/pull/" + std::to_string(found->number);
        found->title = draft.title;
      }
      found->head_branch = draft.head_branch;
      found->body = draft.body;
      found->draft = draft.draft;
      return *found;
    });
  }
  Result<void> ClosePullRequest(const RepoRef&, std::int64_t number) override {
    return Done(Act("ClosePullRequest", [&] {
      for (PullRequest& pull : pulls) {
        const bool open = pull.number == number && pull.state == PullRequestState::kOpen;
        if (open) pull.state = PullRequestState::kClosed;
      }
      return true;
    }));
  }
  Result<PostedReview> EnsureReview(const RepoRef&, std::int64_t,
                                    const ReviewDraft& review) override {
    return Act("EnsureReview", [&] {
      reviews.emplace(review.marker, review);
      PostedReview posted{"1", "", {}};
      for (const LineComment& c : review.comments) {
        posted.comments.push_back({c.fingerprint, "thread-" + c.fingerprint, CommentPlace::kLine});
      }
      return posted;
    });
  }
  Result<void> ResolveThread(const RepoRef&, std::int64_t, std::string_view thread,
                             std::string_view) override {
    return Done(Act("ResolveThread", [&] {
      resolved.emplace_back(thread);
      return true;
    }));
  }
  Result<Review> GetReview(const ReviewSubmitted&) override {
    if (!submitted) return MakeError(ErrorCode::kNotFound, "no such review");
    return Act("GetReview", [&] { return *submitted; });
  }
  Result<void> EnsureReplies(const RepoRef&, std::int64_t,
                             const std::vector<ThreadReply>& all) override {
    return Done(Act("EnsureReplies", [&] {
      for (const ThreadReply& reply : all) replies.emplace(reply.marker, reply);
      return true;
    }));
  }
  Result<void> EnsureStatus(const RepoRef&, const CommitStatus& status) override {
    return Done(Act("EnsureStatus", [&] {
      std::erase_if(statuses, [&](const CommitStatus& s) {
        return s.sha == status.sha && s.context == status.context;
      });
      statuses.push_back(status);
      return true;
    }));
  }

 private:
  template <class F>
  auto Act(const std::string& name, F&& act) -> Result<decltype(act())> {
    calls.push_back(name);
    auto& planned = failures[name];
    if (planned.empty() || planned.front().passes-- > 0) return act();
    const Failure failure = planned.front();
    planned.pop_front();
    if (failure.after) (void)act();
    return failure.error;
  }

  static Result<void> Done(const Result<bool>& result) {
    if (!result.ok()) return result.error();
    return Ok();
  }

  PullRequest* Newest(std::string_view branch) {
    for (auto it = pulls.rbegin(); it != pulls.rend(); ++it) {
      if (it->head_branch == branch) return &*it;
    }
    return nullptr;
  }

  ForgeLimits limits_;
};

}  // namespace swage
