#include "pipeline/reconcile/repo_poll.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipeline/intake_parts.h"
#include "pipeline/labelling.h"
#include "pipeline/reconcile/poll_events.h"
#include "pipeline/reconcile/stamp.h"

namespace swage {
namespace {

constexpr int kMaxTasksChecked = 500;
/// Changes that are asked about together. What a round has done by then is kept, even if it is cut
/// short: some forges have to be asked for the comments of each thread.
constexpr std::size_t kPortion = 20;
constexpr int kQuestionsPerEvent = 3;  // who set the label, their role, the issue as it is now
constexpr int kAttempts = 3;           // of a decision whose facts moved on under it
constexpr TaskState kAlive[] = {TaskState::kQueued, TaskState::kRunning, TaskState::kWaiting,
                                TaskState::kInReview};
// Their pull requests, if they have one, may still be merged.
constexpr TaskState kGivenUp[] = {TaskState::kFailed, TaskState::kCancelled};

std::string MarkKey(std::string_view what, const RepoRef& repo) {
  return fmt::format("{}:{}:{}", what, repo.forge, repo.id);
}

// Comments are read by the second, as the coarsest forge tells them.
WallTime FloorToSecond(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

// Most comments are no commands, and are dropped unasked.
bool AsksTheForge(const Event& event, const IntakePlan& plan) {
  return !plan.ignored || !std::holds_alternative<CommentCreated>(event);
}

// Will be said again, however often one asks: it must not hold up what comes behind it.
bool IsRefusal(ErrorCode code) {
  return code == ErrorCode::kNotFound || code == ErrorCode::kDenied ||
         code == ErrorCode::kInvalid || code == ErrorCode::kTooLarge ||
         code == ErrorCode::kConflict;
}

// Without them nobody knows who it was.
Result<std::vector<ThreadAct>> ActsOf(Forge& forge, const RepoRef& repo, const Thread& thread) {
  auto acts = forge.Feed()->ListActs(repo, thread);
  if (!acts.ok() && IsRefusal(acts.error().code)) return std::vector<ThreadAct>();
  return acts;
}

bool ChangesAnything(const IntakePlan& plan) {
  return plan.task || !plan.changes.empty() || !plan.effects.empty();
}

}  // namespace

Result<std::optional<RepoPoll::Marks>> RepoPoll::ReadMarks(const RepoRef& repo) {
  SWAGE_ASSIGN_OR_RETURN(auto changes, store_.GetPoll(MarkKey("changes", repo)));
  SWAGE_ASSIGN_OR_RETURN(auto comments, store_.GetPoll(MarkKey("comments", repo)));
  if (!changes || !comments) return std::optional<Marks>();
  return std::optional(Marks{std::move(*changes), std::move(*comments)});
}

Result<int> RepoPoll::Round(Forge& forge, const RepoRef& repo, Budget& budget) {
  SWAGE_ASSIGN_OR_RETURN(auto marks, ReadMarks(repo));
  if (!marks) return FirstRound(forge, repo, budget);
  const WallTime known = Instant(marks->changes.cursor);
  budget.Take();
  SWAGE_ASSIGN_OR_RETURN(const ChangePage page,
                         forge.Feed()->ListChanges(repo, known - kOverlap, marks->changes.etag));
  if (page.unchanged) return 0;
  int found = 0;
  Progress progress;
  std::optional<Error> failed;
  while (progress.done < page.changes.size() && !failed && !budget.IsSpent()) {
    const auto some = TakePortion(forge, repo, page, marks->comments, budget, progress);
    if (some.ok()) found += *some;
    if (!some.ok()) failed = some.error();
  }
  // Also of a round that failed: otherwise it would begin anew each time, and have more to do.
  SWAGE_RETURN_IF_ERROR(SaveMarks(*marks, page, progress));
  if (failed) return *failed;
  return found;
}

Result<void> RepoPoll::SaveMarks(const Marks& marks, const ChangePage& page,
                                 const Progress& progress) {
  const bool all = progress.done == page.changes.size();
  const auto said = progress.cut_at ? progress.cut_at : progress.said;
  // Of the changes that are left nobody knows yet what was said there.
  if (said && (all || progress.cut_at)) {
    PollMark comments = marks.comments;
    comments.cursor = Stamp(std::max(Instant(comments.cursor), *said));
    if (comments.cursor != marks.comments.cursor) SWAGE_RETURN_IF_ERROR(store_.SetPoll(comments));
  }
  const WallTime known = Instant(marks.changes.cursor);
  const auto reached = all ? page.up_to : page.changes[progress.done].updated;
  PollMark next = marks.changes;
  if (!progress.cut_at) next.cursor = Stamp(std::max(known, reached.value_or(known)));
  // The ETag belongs to the question, and that begins at the cursor.
  const bool same = all && !progress.cut_at && next.cursor == marks.changes.cursor;
  const WallTime now = page.now.value_or(clock_.Now());
  const bool settled = !page.up_to || now >= *page.up_to + kSettled;
  next.etag = same && settled ? page.etag : "";
  if (next.cursor == marks.changes.cursor && next.etag == marks.changes.etag) return Ok();
  return store_.SetPoll(next);
}

Result<int> RepoPoll::TakePortion(Forge& forge, const RepoRef& repo, const ChangePage& page,
                                  const PollMark& comments, Budget& budget, Progress& progress) {
  const auto begin = page.changes.begin() + static_cast<std::ptrdiff_t>(progress.done);
  const auto left = page.changes.size() - progress.done;
  const std::vector<ThreadChange> portion(
      begin, begin + static_cast<std::ptrdiff_t>(std::min(left, kPortion)));
  budget.Take();
  SWAGE_ASSIGN_OR_RETURN(int found,
                         TakeComments(forge, repo, page, portion, comments, budget, progress));
  for (const ThreadChange& change : portion) {
    if (budget.IsSpent()) break;  // the next round goes on from here
    SWAGE_ASSIGN_OR_RETURN(const int some, TakeThread(forge, repo, change, budget));
    found += some;
    ++progress.done;
  }
  return found;
}

// By the forge's clock, if it tells: this machine's may be wrong (X14).
Result<WallTime> RepoPoll::BeginningOf(Forge& forge, const RepoRef& repo, Budget& budget) {
  std::optional<WallTime>& at = begun_[MarkKey("", repo)].at;
  if (at) return *at;
  budget.Take();
  const Result<WallTime> theirs = forge.Feed()->GetTime(repo);
  if (!theirs.ok() && theirs.error().code != ErrorCode::kInvalid) return theirs.error();
  at = FloorToSecond(theirs.ok() ? *theirs : clock_.Now());
  return *at;
}

Result<int> RepoPoll::FirstRound(Forge& forge, const RepoRef& repo, Budget& budget) {
  SWAGE_ASSIGN_OR_RETURN(const WallTime start, BeginningOf(forge, repo, budget));
  SWAGE_ASSIGN_OR_RETURN(int found, FirstIssues(forge, repo, budget));
  if (budget.IsSpent()) return found;
  SWAGE_ASSIGN_OR_RETURN(const int some, FirstTasks(forge, repo, budget));
  found += some;
  if (budget.IsSpent()) return found;
  SWAGE_RETURN_IF_ERROR(store_.SetPoll({MarkKey("comments", repo), Stamp(start), Stamp(start)}));
  SWAGE_RETURN_IF_ERROR(store_.SetPoll({MarkKey("changes", repo), Stamp(start), ""}));
  begun_.erase(MarkKey("", repo));
  log_.Info("polling a repository from now on", {{"forge", repo.forge}, {"repo", repo.path}});
  return found;
}

Result<int> RepoPoll::FirstIssues(Forge& forge, const RepoRef& repo, Budget& budget) {
  const std::string& trigger = gate_.Rules(repo.forge).triggers.label;
  std::set<std::int64_t>& considered = begun_[MarkKey("", repo)].considered;
  budget.Take();
  SWAGE_ASSIGN_OR_RETURN(const std::vector<std::string> labels, forge.Feed()->ListLabels(repo));
  int found = 0;
  for (const std::string& label : labels) {
    if (!IsTrigger(label, trigger)) continue;
    budget.Take();
    SWAGE_ASSIGN_OR_RETURN(const std::vector<Issue> issues,
                           forge.Feed()->ListLabelled(repo, label));
    for (const Issue& issue : issues) {
      if (budget.IsSpent()) return found;
      if (considered.contains(issue.number)) continue;
      SWAGE_ASSIGN_OR_RETURN(const int some, TakeIssue(forge, repo, issue, budget));
      considered.insert(issue.number);
      found += some;
    }
  }
  return found;
}

Result<int> RepoPoll::FirstTasks(Forge& forge, const RepoRef& repo, Budget& budget) {
  std::set<std::int64_t>& considered = begun_[MarkKey("", repo)].considered;
  int found = 0;
  const auto take = [&](TaskState state, bool without_pull) -> Result<void> {
    SWAGE_ASSIGN_OR_RETURN(const std::vector<Task> tasks,
                           store_.ListTasks({state, repo.path, kMaxTasksChecked}));
    for (const Task& task : tasks) {
      if (budget.IsSpent()) break;
      if (task.pr_number == 0 && !without_pull) continue;
      if (considered.contains(-task.id.value)) continue;
      SWAGE_ASSIGN_OR_RETURN(const int some, Check(forge, task, budget));
      considered.insert(-task.id.value);
      found += some;
    }
    return Ok();
  };
  for (const TaskState state : kAlive) SWAGE_RETURN_IF_ERROR(take(state, true));
  for (const TaskState state : kGivenUp) SWAGE_RETURN_IF_ERROR(take(state, false));
  return found;
}

Result<int> RepoPoll::TakeComments(Forge& forge, const RepoRef& repo, const ChangePage& page,
                                   const std::vector<ThreadChange>& portion, const PollMark& mark,
                                   Budget& budget, Progress& progress) {
  const WallTime start = Instant(mark.etag);
  const WallTime since = std::max(start, Instant(mark.cursor) - kOverlap);
  SWAGE_ASSIGN_OR_RETURN(const CommentPage said, forge.Feed()->ListComments(repo, since, portion));
  int found = 0;
  for (const FoundComment& comment : said.comments) {
    if (comment.created < start) continue;
    const auto event = EventOfComment(repo, comment, page.changes);
    if (!event) continue;
    SWAGE_ASSIGN_OR_RETURN(const int some, Settle(forge, *event, budget));
    found += some;
  }
  if (said.up_to) progress.said = std::max(progress.said.value_or(*said.up_to), *said.up_to);
  if (said.more) {
    const WallTime until = said.up_to.value_or(Instant(mark.cursor));
    progress.cut_at = std::min(progress.cut_at.value_or(until), until);
  }
  return found;
}

Result<int> RepoPoll::TakeThread(Forge& forge, const RepoRef& repo, const ThreadChange& change,
                                 Budget& budget) {
  if (change.issue) return TakeIssue(forge, repo, *change.issue, budget);
  return TakePull(forge, repo, change.thread.number, budget);
}

Result<int> RepoPoll::TakeIssue(Forge& forge, const RepoRef& repo, const Issue& issue,
                                Budget& budget) {
  const Triggers& triggers = gate_.Rules(repo.forge).triggers;
  SWAGE_ASSIGN_OR_RETURN(const Actor self, gate_.Self(forge));
  SWAGE_ASSIGN_OR_RETURN(const auto task, store_.FindTaskByIssue(repo, issue.number));
  bool by_label = false;
  if (task) {
    SWAGE_ASSIGN_OR_RETURN(by_label, store_.IsByLabel(task->id));
  }
  auto event = EventOfIssue(repo, issue, task, by_label, {}, triggers, self);
  if (!event) return 0;
  const bool asks_by_itself =
      std::holds_alternative<IssueLabeled>(*event) || std::holds_alternative<IssueAssigned>(*event);
  if (!asks_by_itself) {
    SWAGE_ASSIGN_OR_RETURN(const std::vector<ThreadAct> acts,
                           ActsOf(forge, repo, {ThreadKind::kIssue, issue.number}));
    event = EventOfIssue(repo, issue, task, by_label, acts, triggers, self);
    if (!event) return 0;
  }
  // I14: work begins for somebody whom the forge names.
  const auto* reopened = std::get_if<IssueReopened>(&*event);
  if (reopened != nullptr && reopened->actor.id.empty()) return 0;
  return Settle(forge, *event, budget);
}

Result<int> RepoPoll::TakePull(Forge& forge, const RepoRef& repo, std::int64_t number,
                               Budget& budget) {
  SWAGE_ASSIGN_OR_RETURN(const auto task, store_.FindTaskByPullRequest(repo, number));
  if (!task) return 0;
  budget.Take();
  const Result<PullRequest> asked = forge.GetPullRequest(repo, number);
  if (!asked.ok()) return IsRefusal(asked.error().code) ? Result<int>(0) : asked.error();
  const PullRequest& pull = *asked;
  auto event = EventOfPull(repo, pull, *task, {});
  if (!event) return TakeReviews(forge, *task, budget);
  if (std::holds_alternative<PullRequestPushed>(*event)) {
    SWAGE_ASSIGN_OR_RETURN(const bool own, IsOwn(forge, *task, budget));
    if (own) return 0;
  }
  if (std::holds_alternative<PullRequestClosed>(*event)) {
    SWAGE_ASSIGN_OR_RETURN(const std::vector<ThreadAct> acts,
                           ActsOf(forge, repo, {ThreadKind::kPullRequest, number}));
    event = EventOfPull(repo, pull, *task, acts);
  }
  return Settle(forge, *event, budget);
}

// As with comments, those from before the polling began are not for it.
Result<int> RepoPoll::TakeReviews(Forge& forge, const Task& task, Budget& budget) {
  SWAGE_ASSIGN_OR_RETURN(const auto marks, ReadMarks(task.repo));
  if (!marks || intake::IsOver(task.state)) return 0;
  budget.Take();
  const auto reviews = forge.Feed()->ListReviews(task.repo, task.pr_number);
  if (!reviews.ok()) return IsRefusal(reviews.error().code) ? Result<int>(0) : reviews.error();
  int found = 0;
  for (const Review& review : *reviews) {
    if (review.at < Instant(marks->comments.etag)) continue;
    const ReviewSubmitted event = EventOfReview(task, review);
    // Asked here, it spares the forge the questions.
    SWAGE_ASSIGN_OR_RETURN(const bool obeyed,
                           store_.IsObeyed(ReviewKey(task.repo, task.pr_number, review.id)));
    if (obeyed) continue;
    SWAGE_ASSIGN_OR_RETURN(const int some, Settle(forge, event, budget));
    found += some;
  }
  return found;
}

// The next run goes on from there (see Worker::LookAtBranch); until then there is nothing to do.
Result<bool> RepoPoll::IsOwn(Forge& forge, const Task& task, const Budget& budget) {
  const Result<bool> own = hooks_.is_own(forge, task, budget.stop());
  // What cannot be read is not known to be ours.
  if (!own.ok()) return IsRefusal(own.error().code) ? Result<bool>(false) : own.error();
  if (*own) {
    log_.Info("a branch holds newer work of ours than the database knows of",
              {{"task_id", task.id}, {"branch", task.branch}});
  }
  return *own;
}

Result<int> RepoPoll::Check(Forge& forge, const Task& task, Budget& budget) {
  if (task.pr_number != 0) return TakePull(forge, task.repo, task.pr_number, budget);
  budget.Take();
  const Result<Issue> issue = forge.GetIssue(task.repo, task.issue_number);
  if (issue.ok()) return TakeIssue(forge, task.repo, *issue, budget);
  if (issue.error().code != ErrorCode::kNotFound) return issue.error();
  const auto event = EventOfMissingIssue(task);
  return event ? Settle(forge, *event, budget) : Result<int>(0);
}

Result<int> RepoPoll::GiveUp(const Event& event, const Error& error) {
  if (!IsRefusal(error.code)) return error;
  log_.Warn(
      "what polling found cannot be decided",
      {{"repo", EventRepo(event)->path}, {"event", EventName(event)}, {"error", error.message}});
  return 0;
}

Result<int> RepoPoll::Settle(Forge& forge, const Event& event, Budget& budget) {
  for (int attempt = 1;; ++attempt) {
    const Result<IntakePlan> considered = gate_.Consider(forge.Name(), event, "");
    if (!considered.ok()) return GiveUp(event, considered.error());
    const IntakePlan& plan = *considered;
    if (AsksTheForge(event, plan)) budget.Take(kQuestionsPerEvent);
    if (plan.ignored && plan.command_key.empty() && plan.effects.empty()) return 0;
    const auto applied = store_.ApplyIntake(plan);
    if (!applied.ok()) {
      if (applied.error().code == ErrorCode::kConflict && attempt < kAttempts) continue;
      return GiveUp(event, applied.error());
    }
    log_.Info("found by polling", {{"forge", forge.Name()},
                                   {"repo", EventRepo(event)->path},
                                   {"event", EventName(event)},
                                   {"outcome", plan.outcome},
                                   {"task_id", applied->task}});
    for (const TaskId task : applied->cancelled) hooks_.on_cancelled(task);
    hooks_.on_applied();
    return ChangesAnything(plan) ? 1 : 0;
  }
}

}  // namespace swage
