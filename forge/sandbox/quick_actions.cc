#include "forge/sandbox/quick_actions.h"

#include <algorithm>
#include <array>

#include "config/base/text.h"

namespace swage::sandbox {
namespace {

constexpr std::array<std::string_view, 8> kKnown = {"close",   "reopen", "merge", "label",
                                                    "unlabel", "draft",  "ready", "title"};

bool IsFence(std::string_view line) {
  return line.starts_with("```") || line.starts_with("~~~");
}

/// The command of a line, when it is a known one.
bool ReadAction(std::string_view line, QuickAction* action) {
  if (!line.starts_with('/')) return false;
  const std::size_t space = line.find(' ');
  action->name = ToLower(Trim(line.substr(1, space == std::string_view::npos ? space : space - 1)));
  action->argument =
      space == std::string_view::npos ? "" : std::string(Trim(line.substr(space + 1)));
  return std::find(kKnown.begin(), kKnown.end(), action->name) != kKnown.end();
}

/// ~bug ~"two words" -> the names.
std::vector<std::string> LabelNames(std::string_view argument) {
  std::vector<std::string> names;
  while (!(argument = Trim(argument)).empty()) {
    if (argument.front() == '~') argument.remove_prefix(1);
    const bool quoted = argument.starts_with('"');
    if (quoted) argument.remove_prefix(1);
    const std::size_t end = std::min(argument.find(quoted ? '"' : ' '), argument.size());
    if (end > 0) names.emplace_back(argument.substr(0, end));
    argument.remove_prefix(std::min(end + 1, argument.size()));
  }
  return names;
}

std::string RunLabel(World& world, Repo& repo, const User& actor, Issue& thread,
                     const QuickAction& action) {
  std::vector<std::string> labels = thread.labels;
  for (const std::string& name : LabelNames(action.argument)) {
    std::erase(labels, name);
    if (action.name == "label") labels.push_back(name);
  }
  world.SetLabels(repo, actor, thread, labels);
  return action.name == "label" ? "Added labels." : "Removed labels.";
}

std::string RunMerge(World& world, Repo& repo, const User& actor, Pull* pull) {
  if (pull == nullptr || world.RoleOf(repo, &actor) < Role::kWrite) return "";
  const std::string message = "Merge branch '" + pull->head_ref + "' into '" + pull->base_ref + "'";
  const auto merged = world.MergePull(repo, actor, *pull, pull->head_sha, message);
  return merged.ok() ? "Merged this merge request." : "";
}

std::string RunOne(World& world, Repo& repo, const User& actor, Issue& thread, Pull* pull,
                   const QuickAction& action) {
  if (action.name == "merge") return RunMerge(world, repo, actor, pull);
  if (action.name == "label" || action.name == "unlabel") {
    return RunLabel(world, repo, actor, thread, action);
  }
  IssueChange change;
  if (action.name == "close") change.open = false;
  if (action.name == "reopen") change.open = true;
  if (action.name == "title" && !action.argument.empty()) change.title = action.argument;
  if (pull && action.name == "draft") change.draft = true;
  if (pull && action.name == "ready") change.draft = false;
  world.Update(repo, actor, thread, change);
  return "Ran /" + action.name + ".";
}

}  // namespace

ActionText TakeQuickActions(std::string_view text) {
  ActionText result;
  std::vector<std::string> kept;
  bool in_fence = false;
  for (const std::string_view line : SplitLines(text)) {
    if (IsFence(line)) in_fence = !in_fence;
    QuickAction action;
    if (!in_fence && ReadAction(line, &action)) {
      result.actions.push_back(std::move(action));
    } else {
      kept.emplace_back(line);
    }
  }
  // Text without a command is kept to the byte.
  result.text = result.actions.empty() ? std::string(text) : std::string(Trim(Join(kept, "\n")));
  return result;
}

std::vector<std::string> RunQuickActions(World& world, Repo& repo, const User& actor, Issue& thread,
                                         Pull* pull, const std::vector<QuickAction>& actions) {
  std::vector<std::string> summary;
  const bool allowed = world.RoleOf(repo, &actor) >= Role::kTriage || actor.id == thread.author;
  if (!allowed) return summary;
  for (const QuickAction& action : actions) {
    std::string done = RunOne(world, repo, actor, thread, pull, action);
    if (!done.empty()) summary.push_back(std::move(done));
  }
  return summary;
}

}  // namespace swage::sandbox
