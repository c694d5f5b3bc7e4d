#include "pipeline/publication.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/base/text.h"
#include "pipeline/effects.h"

namespace swage {
namespace {

using messages::RunReport;

constexpr std::size_t kMaxAnnotations = 250;  // of a gate; five requests

std::vector<Finding> AllFindings(const std::vector<GateVerdict>& verdicts) {
  std::vector<Finding> all;
  for (const GateVerdict& verdict : verdicts) {
    all.insert(all.end(), verdict.findings.begin(), verdict.findings.end());
  }
  return all;
}

StatusState ToStatus(const GateVerdict& verdict) {
  switch (verdict.outcome) {
    case GateOutcome::kPassed:
    case GateOutcome::kFlaky:  // its description says so
      return StatusState::kSuccess;
    case GateOutcome::kSkipped:
      return StatusState::kNeutral;
    case GateOutcome::kFailed:
    case GateOutcome::kTimedOut:
    case GateOutcome::kError:
      return verdict.required ? StatusState::kFailure : StatusState::kNeutral;
  }
  return StatusState::kFailure;
}

Annotation::Level LevelOf(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return Annotation::Level::kFailure;
    case Severity::kWarning:
      return Annotation::Level::kWarning;
    case Severity::kNote:
      return Annotation::Level::kNotice;
  }
  return Annotation::Level::kNotice;
}

std::vector<Annotation> Annotations(const GateVerdict& verdict) {
  std::vector<Annotation> annotations;
  for (const Finding& finding : verdict.findings) {
    if (finding.path.empty()) continue;
    if (annotations.size() == kMaxAnnotations) break;
    annotations.push_back(
        {finding.path, finding.line, LevelOf(finding.severity), finding.rule, finding.message});
  }
  return annotations;
}

class Builder {
 public:
  explicit Builder(const PublicationInput& input) : in_(input), task_(input.report.task) {}

  RunOutcome Build() {
    const bool red_without_pr = !in_.report.green && task_.pr_number == 0;
    outcome_.findings = AllFindings(in_.report.verdicts);
    if (red_without_pr && in_.when_red == "comment") return OnlyComment();
    outcome_.state = TaskState::kInReview;
    AddPush();
    AddPullRequest();
    AddStatuses();
    AddReview();
    AddAnswers();
    AddResolved();
    AddSticky();
    return std::move(outcome_);
  }

 private:
  void Add(EffectKind kind, std::string_view what, std::string payload) {
    outcome_.effects.push_back(
        {kind, fmt::format("{}:{}:r{}:{}", Name(kind), task_.id.value, task_.run, what), task_.repo,
         task_.id, std::move(payload)});
  }

  RunOutcome OnlyComment() {
    outcome_.state = TaskState::kFailed;
    outcome_.reason = in_.report.stopped_because;
    const std::string marker =
        messages::ReplyMarker(fmt::format("red-{}-r{}", task_.id.value, task_.run));
    Add(EffectKind::kComment, "red",
        Encode(CommentEffect{{ThreadKind::kIssue, task_.issue_number},
                             marker,
                             messages::RedReport(marker, in_.report)}));
    AddSticky();
    return std::move(outcome_);
  }

  void AddPush() {
    // Also when the forge is known to hold it: what follows is true only if it still does (I7).
    Add(EffectKind::kPush, "head", Encode(PushEffect{task_.branch, in_.report.head}));
  }

  void AddPullRequest() {
    PullRequestDraft draft;
    draft.head_branch = task_.branch;
    draft.base_branch = task_.base_branch;
    draft.title = messages::PullRequestTitle(task_);
    draft.body = messages::PullRequestBody(in_.report);
    draft.draft = !in_.report.green;
    Add(EffectKind::kPullRequest, "pr", Encode(PullRequestEffect{std::move(draft)}));
  }

  void AddStatuses() {
    for (const GateVerdict& verdict : in_.report.verdicts) {
      CommitStatus status;
      status.sha = in_.report.head;
      status.context = messages::StatusContext(verdict.gate);
      status.state = ToStatus(verdict);
      status.description = messages::StatusDescription(verdict);
      status.annotations = Annotations(verdict);
      status.summary = messages::CheckSummary(verdict, status.annotations.size());
      if (!in_.report.public_url.empty()) {
        status.target_url = fmt::format("{}/tasks/{}", in_.report.public_url, task_.id.value);
      }
      Add(EffectKind::kStatus, verdict.gate, Encode(StatusEffect{std::move(status)}));
    }
  }

  void AddReview() {
    std::set<std::string> touched;
    for (const FileDiff& file : in_.diff.files) {
      if (file.change != 'D') touched.insert(file.path);
    }
    ReviewDraft review;
    review.head_sha = in_.report.head;
    review.marker = messages::ReviewMarker(task_, in_.report.head);
    std::vector<Finding> unplaced;
    for (const Finding& finding : outcome_.findings) {
      if (touched.contains(finding.path) && review.comments.size() < kMaxLineComments) {
        review.comments.push_back(
            {finding.fingerprint, finding.path, finding.line, messages::LineCommentBody(finding)});
      } else {
        unplaced.push_back(finding);
      }
    }
    review.body = messages::ReviewBody(in_.report, unplaced);
    Add(EffectKind::kReview, in_.report.head.value, Encode(ReviewEffect{std::move(review)}));
  }

  // Each remark once, when what came of it is there to see: its key has no run. A comment that two
  // remarks hold is known by its marker. Who asked for gates alone asked for no change.
  void AddAnswers() {
    if (task_.run_kind == RunKind::kGates) return;
    for (const Remark& remark : in_.remarks) {
      ResolveEffect answers;
      answers.head = in_.report.head;
      for (const AskedThread& thread : remark.threads) {
        const messages::ThreadOutcome outcome{
            thread.place.path, in_.changed,
            WordsAboutThread(in_.report.summary, thread.place.thread_id)};
        answers.answers.push_back(
            {thread.place, messages::ReplyMarker("thread-" + thread.comment_id),
             messages::ThreadAnswer(outcome, in_.report, in_.command_prefix)});
      }
      if (answers.answers.empty()) continue;
      outcome_.effects.push_back(
          {EffectKind::kResolve,
           fmt::format("{}:{}:answer:{}", Name(EffectKind::kResolve), task_.id.value, remark.id),
           task_.repo, task_.id, Encode(answers)});
    }
  }

  void AddResolved() {
    std::set<std::string> still;
    for (const Finding& finding : outcome_.findings) still.insert(finding.fingerprint);
    ResolveEffect gone;
    gone.head = in_.report.head;
    for (const LedgerFinding& known : in_.ledger) {
      const bool open_thread = known.posted && !known.resolved && !known.thread_id.empty();
      if (open_thread && !still.contains(known.finding.fingerprint)) {
        gone.threads.push_back({known.finding.fingerprint, known.thread_id, CommentPlace::kLine});
      }
    }
    if (!gone.threads.empty()) Add(EffectKind::kResolve, "gone", Encode(gone));
  }

  void AddSticky() { outcome_.effects.push_back(StickyEffect(task_.repo, task_.id)); }

  const PublicationInput& in_;
  const Task& task_;
  RunOutcome outcome_;
};

}  // namespace

std::string WordsAboutThread(std::string_view summary, std::string_view thread_id) {
  const std::string address = fmt::format("thread {}:", thread_id);
  for (std::string_view line : SplitLines(summary)) {
    // A list's mark or code marks around it are the agent's taste.
    line = line.substr(std::min(line.find_first_not_of(" \t-*+`"), line.size()));
    if (!EqualsIgnoreCase(line.substr(0, address.size()), address)) continue;
    line.remove_prefix(address.size());
    while (line.ends_with('`') || line.ends_with(' ')) line.remove_suffix(1);
    return std::string(Trim(line));
  }
  return {};
}

RunOutcome Publication(const PublicationInput& input) {
  return Builder(input).Build();
}

}  // namespace swage
