// What people read about the bot's standing at a forge that grants it repository by repository, and
// in a commit's checks.
#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/markdown.h"
#include "pipeline/messages.h"

namespace swage::messages {
namespace {

constexpr std::size_t kNameBytes = 60;
constexpr std::size_t kTailBytes = 8'000;
constexpr std::size_t kPathBytes = 200;
constexpr std::size_t kSaidBytes = 300;
constexpr std::string_view kLostAccess = "the bot may not work there: ";

// Outcome and cause; the cause's own words come last, and so do not get between it and the cure.
std::string_view WhatToDo(PushRefusal why) {
  switch (why) {
    case PushRefusal::kProtectedBranch:
      return "branches of this name are protected there. Let the bot's account push to them, then "
             "retry; later tasks may have branches of another name (`publish.branch_prefix`)";
    case PushRefusal::kUnsigned:
      return "only signed commits are taken there. For later tasks, give the bot a key "
             "(`publish.signing_key`) and its account the public half; for this one, take the rule "
             "off the bot's branches, then retry";
    case PushRefusal::kRule:
      return "a rule or hook of the repository's own declined it. Change what it asks for, or let "
             "the bot's branches pass, then retry";
  }
  return "";
}

}  // namespace

std::string NoCommitYet(std::string_view path, std::string_view branch) {
  return fmt::format(
      "{} has no branch {} yet, and so nothing on which work could stand; push a first commit, "
      "then retry",
      InertPlain(path, kPathBytes), InertPlain(branch, kPathBytes));
}

std::string PushRefused(PushRefusal why, std::string_view path, std::string_view branch,
                        std::string_view said) {
  return fmt::format("{} did not take the branch {}: {}. It said: {}", InertPlain(path, kPathBytes),
                     InertPlain(branch, kPathBytes), WhatToDo(why), InertPlain(said, kSaidBytes));
}

std::string AccessLost(AccessChanged::Kind kind, std::string_view owner) {
  const std::string who = InertPlain(owner, kNameBytes);
  const bool suspended = kind == AccessChanged::Kind::kSuspended;
  return fmt::format("{}{}; it goes on by itself when {}", kLostAccess,
                     suspended ? fmt::format("its installation for {} is suspended", who)
                               : fmt::format("{} took the repository away from it", who),
                     suspended ? "an owner lifts that in the account's settings"
                               : "an owner installs the App for this repository again");
}

bool TellsOfLostAccess(std::string_view reason) {
  return reason.starts_with(kLostAccess);
}

std::string AccessOutcome(AccessChanged::Kind kind, std::string_view owner, std::size_t tasks) {
  std::string_view what;
  switch (kind) {
    case AccessChanged::Kind::kGranted:
      what = "gave access";
      break;
    case AccessChanged::Kind::kSuspended:
      what = "suspended access";
      break;
    case AccessChanged::Kind::kRemoved:
      what = "took access away";
      break;
  }
  return fmt::format("{} {}; tasks that {}: {}", owner, what,
                     kind == AccessChanged::Kind::kGranted ? "go on" : "wait now", tasks);
}

std::string ChecksOfOldHead(std::string_view prefix) {
  return fmt::format(
      "the pull request has other commits by now, so the checks of that one were not run again. "
      "Comment `{} gates` to run them on the newest.",
      prefix);
}

std::string CheckSummary(const GateVerdict& verdict, std::size_t annotated) {
  std::string text = fmt::format("{}\n", InertProse(verdict.summary, kTailBytes));
  if (!verdict.required) text += "\nThis gate is advisory: it blocks nothing.\n";
  text += fmt::format("\nTested commit: {}. Findings: {}.\n", CodeSpan(verdict.commit.value, 64),
                      verdict.findings.size());
  if (annotated < verdict.findings.size()) {
    text += fmt::format("Shown as annotations: {}.\n", annotated);
  }
  if (verdict.Failed() && !verdict.log_tail.empty()) {
    text += "\nThe end of its output:\n\n" + Fence(verdict.log_tail, "", kTailBytes) + "\n";
  }
  return text;
}

}  // namespace swage::messages
