// What people read about asking for work: labels, assignments, first lines of issues, quotas.
#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/markdown.h"
#include "pipeline/messages.h"

namespace swage::messages {

std::string EditedSinceLabelled(std::string_view label, std::string_view prefix) {
  return fmt::format(
      "nothing was started: the issue was edited after the label `{0}` was set, and nobody "
      "approved what it says now. Read it, then take the label away and set it again, or write "
      "`{1} run`.",
      label, prefix);
}

std::string EditedSinceAssigned(std::string_view prefix) {
  return fmt::format(
      "nothing was started: the issue was edited after it was assigned to me, and nobody approved "
      "what it says now. Read it, then assign it anew, or write `{} run`.",
      prefix);
}

std::string UnassignedBy(std::string_view login) {
  return fmt::format("the assignment was taken back by {}", InertPlain(login, 60));
}

std::string IssueIsNotOpen(std::string_view repo, std::int64_t issue) {
  return fmt::format(
      "{}#{} is closed, or not to be seen with the bot's token; open it, then ask again",
      InertPlain(repo, 200), issue);
}

std::string OverQuota(const Starts& starts, int of_repo, int of_account) {
  const bool repo = of_repo > 0 && starts.in_repo >= of_repo;
  return fmt::format(
      "nothing was started: {} in the last hour, and this server begins no more than {} {}. Ask "
      "again later: set the label or the assignment anew, or write the command again",
      repo ? Count(static_cast<std::size_t>(starts.in_repo), "task") + " began here"
           : "you began " + Count(static_cast<std::size_t>(starts.of_account), "task"),
      repo ? of_repo : of_account, repo ? "in a repository" : "for one account");
}

std::string WaitsForIssues(const std::vector<std::int64_t>& issues) {
  std::vector<std::string> names;
  for (const std::int64_t issue : issues) names.push_back(fmt::format("#{}", issue));
  return fmt::format("it waits for {} to be closed", Join(names, ", "));
}

std::string NoSuchAgent(std::string_view wanted, std::string_view there_is) {
  return fmt::format("agent: this server has no {}, only {}", CodeSpan(wanted, 60),
                     CodeSpan(there_is, 60));
}

std::string FrontMatterFaults(const std::vector<std::string>& faults) {
  std::string list;
  for (const std::string& fault : faults) {
    list += fmt::format("- {}\n", InertPlain(fault, 300));
  }
  return fmt::format(
      "some of the lines at the top of this issue could not be followed; the work goes on without "
      "them:\n\n{}\nMend them and ask anew if they matter.",
      list);
}

}  // namespace swage::messages
