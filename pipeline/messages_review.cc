// What people read in the threads of a review, and when a review changes nothing.
#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"
#include "forge/markdown.h"
#include "pipeline/messages.h"
#include "pipeline/messages_parts.h"

namespace swage::messages {
namespace {

constexpr std::size_t kPathBytes = 300;
constexpr std::size_t kGateBytes = 60;
constexpr std::size_t kWordsBytes = 1'000;
constexpr std::size_t kMaxShown = 5;  // files or gates

std::string Listed(const std::vector<std::string>& names, std::size_t bytes) {
  return FirstFew(names, kMaxShown, [&](const std::string& name) { return CodeSpan(name, bytes); });
}

std::string GatesSentence(const RunReport& report) {
  if (report.verdicts.empty()) return {};
  std::vector<std::string> failed;
  for (const GateVerdict& verdict : report.verdicts) {
    if (verdict.Failed()) failed.push_back(verdict.gate);
  }
  if (failed.empty()) return " The gates pass on it.";
  return fmt::format(" Not all gates pass on it: {}.", Listed(failed, kGateBytes));
}

}  // namespace

std::string ThreadAnswer(const ThreadOutcome& outcome, const RunReport& report,
                         std::string_view prefix) {
  const std::string head = Short(report.head);
  const std::string path = CodeSpan(outcome.path, kPathBytes);
  const auto& changed = outcome.changed;
  const bool here = std::find(changed.begin(), changed.end(), outcome.path) != changed.end();
  std::string body;
  if (here) {
    body = fmt::format("{} was changed, up to {}.", path, head);
  } else if (changed.empty()) {
    body = fmt::format("No change was made for this; the head is still {}.", head);
  } else if (outcome.path.empty()) {
    body = fmt::format("Changed up to {}: {}.", head, Listed(changed, kPathBytes));
  } else {
    body = fmt::format("No change was made to {}. Changed up to {}: {}.", path, head,
                       Listed(changed, kPathBytes));
  }
  body += GatesSentence(report);
  if (!outcome.words.empty()) {
    body += fmt::format("\n\nThe agent's words: {}", InertLine(outcome.words, kWordsBytes));
  }
  return body + fmt::format("\n\n`{} fix ...` in this thread goes on with it.\n", prefix);
}

std::string ReviewNotTakenUp(const Task& task, std::string_view prefix) {
  return fmt::format(
      "nothing was done about the review: {}. `{} fix ...` takes the work up again; say there what "
      "to change.",
      task.state == TaskState::kInReview || task.state == TaskState::kFailed
          ? "somebody else pushed to the branch"
          : fmt::format("the task is {}", Words(task.state)),
      prefix);
}

}  // namespace swage::messages
