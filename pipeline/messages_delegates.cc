// What people read about delegates: those who may command one task without the role (G3).
#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/markdown.h"
#include "pipeline/messages.h"

namespace swage::messages {
namespace {

constexpr std::size_t kNameBytes = 60;

// Names stand in code spans, so that none of them is a mention.
std::string Names(const std::vector<Delegate>& delegates) {
  std::vector<std::string> names;
  for (const Delegate& delegate : delegates) names.push_back(CodeSpan(delegate.login, kNameBytes));
  return Join(names, ", ");
}

}  // namespace

std::string DelegatesLine(const std::vector<Delegate>& delegates) {
  if (delegates.empty()) return {};
  return fmt::format("\nMay command it without the role: {}.\n", Names(delegates));
}

std::string Delegated(std::string_view marker, std::string_view login, std::string_view delegate,
                      std::string_view prefix) {
  return Answer(marker, login,
                fmt::format("{} may use the commands on this task now, all but `delegate` and "
                            "`undelegate`. {} takes that back.",
                            CodeSpan(delegate, kNameBytes),
                            CodeSpan(fmt::format("{} undelegate @{}", prefix, delegate), 100)));
}

std::string Undelegated(std::string_view marker, std::string_view login,
                        const std::vector<Delegate>& gone) {
  return Answer(marker, login,
                fmt::format("{} may not use the commands on this task any more.", Names(gone)));
}

std::string OrBeDelegated(std::string_view login, std::string_view prefix) {
  return fmt::format(" Or to let you: {}.",
                     CodeSpan(fmt::format("{} delegate @{}", prefix, login), 100));
}

std::string NoSuchAccount(std::string_view login) {
  return fmt::format("nothing was done: nobody here has the name {}.", CodeSpan(login, kNameBytes));
}

std::string BotIsNotListed(std::string_view login) {
  return fmt::format(
      "nothing was done: {} is a bot, and only bots that the server's settings list may command.",
      CodeSpan(login, kNameBytes));
}

std::string TooManyDelegates(std::size_t most) {
  return fmt::format("nothing was done: a task has at most {} delegates.", most);
}

std::string NoSuchDelegate(std::string_view login, const std::vector<Delegate>& delegates) {
  if (delegates.empty()) return "nothing was done: this task has no delegates.";
  return fmt::format("nothing was done: {} is no delegate of this task; there are {}.",
                     CodeSpan(login, kNameBytes), Names(delegates));
}

}  // namespace swage::messages
