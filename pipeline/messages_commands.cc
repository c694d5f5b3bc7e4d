// What people read after commands that put work aside, take it up, or ask how it went.
#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/markdown.h"
#include "pipeline/messages.h"

namespace swage::messages {
namespace {

constexpr std::size_t kMaxSteps = 60;  // the newest; a run of many cycles has more
constexpr std::size_t kNameBytes = 60;
constexpr std::size_t kSummaryBytes = 160;

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

std::string HeldBy(std::string_view login, std::string_view prefix) {
  return fmt::format("{} put it aside; `{} unhold` goes on", InertPlain(login, kNameBytes), prefix);
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
