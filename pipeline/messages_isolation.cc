// What people read about levels of isolation: reasons, what was done, and what a task waits for.
#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/markdown.h"
#include "pipeline/findings/text_rules.h"
#include "pipeline/messages.h"
#include "pipeline/messages_parts.h"

namespace swage::messages {
namespace {

constexpr std::size_t kReasonBytes = 300;
constexpr std::size_t kHostBytes = 120;
constexpr std::size_t kListedHosts = 20;
constexpr std::size_t kLacksBytes = 600;

std::string Level(IsolationLevel level) {
  return CodeSpan(Name(level), 20);
}

std::string Reasons(const LevelStep& step) {
  std::vector<std::string> reasons;
  for (const std::string& reason : step.reasons) {
    reasons.push_back(InertLine(reason, kReasonBytes));
  }
  return Join(reasons, "; ");
}

std::string When(const LevelStep& step, bool first) {
  if (first) return "from the start";
  return step.cycle == 0 ? fmt::format("from run {}", step.run)
                         : fmt::format("after cycle {}", step.cycle);
}

std::string BlockedLine(const std::vector<BlockedHost>& blocked) {
  const auto show = [](const BlockedHost& host) {
    return CodeSpan(host.host, kHostBytes) +
           (host.times > 1 ? fmt::format(" ({} times)", host.times) : "");
  };
  return fmt::format("- Kept from {}: {}\n", Count(blocked.size(), "host"),
                     FirstFew(blocked, kListedHosts, show));
}

}  // namespace

std::string LevelAskedFor(IsolationLevel level) {
  return fmt::format("the issue asks for level {}", Name(level));
}

std::string LevelOfPolicy() {
  return "the repository's policy allows nothing below";
}

std::string LevelOfServer() {
  return "the server allows nothing below";
}

std::string LeastLevel(IsolationLevel level) {
  return level == IsolationLevel::kShared ? "the profile only reads" : "nothing asks for more";
}

std::string LevelAboveCeiling(IsolationLevel level, std::string_view because,
                              IsolationLevel ceiling, bool servers) {
  return fmt::format(
      "it has to run at level {} ({}), and {} allows nothing above {}; raise `isolation.ceiling` "
      "{} and ask again",
      Name(level), InertLine(because, kReasonBytes),
      servers ? "the server" : "the repository's policy", Name(ceiling),
      servers ? "in the server's settings" : "in `.swage.yml`");
}

std::string NoNodeGives(IsolationLevel level, std::string_view lacks) {
  const std::string why = lacks.empty()
                              ? "no node that runs tasks is there"
                              : CleanText(ReplaceAll(std::string(lacks), "\n", "; "), kLacksBytes);
  return fmt::format("no node can give level {}: {}", Name(level), why);
}

std::string AnotherNodeGives(IsolationLevel level, std::string_view node) {
  return fmt::format("{} cannot give level {}; another node goes on", node, Name(level));
}

std::string HeldAtCeiling(IsolationLevel wanted, IsolationLevel ceiling) {
  return fmt::format("Level {} was asked for; the ceiling is {}, and it ran there.", Name(wanted),
                     Name(ceiling));
}

std::string IsolationDetails(const std::vector<LevelStep>& levels,
                             const std::vector<BlockedHost>& blocked) {
  if (levels.empty()) return {};
  const LevelStep& last = levels.back();
  std::string summary = fmt::format("Isolation: level <code>{}</code>", Name(last.level));
  if (levels.size() > 1) {
    summary += fmt::format(", up from <code>{}</code>", Name(levels.front().level));
  }
  if (!blocked.empty()) {
    summary += ", kept from " + Count(blocked.size(), "host");
  }
  std::string lines;
  for (const LevelStep& step : levels) {
    lines += fmt::format("- {} {}: {}\n", Level(step.level), When(step, &step == &levels.front()),
                         Reasons(step));
  }
  if (!blocked.empty()) lines += BlockedLine(blocked);
  return fmt::format("\n<details><summary>{}</summary>\n\n{}\n</details>\n", summary, lines);
}

std::string IsolationLine(const std::vector<LevelStep>& levels) {
  if (levels.empty()) return {};
  return fmt::format("\nKept apart at level {}: {}.\n", Level(levels.back().level),
                     Reasons(levels.back()));
}

std::string ReaderAnswer(std::string_view marker, const Task& task, std::string_view answer,
                         std::string_view public_url) {
  std::string body =
      fmt::format("{}\n**Swage** · answer to {}, asked for by {}\n\n{}\n", marker,
                  InertLine(task.text.title, kReasonBytes), CodeSpan(task.requester.login, 60),
                  InertProse(answer, kMaxAnswerBytes));
  body +=
      fmt::format("\n---\nProfile {} only reads: nothing was changed", CodeSpan(task.profile, 60));
  if (!task.base_sha.value.empty()) {
    body += fmt::format(" · looked at {}", CodeSpan(task.base_sha.value.substr(0, 10), 20));
  }
  const std::string url = TaskUrl(task.id, public_url);
  if (!url.empty()) body += fmt::format(" · [log]({})", url);
  return body + "\n";
}

std::string Answered() {
  return "answered in a comment on the issue";
}

std::string NoAnswer(std::string_view agent) {
  return fmt::format("{} ended without an answer", agent);
}

std::string WordsWithheld() {
  return "(what the agent said holds a secret, and is not shown)";
}

std::string SecretInAnswer() {
  return "the agent's answer holds a secret and was not posted";
}

}  // namespace swage::messages
