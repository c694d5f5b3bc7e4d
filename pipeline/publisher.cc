#include "pipeline/publisher.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/contain.h"
#include "config/base/json.h"
#include "pipeline/effects.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

constexpr int kEffectsPerRound = 64;

bool MayGetBetter(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRateLimited:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kUnauthenticated:  // a revoked token is replaced by a person
    case ErrorCode::kInternal:
    case ErrorCode::kNotFound:  // forges answer 404 for a while after an event
    case ErrorCode::kCancelled:
      return true;
    case ErrorCode::kInvalid:
    case ErrorCode::kConflict:
    case ErrorCode::kDenied:
    case ErrorCode::kLeaseLost:
    case ErrorCode::kTooLarge:
      return false;
  }
  return false;
}

// Without the branch or the pull request there is no result; everything else is an ornament of it.
bool IsEssential(EffectKind kind) {
  return kind == EffectKind::kPush || kind == EffectKind::kPullRequest;
}

// A missing issue or comment will not come back: fewer tries than for a forge that is down.
int AttemptLimit(ErrorCode code) {
  return code == ErrorCode::kNotFound ? 4 : Publisher::kMaxAttempts;
}

}  // namespace

std::chrono::milliseconds RetryDelay(int attempts, std::chrono::milliseconds retry_after,
                                     double jitter) {
  const int doublings = std::clamp(attempts, 0, 20);
  const auto exponential =
      std::min(Publisher::kLongestDelay, Publisher::kFirstDelay * (std::int64_t{1} << doublings));
  const auto spread = std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(exponential.count()) * (0.5 + jitter / 2)));
  return std::max(spread, retry_after);
}

Publisher::Publisher(Store& store, Workspaces& workspaces, ForgeLookup forges,
                     const Redactor& redactor, Log& log, const Clock& clock,
                     PublisherOptions options)
    : store_(store),
      workspaces_(workspaces),
      forges_(std::move(forges)),
      redactor_(redactor),
      log_(log),
      clock_(clock),
      options_(std::move(options)),
      jitter_(options_.jitter_seed) {}

int Publisher::RunOnce(std::stop_token stop) {
  const auto due = store_.DueEffects(kEffectsPerRound);
  if (!due.ok()) {
    log_.Warn("cannot read the outbox", {{"error", due.error().message}});
    return 0;
  }
  int noted = 0;
  for (const Effect& effect : *due) {
    if (stop.stop_requested()) break;
    if (Carry(effect, stop).ok()) ++noted;
  }
  return noted;
}

Result<void> Publisher::Carry(const Effect& effect, std::stop_token stop) {
  const Result<Done> done = Contain([&] { return Attempt(effect, stop); });
  if (!done.ok()) return NoteFailure(effect, done.error());
  const auto finished = store_.FinishEffect(effect, done->result, done->facts);
  if (!finished.ok() && finished.error().code != ErrorCode::kLeaseLost) {
    log_.Warn("an effect was carried out but not recorded; it will be found again",
              {{"effect", effect.id},
               {"kind", Name(effect.what.kind)},
               {"error", finished.error().message}});
    return finished;
  }
  log_.Info(
      "effect done",
      {{"effect", effect.id}, {"kind", Name(effect.what.kind)}, {"task_id", effect.what.task}});
  return Ok();
}

Result<Publisher::Done> Publisher::Attempt(const Effect& effect, std::stop_token stop) {
  const std::string& name = effect.what.repo.forge;
  Forge* forge = forges_(name);
  if (forge == nullptr) {
    return MakeError(ErrorCode::kInvalid, "the forge " + name + " is not configured any more");
  }
  if (const auto paused = paused_until_.find(name); paused != paused_until_.end()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(paused->second - clock_.Monotonic());
    if (left.count() > 0) {
      return Error{ErrorCode::kRateLimited, "the forge " + name + " asked to wait", left};
    }
    paused_until_.erase(paused);
  }
  Result<Done> done = Perform(effect, *forge, stop);
  if (!done.ok() && done.error().code == ErrorCode::kRateLimited) {
    paused_until_[name] = clock_.Monotonic() + done.error().retry_after;
  }
  return done;
}

Result<void> Publisher::NoteFailure(const Effect& effect, const Error& error) {
  const bool again = MayGetBetter(error.code) && effect.attempts + 1 < AttemptLimit(error.code);
  const std::string message = redactor_.Apply(error.message);
  log_.Warn(again ? "effect failed; will be tried again" : "effect failed for good",
            {{"effect", effect.id},
             {"kind", Name(effect.what.kind)},
             {"task_id", effect.what.task},
             {"attempt", effect.attempts + 1},
             {"error", message}});
  const double jitter = std::generate_canonical<double, 32>(jitter_);
  const Result<void> noted =
      again ? store_.RetryEffect(effect, message,
                                 RetryDelay(effect.attempts, error.retry_after, jitter))
            : store_.FailEffect(effect, message, IsEssential(effect.what.kind));
  if (noted.ok() || noted.error().code == ErrorCode::kLeaseLost) return Ok();  // superseded
  log_.Warn("cannot note the failure of an effect", {{"error", noted.error().message}});
  return noted;
}

Result<Publisher::Done> Publisher::Perform(const Effect& effect, Forge& forge,
                                           std::stop_token stop) {
  switch (effect.what.kind) {
    case EffectKind::kReaction:
      return PerformReaction(effect, forge);
    case EffectKind::kComment:
      return PerformComment(effect, forge);
    case EffectKind::kSticky:
      return PerformSticky(effect, forge);
    case EffectKind::kPush:
      return PerformPush(effect, forge, stop);
    case EffectKind::kPullRequest:
      return PerformPullRequest(effect, forge);
    case EffectKind::kStatus:
      return PerformStatus(effect, forge);
    case EffectKind::kReview:
      return PerformReview(effect, forge);
    case EffectKind::kResolve:
      return PerformResolve(effect, forge);
  }
  return MakeError(ErrorCode::kInvalid, "unknown kind of effect");
}

Result<Publisher::Done> Publisher::PerformReaction(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const ReactionEffect e, DecodeReaction(effect.what.payload));
  SWAGE_RETURN_IF_ERROR(forge.EnsureReaction(effect.what.repo, e.thread, e.comment_id, e.reaction));
  return Done{"{}", {}};
}

Result<Publisher::Done> Publisher::PerformComment(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const CommentEffect e, DecodeComment(effect.what.payload));
  SWAGE_ASSIGN_OR_RETURN(
      const Comment comment,
      forge.EnsureComment(effect.what.repo, e.thread, e.marker, redactor_.Apply(e.body), ""));
  return Done{DumpJson({{"comment", comment.id}, {"url", comment.web_url}}), {}};
}

Result<Publisher::Done> Publisher::PerformSticky(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Step> steps, store_.ListSteps(task.id));
  const std::string body =
      messages::Sticky(task, steps, options_.public_url, options_.command_prefix);
  SWAGE_ASSIGN_OR_RETURN(const Comment comment,
                         forge.EnsureComment(task.repo, {ThreadKind::kIssue, task.issue_number},
                                             messages::StickyMarker(task), redactor_.Apply(body),
                                             task.sticky_comment_id));
  Done done{DumpJson({{"comment", comment.id}}), {}};
  done.facts.sticky_comment_id = comment.id;
  return done;
}

Result<Publisher::Done> Publisher::PerformPush(const Effect& effect, Forge& forge,
                                               std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(const PushEffect e, DecodePush(effect.what.payload));
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  const PushRequest request{task.repo, forge.Remote(task.repo), e.branch, e.sha, task.pushed};
  if (auto pushed = workspaces_.Push(request, stop); !pushed.ok()) {
    if (pushed.error().code != ErrorCode::kConflict) return pushed.error();
    return MakeError(
        ErrorCode::kConflict,
        "the branch " + e.branch + " was changed by somebody else; nothing was overwritten");
  }
  Done done{DumpJson({{"sha", e.sha.value}}), {}};
  done.facts.pushed = e.sha;
  return done;
}

// The last look before a pull request appears: the word that its issue was closed may have been
// lost (I6). What is open already is updated whatever became of the issue.
Result<void> Publisher::CheckStillWanted(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  if (task.pr_number != 0) return Ok();
  const Result<Issue> issue = forge.GetIssue(task.repo, task.issue_number);
  if (!issue.ok() && issue.error().code != ErrorCode::kNotFound) return issue.error();
  if (issue.ok() && issue->open) return Ok();
  return MakeError(ErrorCode::kDenied, messages::ClosedBeforePullRequest());
}

Result<Publisher::Done> Publisher::PerformPullRequest(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(PullRequestEffect e, DecodePullRequest(effect.what.payload));
  e.draft.title = redactor_.Apply(e.draft.title);
  e.draft.body = redactor_.Apply(e.draft.body);
  SWAGE_RETURN_IF_ERROR(CheckStillWanted(effect, forge));
  SWAGE_ASSIGN_OR_RETURN(const PullRequest pr, forge.EnsurePullRequest(effect.what.repo, e.draft));
  Done done{DumpJson({{"number", pr.number}, {"url", pr.web_url}}), {}};
  done.facts.pr_number = pr.number;
  done.facts.pr_url = pr.web_url;
  return done;
}

Result<Publisher::Done> Publisher::PerformStatus(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(StatusEffect e, DecodeStatus(effect.what.payload));
  e.status.description = redactor_.Apply(e.status.description);
  SWAGE_RETURN_IF_ERROR(forge.EnsureStatus(effect.what.repo, e.status));
  return Done{"{}", {}};
}

Result<Publisher::Done> Publisher::PerformReview(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(ReviewEffect e, DecodeReview(effect.what.payload));
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  e.review.body = redactor_.Apply(e.review.body);
  for (LineComment& comment : e.review.comments) comment.body = redactor_.Apply(comment.body);
  SWAGE_ASSIGN_OR_RETURN(const PostedReview posted,
                         forge.EnsureReview(task.repo, task.pr_number, e.review));
  Done done{DumpJson({{"review", posted.id}, {"url", posted.web_url}}), {}};
  for (const PostedComment& comment : posted.comments) {
    done.facts.posted_findings.emplace_back(comment.fingerprint, comment.thread_id);
  }
  return done;
}

Result<Publisher::Done> Publisher::PerformResolve(const Effect& effect, Forge& forge) {
  SWAGE_ASSIGN_OR_RETURN(const ResolveEffect e, DecodeResolve(effect.what.payload));
  SWAGE_ASSIGN_OR_RETURN(const Task task, store_.GetTask(effect.what.task));
  Done done{"{}", {}};
  for (const PostedComment& thread : e.threads) {
    const auto resolved = forge.ResolveThread(task.repo, task.pr_number, thread.thread_id,
                                              messages::ResolvedNote(e.head));
    // A person may have deleted the comment: then there is nothing left to resolve.
    if (!resolved.ok() && resolved.error().code != ErrorCode::kNotFound) return resolved.error();
    done.facts.resolved_findings.push_back(thread.fingerprint);
  }
  return done;
}

}  // namespace swage
