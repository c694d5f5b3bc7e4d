// What people read after commands that put work aside, take it up, or ask how it went.
#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/markdown.h"
#include "pipeline/messages.h"
#include "pipeline/messages_parts.h"

namespace swage::messages {
namespace {

constexpr std::size_t kMaxSteps = 60;  // the newest; a run of many cycles has more
constexpr std::size_t kNameBytes = 60;
constexpr std::size_t kSummaryBytes = 160;
constexpr std::size_t kMaxPaths = 50;
constexpr std::size_t kPathBytes = 200;

std::string PathList(const std::vector<std::string>& paths) {
  return FirstFew(paths, kMaxPaths,
                  [](const std::string& path) { return CodeSpan(path, kPathBytes); });
}

std::string StepRow(const Step& step, std::string_view public_url) {
  const std::string name = step.name.empty() ? std::string(Name(step.kind)) : step.name;
  std::string row =
      fmt::format("| {} | {} | {} | {} |", step.cycle, CodeSpan(name, kNameBytes),
                  InertLine(step.outcome, kNameBytes), InertLine(step.summary, kSummaryBytes));
  const std::string url = TaskUrl(step.task, public_url);
  if (!url.empty()) {
    row += step.log_path.empty() ? " |" : fmt::format(" [log]({}/logs/{}) |", url, step.id);
  }
  return row + "\n";
}

}  // namespace

std::string StandsOnNewestBase(const Task& task) {
  return fmt::format("The work stands on the newest commit of {} already; the gates ran again.",
                     CodeSpan(task.base_branch, kNameBytes));
}

std::string CannotRebaseOthersWork() {
  return "nothing was put onto the new base: the branch holds commits of other people, which are "
         "never written anew. Rebase it by hand, and push.";
}

std::string PutOnto(const Task& task, const CommitSha& onto,
                    const std::vector<std::string>& left_out) {
  std::string text = fmt::format("The work was put onto {}, the newest commit of {}.", Short(onto),
                                 CodeSpan(task.base_branch, kNameBytes));
  if (left_out.empty()) return text;
  return text +
         fmt::format(
             " What it changed in {} did not fit there and was left to the agent to make anew.",
             PathList(left_out));
}

std::string NothingLeftToRebase(const Task& task) {
  return fmt::format("everything that it changes is in {} already; the pull request can be closed",
                     CodeSpan(task.base_branch, kNameBytes));
}

std::string MakeAnew(const Task& task, const CommitSha& onto,
                     const std::vector<std::string>& left_out) {
  return fmt::format(
      "The branch was put onto the newest commit of its base ({}). Your changes to these files did "
      "not fit there and were left out, the files are as the base has them: {}. Make them again, "
      "on "
      "the files as they are now. `git diff {} {} -- FILE` shows what they were.",
      onto.value, PathList(left_out), task.base_sha.value, task.pushed.value);
}

std::string HeldBy(std::string_view login, std::string_view prefix) {
  return fmt::format("{} put it aside; `{} unhold` goes on", InertPlain(login, kNameBytes), prefix);
}

std::string GivenUpBy(std::string_view login) {
  return fmt::format("{} closed it", InertPlain(login, kNameBytes));
}

std::string ClosesPullRequest(std::string_view marker, std::string_view login,
                              std::string_view prefix) {
  return fmt::format(
      "{}\n**Swage** · closed without merging, as {} asked. The branch stays; `{} run` on the "
      "issue "
      "asks for another pull request.\n",
      marker, CodeSpan(login, kNameBytes), prefix);
}

std::string NothingToHold(const Task& task) {
  return fmt::format(
      "nothing was done: only queued and running work can be put aside; the task is "
      "{}.",
      Words(task.state));
}

std::string NothingToUnhold(const Task& task) {
  return fmt::format("nothing was done: the task was not put aside; it is {}.", Words(task.state));
}

std::string NothingToTakeOver(const Task& task) {
  return fmt::format("nothing was done: nobody else has pushed to the branch; the task is {}.",
                     Words(task.state));
}

std::string Logs(std::string_view marker, const Task& task, const std::vector<Step>& steps,
                 std::string_view public_url) {
  std::string body = fmt::format("{}\n**Swage** · run {}\n\n", marker, task.run);
  std::string rows;
  std::size_t shown = 0;
  for (const Step& step : steps) {
    if (step.run != task.run || shown == kMaxSteps) continue;
    rows += StepRow(step, public_url);
    ++shown;
  }
  if (rows.empty()) return body + "It has no steps yet.\n";
  const bool linked = !public_url.empty();
  body += fmt::format("| Cycle | Step | Outcome | In short |{}\n|--:|---|---|---|{}\n{}",
                      linked ? " |" : "", linked ? "---|" : "", rows);
  if (!linked) {
    body += fmt::format("\nThe logs are on the server: `swage show {}` names their files.\n",
                        task.id.value);
  }
  return body;
}

}  // namespace swage::messages
