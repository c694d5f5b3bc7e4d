#include "pipeline/messages.h"
#include "pipeline/messages_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/base/text.h"
#include "forge/body.h"
#include "forge/markdown.h"

namespace swage::messages {
namespace {

constexpr std::size_t kTitleBytes = 200;
constexpr std::size_t kSummaryBytes = 4'000;  // of one run
constexpr std::size_t kMessageBytes = 1'500;
constexpr std::size_t kLogBytes = 3'000;
constexpr std::size_t kListedFindings = 50;
constexpr std::size_t kStatusBytes = 140;
constexpr std::ptrdiff_t kTriedSteps = 6;
constexpr std::string_view kClosedBy = "the issue was closed by ";

std::string TaskMarkerKey(const Task& task) {
  return fmt::format("{}/{}#{}/g{}", task.repo.forge, task.repo.id, task.issue_number,
                     task.generation);
}

std::string_view Badge(GateOutcome outcome, bool required) {
  switch (outcome) {
    case GateOutcome::kPassed:
      return "✓ passed";
    case GateOutcome::kFailed:
      return required ? "✗ failed" : "! failed (advisory)";
    case GateOutcome::kTimedOut:
      return required ? "✗ timed out" : "! timed out (advisory)";
    case GateOutcome::kError:
      return required ? "✗ could not run" : "! could not run (advisory)";
    case GateOutcome::kSkipped:
      return "– skipped";
    case GateOutcome::kFlaky:
      return "≈ flaky";
  }
  return "";
}

// "✓ `tests`": one gate in a row of them.
std::string GateSign(const Step& step) {
  const auto outcome = ParseGateOutcome(step.outcome);
  const bool passed = outcome == GateOutcome::kPassed;
  const bool skipped = outcome == GateOutcome::kSkipped;
  const bool flaky = outcome == GateOutcome::kFlaky;
  const std::string_view sign = passed                          ? "✓"
                                : skipped                       ? "–"
                                : flaky                         ? "≈"
                                : step.outcome == "running"     ? "…"
                                : step.outcome == "interrupted" ? "↻"
                                : step.required                 ? "✗"
                                                                : "!";
  return fmt::format("{}\u00A0{}", sign, CodeSpan(step.name, 60));  // the two stay on one line
}

std::string AgentCell(const Step& step) {
  if (step.outcome == "running") return "at work …";
  if (step.outcome == "interrupted") return "interrupted, runs again";
  return step.summary.empty() ? step.outcome : InertLine(step.summary, 160);
}

// One row per cycle of this run: what the agent said, how the gates went. A step that was
// interrupted and run again counts by its last try.
std::string CycleTable(const Task& task, const std::vector<Step>& steps) {
  struct Row {
    std::string agent;
    std::map<std::string, std::string> gates;
    std::vector<std::string> order;
  };
  std::map<int, Row> rows;
  for (const Step& step : steps) {
    if (step.run != task.run) continue;
    if (step.kind == StepKind::kAgent) rows[step.cycle].agent = AgentCell(step);
    if (step.kind != StepKind::kGate) continue;
    Row& row = rows[step.cycle];
    if (!row.gates.contains(step.name)) row.order.push_back(step.name);
    row.gates[step.name] = GateSign(step);
  }
  if (rows.empty()) return {};
  std::string table = "\n| Cycle | Agent | Gates |\n|---|---|---|\n";
  for (const auto& [cycle, row] : rows) {
    std::vector<std::string> signs;
    for (const std::string& name : row.order) signs.push_back(row.gates.at(name));
    table += fmt::format("| {} | {} | {} |\n", cycle, row.agent, Join(signs, " "));
  }
  return table;
}

std::string RoleName(Role role) {
  switch (role) {
    case Role::kNone:
      return "no role";
    case Role::kRead:
      return "read";
    case Role::kTriage:
      return "triage";
    case Role::kWrite:
      return "write";
    case Role::kMaintain:
      return "maintain";
    case Role::kAdmin:
      return "admin";
  }
  return "no role";
}

std::string GateTable(const std::vector<GateVerdict>& verdicts) {
  if (verdicts.empty()) return "No gates are configured for this repository.\n";
  std::string table = "| Gate | Result | Details | Time |\n|---|---|---|---|\n";
  for (const GateVerdict& v : verdicts) {
    table +=
        fmt::format("| {} | {} | {} | {} |\n", CodeSpan(v.gate, 60), Badge(v.outcome, v.required),
                    InertLine(v.summary, 200), FormatDuration(v.duration));
  }
  return table;
}

std::string CycleLine(const CycleHistory& cycle) {
  return fmt::format("- Cycle {}: {}{}\n", cycle.cycle,
                     cycle.passed ? "all gates passed" : "gates failed",
                     cycle.commit.value.empty() ? "" : fmt::format(" at {}", Short(cycle.commit)));
}

// Folded, so that a long log does not bury the table above it.
std::string Details(std::string_view summary, std::string_view body) {
  return fmt::format("<details><summary>{}</summary>\n\n{}\n\n</details>\n", summary, body);
}

std::string FailedLogs(const std::vector<GateVerdict>& verdicts) {
  std::string out;
  for (const GateVerdict& v : verdicts) {
    const bool fine = !v.Failed() && v.outcome != GateOutcome::kFlaky;
    if (fine || v.log_tail.empty()) continue;
    const std::string_view tail(v.log_tail);
    const std::string_view last = tail.substr(tail.size() - std::min(tail.size(), kLogBytes));
    out += "\n" + Details(fmt::format("Last output of <code>{}</code>", v.gate),
                          Fence(last, "text", kLogBytes + 200));
  }
  return out;
}

std::string FindingLine(const Finding& f) {
  const std::string place =
      f.path.empty()
          ? ""
          : CodeSpan(f.line > 0 ? fmt::format("{}:{}", f.path, f.line) : f.path, 200) + " ";
  const std::string rule = f.rule.empty() ? "" : " (" + CodeSpan(f.rule, 100) + ")";
  return fmt::format("- **{}** {}{}{}\n", InertLine(f.gate, 60), place, InertLine(f.message, 300),
                     rule);
}

std::string RunLine(const RunReport& r) {
  std::string line = fmt::format("Commit {} · {} · agent {}", CodeSpan(r.head.value, 64),
                                 Count(r.cycles.size(), "cycle"), CodeSpan(r.agent, 40));
  if (!r.levels.empty()) {
    line += fmt::format(" · isolation level {}", CodeSpan(Name(r.levels.back().level), 20));
  }
  if (r.usage.input_tokens + r.usage.output_tokens > 0) {
    line += fmt::format(" · {} tokens in, {} out", r.usage.input_tokens, r.usage.output_tokens);
  }
  if (r.usage.cost_usd > 0) line += fmt::format(" · ${:.2f}", r.usage.cost_usd);
  return line;
}

// What the first run did, and what each later one changed: the description grows with the branch.
std::string What(const RunReport& r) {
  std::vector<std::string> runs;
  for (const std::string& summary : r.earlier) runs.push_back(InertProse(summary, kSummaryBytes));
  if (!r.summary.empty()) runs.push_back(InertProse(r.summary, kSummaryBytes));
  if (runs.empty()) return "The agent left no summary; the diff says what changed.\n";
  std::string what = runs.front() + "\n";
  for (std::size_t i = 1; i < runs.size(); ++i) {
    what += fmt::format("\n**After a remark:**\n\n{}\n", runs[i]);
  }
  return what;
}

std::string WorkSections(const RunReport& r) {
  std::string body = fmt::format("### Gates\n\n{}", GateTable(r.verdicts));
  if (!r.stopped_because.empty()) body += fmt::format("\n**{}**\n", r.stopped_because);
  body += "\n### Cycles\n\n";
  for (const CycleHistory& cycle : r.cycles) body += CycleLine(cycle);
  if (!r.warnings.empty()) {
    body += "\n### Noticed\n\n";
    for (const std::string& warning : r.warnings) body += "- " + InertLine(warning, 300) + "\n";
  }
  body += IsolationDetails(r.levels, r.blocked);
  return body;
}

std::string Footer(const RunReport& r) {
  std::string footer = "\n---\n" + RunLine(r);
  const std::string url = TaskUrl(r.task.id, r.public_url);
  if (!url.empty()) footer += fmt::format(" · [logs and hand-off]({})", url);
  return footer + "\n";
}

std::string Queued(const Task& task) {
  std::string text = task.reason.empty() ? "queued; work starts as soon as a worker is free"
                                         : "queued again: " + InertLine(task.reason, 300);
  if (task.priority != Priority::kNormal)
    text += fmt::format(" (priority {})", Name(task.priority));
  return text;
}

std::string Headline(const Task& task) {
  switch (task.state) {
    case TaskState::kQueued:
      return Queued(task);
    case TaskState::kRunning:
      switch (task.stage) {
        case Stage::kNone:
        case Stage::kProvision:
          return "preparing a workspace";
        case Stage::kAgent:
          return fmt::format("cycle {}: the agent is at work", task.cycle);
        case Stage::kGates:
          return fmt::format("cycle {}: gates are running", task.cycle);
        case Stage::kPublish:
          return "publishing the result";
      }
      return "at work";
    case TaskState::kInReview:
      return fmt::format("in review: {}", task.pr_url);
    case TaskState::kWaiting:
      return "waiting: " + task.reason;
    case TaskState::kMerged:
      return fmt::format("merged: {}", task.pr_url);
    case TaskState::kClosed:
      return task.pr_url.empty() ? task.reason : fmt::format("closed: {}", task.pr_url);
    case TaskState::kFailed:
      return "failed: " + InertLine(task.reason, 500);
    case TaskState::kCancelled:
      return "stopped: " + InertLine(task.reason, 300);
  }
  return "";
}

// Of a task that was given up after several attempts: what was tried last, and where its logs are.
std::string Attempts(const Task& task, const std::vector<Step>& steps) {
  if (task.state != TaskState::kFailed || task.attempt < 2) return {};
  std::vector<const Step*> last;
  for (const Step& step : steps) {
    if (step.run == task.run) last.push_back(&step);
  }
  std::string table = fmt::format("\n**What was tried in {} attempts**\n\n", task.attempt);
  if (last.empty()) return table + "No attempt came as far as its first step.\n";
  if (last.size() > kTriedSteps) last.erase(last.begin(), last.end() - kTriedSteps);
  table += "| When (UTC) | Step | Outcome | Log on the server |\n|---|---|---|---|\n";
  for (const Step* step : last) {
    table += fmt::format(
        "| {} | cycle {}, {} {} | {} | {} |\n", FormatUtc(step->started), step->cycle,
        Name(step->kind), CodeSpan(step->name, 60),
        InertLine(step->outcome + (step->summary.empty() ? "" : ": ") + step->summary, 150),
        step->log_path.empty() ? "" : CodeSpan(step->log_path, 150));
  }
  return table;
}

std::string NextStep(const Task& task, std::string_view prefix) {
  switch (task.state) {
    case TaskState::kQueued:
    case TaskState::kRunning:
      return fmt::format("`{0} stop` stops it; `{0} fix <text>` steers the next cycle.", prefix);
    case TaskState::kInReview:
      return fmt::format("Review the pull request; `{} fix <text>` under it asks for changes.",
                         prefix);
    case TaskState::kWaiting:
      return "It goes on by itself when the reason is gone.";
    case TaskState::kFailed:
    case TaskState::kCancelled:
      return fmt::format("`{} retry` starts again from the last checkpoint.", prefix);
    case TaskState::kMerged:
      return "";
    case TaskState::kClosed:
      return fmt::format("`{} run` on the issue asks {}.", prefix,
                         task.pr_url.empty() ? "again" : "for a new pull request");
  }
  return "";
}

// Names that strangers may have chosen; who shows the text makes it inert.
std::string FirstOf(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 3, kNameBytes = 40;
  return FirstFew(names, kNamed, [](const std::string& name) {
    return Truncate(ToValidUtf8(StripControl(name)), kNameBytes);
  });
}

}  // namespace

std::string Words(TaskState state) {
  return ReplaceAll(std::string(Name(state)), "_", " ");
}

std::string TaskUrl(TaskId id, std::string_view public_url) {
  if (public_url.empty()) return {};
  std::string_view base = public_url;
  while (base.ends_with('/')) base.remove_suffix(1);
  return fmt::format("{}/tasks/{}", base, id.value);
}

std::string StickyMarker(const Task& task) {
  return Marker("sticky", TaskMarkerKey(task));
}

std::string Sticky(const Task& task, const std::vector<Step>& steps,
                   const std::vector<LevelStep>& levels, std::string_view public_url,
                   std::string_view prefix) {
  std::string body = fmt::format("{}\n**Swage** · {}\n", StickyMarker(task), Headline(task));
  body += CycleTable(task, steps);
  body += Attempts(task, steps);
  body += IsolationLine(levels);
  const std::string url = TaskUrl(task.id, public_url);
  std::string foot = NextStep(task, prefix);
  if (!url.empty()) foot += fmt::format("{}[Live log]({})", foot.empty() ? "" : " ", url);
  if (!foot.empty()) body += "\n" + foot + "\n";
  return body;
}

std::string ReplyMarker(std::string_view comment_id) {
  return Marker("reply", comment_id);
}

std::string Help(std::string_view marker, std::string_view prefix) {
  std::string body =
      fmt::format("{}\nComment one of these as the first line of a new comment:\n\n", marker);
  body += "| Command | What it does |\n|---|---|\n";
  for (const VerbInfo& verb : Verbs()) {
    const std::string usage = verb.argument.empty()
                                  ? fmt::format("{} {}", prefix, verb.name)
                                  : fmt::format("{} {} {}", prefix, verb.name, verb.argument);
    body += fmt::format("| {} | {} |\n", CodeSpan(usage, 100), verb.help);
  }
  return body;
}

std::string Status(std::string_view marker, const Task& task,
                   const std::vector<Delegate>& delegates, std::string_view public_url) {
  std::string body = fmt::format("{}\n**Swage** · {}\n\n", marker, Headline(task));
  body += fmt::format("Branch {} · run {} · cycle {}", CodeSpan(task.branch, 200), task.run,
                      task.cycle);
  if (!task.checkpoint.value.empty()) {
    body += fmt::format(" · last checkpoint {}", Short(task.checkpoint));
  }
  const std::string url = TaskUrl(task.id, public_url);
  if (!url.empty()) body += fmt::format(" · [live log]({})", url);
  return body + "\n" + DelegatesLine(delegates);
}

std::string Answer(std::string_view marker, std::string_view login, std::string_view sentence) {
  // The name is shown as code: the author is notified as a participant anyway.
  return fmt::format("{}\n{}: {}\n", marker, CodeSpan(login, 60), sentence);
}

std::string UnknownCommand(const BadCommand& bad, std::string_view prefix) {
  const std::string hint = bad.suggestion.empty()
                               ? fmt::format("`{} help` lists the commands.", prefix)
                               : fmt::format("Did you mean `{} {}`?", prefix, bad.suggestion);
  return fmt::format("nothing was done: {}. {}", bad.what, hint);
}

std::string MayNot(Role has, Role needs) {
  return fmt::format(
      "nothing was done: this needs the role {} in this repository and you have {}. "
      "Ask somebody with that role to do it.",
      RoleName(needs), RoleName(has));
}

std::string NoTaskHere(std::string_view prefix) {
  return fmt::format("nothing was done: there is no task for this issue yet. `{} run` starts one.",
                     prefix);
}

std::string NotMyPullRequest(bool from_fork) {
  if (from_fork) {
    return "nothing was done: this pull request comes from a fork, and code of a fork is never run "
           "here.";
  }
  return "nothing was done: I only work on pull requests that I opened.";
}

std::string RunNeedsAnIssue(std::string_view prefix) {
  return fmt::format(
      "nothing was done: `run` belongs on an issue. On a pull request use `{} fix <text>` "
      "or `{} gates`.",
      prefix, prefix);
}

std::string ThreadClosed() {
  return "nothing was done: this thread is closed. Reopen it and ask again.";
}

std::string AlreadyWorking(const Task& task) {
  return fmt::format("nothing was done: this task is already {}.", Words(task.state));
}

std::string AlreadyInReview(const Task& task, std::string_view prefix) {
  return fmt::format(
      "nothing was done: {} is open for review. `{} fix <text>` under it asks for changes.",
      task.pr_url, prefix);
}

std::string NothingToStop(const Task& task) {
  return fmt::format("nothing was done: no work is running; the task is {}.", Words(task.state));
}

std::string NothingToRetry(const Task& task, std::string_view prefix) {
  return fmt::format(
      "nothing was done: only failed and stopped tasks can be retried; this one is {}. "
      "`{} status` says more.",
      Words(task.state), prefix);
}

std::string NoPullRequestYet(const Task& task) {
  return fmt::format("nothing was done: there is no pull request yet; the task is {}.",
                     Words(task.state));
}

std::string ClosedIsFinal(const Task& task, std::string_view prefix) {
  return fmt::format(
      "nothing was done: {} is {} and that is final. `{} run` on the issue asks for a new "
      "pull request.",
      task.pr_url, Words(task.state), prefix);
}

std::string PullRequestTitle(const Task& task) {
  return InertLine(task.text.title, kTitleBytes);
}

std::string PullRequestBody(const RunReport& r) {
  std::string body;
  if (!r.green) {
    body +=
        "> **Not ready:** required gates are red. This is a draft so that you can see how far it "
        "got.\n\n";
  }
  body += fmt::format("Closes #{}\n\n", r.task.issue_number);
  body += "### What\n\n" + What(r);
  body +=
      fmt::format("\n### Why\n\nIssue #{}: {}\n\nAsked for by {}.\n\n", r.task.issue_number,
                  InertLine(r.task.text.title, kTitleBytes), CodeSpan(r.task.requester.login, 60));
  body += WorkSections(r);
  body += Footer(r);
  return OwnBlock(TaskMarkerKey(r.task), body);
}

std::string RedReport(std::string_view marker, const RunReport& r) {
  return fmt::format("{}\nNo pull request was opened: required gates are red.\n\n{}{}{}", marker,
                     WorkSections(r), FailedLogs(r.verdicts), Footer(r));
}

std::string RunFailed(std::string_view marker, std::string_view reason, std::string_view prefix) {
  return fmt::format(
      "{}\n**Swage** · this pull request was not changed: {}\n\n`{} fix <text>` here asks "
      "again.\n",
      marker, InertLine(reason, 500), prefix);
}

std::string TookOver(std::string_view marker, std::string_view prefix) {
  return fmt::format(
      "{0}\n**Swage** · the branch is yours now: somebody else pushed to it, and nothing of that "
      "is ever overwritten.\n\n`{1} takeover` here runs the gates on what you pushed and goes "
      "on from it; `{1} fix <text>` changes it further.\n",
      marker, prefix);
}

std::string BaseRewritten(std::string_view marker, const Task& task, std::string_view prefix) {
  return fmt::format(
      "{0}\n**Swage** · do not merge this as it is: {1} was rewritten, and this branch still holds "
      "what {1} had at {2}. The gates above ran on top of that.\n\n`{3} fix <text>` here starts "
      "again on the new {1}.\n",
      marker, CodeSpan(task.base_branch, kTitleBytes), Short(task.base_sha), prefix);
}

std::string UnknownProfile(std::string_view marker, std::string_view label,
                           const std::vector<std::string>& known) {
  std::vector<std::string> names;
  for (const std::string& name : known) names.push_back(CodeSpan(name, 60));
  const std::string there_are = names.empty()
                                    ? "`.swage.yml` on the default branch names no profiles"
                                    : "the known ones are " + Join(names, ", ");
  return fmt::format(
      "{}\n**Swage** · the label {} picks a profile that is not there: {}. The work goes on "
      "without "
      "one.\n",
      marker, CodeSpan(label, 100), there_are);
}

std::string ReviewMarker(const Task& task, const CommitSha& head) {
  // One review per head and run: a person who asks for the gates again wants to see them again.
  return Marker("review", fmt::format("{}/{}/r{}", TaskMarkerKey(task), head.value, task.run));
}

std::string ReviewBody(const RunReport& r, const std::vector<Finding>& unplaced) {
  std::string body = fmt::format(
      "{}\n**Gate results for {}**: {}\n\n{}", ReviewMarker(r.task, r.head), Short(r.head),
      r.green ? "all required gates passed" : "required gates are red", GateTable(r.verdicts));
  if (!unplaced.empty()) {
    body += fmt::format("\n{} without a line in this diff:\n\n", Count(unplaced.size(), "finding"));
    for (std::size_t i = 0; i < std::min(unplaced.size(), kListedFindings); ++i) {
      body += FindingLine(unplaced[i]);
    }
    if (unplaced.size() > kListedFindings) {
      body += fmt::format("- and {} more; see the logs\n", unplaced.size() - kListedFindings);
    }
  }
  body += FailedLogs(r.verdicts);
  return body + Footer(r);
}

std::string LineCommentBody(const Finding& f) {
  const std::string rule = f.rule.empty() ? "" : " · " + CodeSpan(f.rule, 100);
  return fmt::format("**{}** from gate {}{}\n\n{}\n", Name(f.severity), CodeSpan(f.gate, 60), rule,
                     InertProse(f.message, kMessageBytes));
}

std::string ResolvedNote(const CommitSha& head) {
  return fmt::format("No longer reported at {}.", Short(head));
}

std::string StatusContext(std::string_view gate) {
  return fmt::format("swage/{}", gate);
}

std::string StatusDescription(const GateVerdict& v) {
  const std::string text = v.required ? v.summary : v.summary + " (advisory)";
  return Truncate(StripControl(ReplaceAll(text, "\n", " ")), kStatusBytes);
}

std::string CommitMessage(const Task& task, int cycle, std::string_view requester_email,
                          const CommitIdentity& bot) {
  constexpr std::size_t kSubjectBytes = 72;
  const std::string title = ReplaceAll(InertPlain(task.text.title, kTitleBytes), "\n", " ");
  std::string message = Truncate(title.empty() ? "Work on the issue" : title, kSubjectBytes);
  message += fmt::format("\n\nFor issue #{}, cycle {}.\n", task.issue_number, cycle);
  message += '\n';
  if (!requester_email.empty()) {
    message += fmt::format("Co-authored-by: {} <{}>\n", InertPlain(task.requester.login, 60),
                           requester_email);
  }
  message += fmt::format("Signed-off-by: {} <{}>\n{}\n", bot.name, bot.email, TaskTrailer(task));
  return message;
}

std::string TaskTrailer(const Task& task) {
  return "Swage-Task: " + TaskKey(task);
}

std::string StoppedBy(std::string_view login) {
  return fmt::format("{} asked to stop", InertPlain(login, 60));
}

std::string LabelRemovedBy(std::string_view login) {
  return fmt::format("the label was removed by {}", InertPlain(login, 60));
}

std::string IssueGoneReason(GoneReason reason, std::string_view login) {
  const std::string who = InertPlain(login, 60);
  switch (reason) {
    case GoneReason::kClosed:
      return fmt::format("{}{}", kClosedBy, who);
    case GoneReason::kDeleted:
      return fmt::format("the issue was deleted by {}", who);
    case GoneReason::kTransferred:
      return fmt::format("the issue was transferred by {}", who);
  }
  return {};
}

bool TellsOfClosing(std::string_view reason) {
  return reason.starts_with(kClosedBy);
}

std::string PullRequestClosedBy(std::string_view login, bool merged) {
  return fmt::format("the pull request was {} by {}", merged ? "merged" : "closed",
                     InertPlain(login, 60));
}

std::string NoChange(std::string_view agent) {
  return fmt::format(
      "the agent ({}) changed nothing, so there is nothing to review; say more in the issue, "
      "then retry",
      agent);
}

std::string AgentFailed(std::string_view agent, std::string_view how) {
  return fmt::format("the agent ({}) failed without changing anything: {}; see its log, then retry",
                     agent, how);
}

std::string NothingNewForRemark() {
  return "The agent changed nothing for this request; the gates ran again on the same commit.";
}

std::string SecretInChange(std::string_view path) {
  return fmt::format(
      "blocked before anything was pushed: {} holds a secret that this server knows, so the change "
      "was thrown away; rotate the secret if it was real, then retry",
      path);
}

std::string TakenBackBeforePullRequest() {
  return "the label or the assignment was taken away before the pull request was opened; set it "
         "again to start over";
}

std::string HumanTookOver() {
  return "a human took over the branch";
}

std::string BaseMovedOn(const Task& task, const CommitSha& tip) {
  return fmt::format(
      "The gates ran on top of {0} at {1}; {0} has moved on to {2} since, and nothing here was "
      "tested with that.",
      task.base_branch, Short(task.base_sha), Short(tip));
}

std::string BaseWasRewritten(const Task& task) {
  return fmt::format("{} was rewritten, and does not hold {} any more", task.base_branch,
                     Short(task.base_sha));
}

std::string BaseRewrittenAgain(const Task& task) {
  return fmt::format("{} was rewritten while the work was under way; retry when it stands still",
                     task.base_branch);
}

std::string BaseRewrittenUnderOthersWork(const Task& task) {
  return fmt::format(
      "{0} was rewritten, and {1} holds commits that are not the bot's; nothing was overwritten; "
      "rebase {1} onto the new {0}, then retry",
      task.base_branch, task.branch);
}

std::string RepoOutOfSight(std::string_view path) {
  return fmt::format(
      "{} cannot be seen any more: deleted, moved out of reach, or the token lost its right to it; "
      "restore that, then retry",
      InertPlain(path, 200));
}

std::string RepoArchived(std::string_view path) {
  return fmt::format("{} is archived and takes no changes; unarchive it, then retry",
                     InertPlain(path, 200));
}

std::string ClosedBeforePullRequest() {
  return "the issue was closed before its pull request was opened; reopen it, then retry";
}

std::string BranchIsForeign(std::string_view branch) {
  return fmt::format(
      "the branch {} holds commits that are not the bot's; nothing was overwritten; rename or "
      "delete it, then retry",
      branch);
}

std::string PaceFix(PauseCause cause) {
  switch (cause) {
    case PauseCause::kNone:
      return "Nothing to do";
    case PauseCause::kLimit:
    case PauseCause::kDown:
      return "Nothing to do unless it lasts: the work is kept and goes on by itself";
    case PauseCause::kRefused:
      return "Check the bot's credential: is it still valid, and may it write to the repository? "
             "`swage doctor forges` tells. Put a good one where the settings point and restart; "
             "the "
             "work is kept and goes on";
  }
  return "";
}

std::string WithLog(std::string_view failure, std::string_view log_path) {
  return fmt::format("{}; its log: {}", failure, log_path);
}

std::string AsSentence(std::string_view text) {
  std::string sentence(text);
  if (!sentence.empty() && sentence[0] >= 'a' && sentence[0] <= 'z') sentence[0] -= 'a' - 'A';
  if (!sentence.ends_with('.')) sentence += '.';
  return sentence;
}

std::string PolicyChanged() {
  return "This change edits .swage.yml. The gates above are those of the default branch; the edit "
         "counts after the merge.";
}

std::string HostsBeyondServer(const std::vector<std::string>& hosts) {
  return fmt::format(
      "`egress.allow` in .swage.yml names hosts that this server does not let policies add, so "
      "they "
      "were not reachable: {}. Ask the operator to put them into `egress.may_allow`.",
      CodeSpan(Join(hosts, ", "), 500));
}

std::string OldPolicyCounts(const CommitSha& commit, std::string_view faults) {
  return fmt::format(
      "The newest .swage.yml on the default branch cannot be used, so the one of {} counted: {}.",
      Short(commit), ReplaceAll(InertPlain(faults, 1'000), "\n", "; "));
}

std::string NoSuchBase(std::string_view branch) {
  return fmt::format(
      "there is no branch {} in the repository, on which the work should stand; make it, or change "
      "`base` in the issue's first lines, then retry",
      InertPlain(branch, kTitleBytes));
}

std::string BrokenPolicy(std::string_view faults) {
  return fmt::format(
      "the repository's .swage.yml cannot be used: {}; fix it on the default branch, then "
      "retry",
      faults);
}

std::string GateRunsAgain(std::string_view summary) {
  return fmt::format("\n--- swage: {}; the gate runs once more on the same commit ---\n", summary);
}

std::string SameTreeTwice() {
  return "Stopped early: the agent left the files as they were although gates failed.";
}

std::string SameFailureTwice() {
  return "Stopped early: the same gates failed in the same way twice.";
}

std::string CyclesUsedUp(int cycles) {
  return fmt::format("Stopped: gates are still red after {}.",
                     Count(static_cast<std::size_t>(cycles), "cycle"));
}

std::string WebhooksAreSilent(std::string_view forge, WallTime since) {
  return fmt::format(
      "no webhooks from {0} since {1}, though there was news: only polling finds it. Look at the "
      "webhook's settings there: is it enabled, does it point at /hooks/{0} of this server, is the "
      "secret right?",
      forge, FormatUtc(since));
}

std::string Interrupted() {
  return "interrupted; the work goes on from its last checkpoint";
}

std::string ClaimWasNotHeard() {
  return "claimed, and the answer was lost on its way to the node; nothing was done yet";
}

std::string WaitsForTheForge(std::string_view why) {
  return fmt::format("waiting for the forge: {}", why);
}

std::string GivenUp(int attempts, std::string_view last) {
  return fmt::format("given up after {} attempts; the last one: {}", attempts, last);
}

std::string AttemptFailed(int attempt, std::string_view why, std::chrono::milliseconds rest) {
  return fmt::format("attempt {} failed ({}); the next one begins in {}", attempt, why,
                     FormatDuration(rest));
}

std::string ForgeNotConfigured(std::string_view forge) {
  return fmt::format("the forge {} is not configured any more; add it and retry", forge);
}

std::vector<std::string> NotFetched(const std::vector<std::string>& lfs_patterns,
                                    const std::vector<std::string>& submodules) {
  std::vector<std::string> words;
  if (!lfs_patterns.empty()) {
    words.push_back(
        fmt::format("Git LFS files ({}) are pointers in the workspace: their contents were not "
                    "fetched.",
                    FirstOf(lfs_patterns)));
  }
  if (!submodules.empty()) {
    words.push_back(
        fmt::format("Submodules ({}) are empty directories in the workspace: they were not "
                    "fetched, and what is written there gets into no commit.",
                    FirstOf(submodules)));
  }
  return words;
}

std::string LfsFilesTouched(const std::vector<std::string>& paths) {
  return fmt::format(
      "Git LFS files were changed without LFS ({}): the commit holds their bytes as they are, and "
      "nothing was uploaded.",
      FirstOf(paths));
}

std::string CheckpointStays(std::string_view node, std::string_view why) {
  return fmt::format("the checkpoint stays on node {}, and only it can go on from there: {}", node,
                     why);
}

std::string GoesOnFromBranch(const CommitSha& head) {
  return fmt::format(
      "the branch holds newer work of the bot's than the database knew of; going on from {}",
      Short(head));
}

std::string StartsAgain(bool pushed, std::string_view why) {
  return fmt::format("starting again from {}: {}", pushed ? "what was pushed" : "the base", why);
}

std::string PushedWorkIsLost(const Task& task) {
  return fmt::format(
      "{} was pushed to {}, and this node's copy of it is damaged; nothing was done, so that "
      "nothing of it is lost. Remove the repository's folder below mirrors in data_dir (it is "
      "fetched anew) and ask again",
      Short(task.pushed), task.branch);
}

}  // namespace swage::messages
