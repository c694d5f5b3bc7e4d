#include "pipeline/task.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "config/base/result.h"

namespace swage {
namespace {

template <class E, std::size_t N>
using NameTable = std::array<std::pair<E, std::string_view>, N>;

constexpr NameTable<TaskState, 8> kStates = {{
    {TaskState::kQueued, "queued"},
    {TaskState::kRunning, "running"},
    {TaskState::kInReview, "in_review"},
    {TaskState::kWaiting, "waiting"},
    {TaskState::kMerged, "merged"},
    {TaskState::kClosed, "closed"},
    {TaskState::kFailed, "failed"},
    {TaskState::kCancelled, "cancelled"},
}};

constexpr NameTable<Stage, 5> kStages = {{
    {Stage::kNone, "none"},
    {Stage::kProvision, "provision"},
    {Stage::kAgent, "agent"},
    {Stage::kGates, "gates"},
    {Stage::kPublish, "publish"},
}};

constexpr NameTable<RunKind, 4> kRunKinds = {{
    {RunKind::kImplement, "implement"},
    {RunKind::kFix, "fix"},
    {RunKind::kGates, "gates"},
    {RunKind::kRebase, "rebase"},
}};

template <class E, std::size_t N>
std::string_view NameOf(const NameTable<E, N>& table, E value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return name;
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

template <class E, std::size_t N>
std::optional<E> ParseName(const NameTable<E, N>& table, std::string_view s) {
  for (const auto& [entry, name] : table) {
    if (name == s) return entry;
  }
  return std::nullopt;
}

constexpr std::size_t kMaxSlug = 40;
constexpr std::size_t kMaxPrefix = 40;

bool IsSlugChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Lower-case ASCII words joined by single dashes; every other byte separates. Cut at a word's end
// where there is one in the second half.
std::string Slug(std::string_view text, std::size_t max_length) {
  std::string slug;
  bool cut = false;
  for (const char raw : text) {
    const char c = raw >= 'A' && raw <= 'Z' ? static_cast<char>(raw - 'A' + 'a') : raw;
    if (IsSlugChar(c)) {
      if (slug.size() == max_length) {
        cut = true;
        break;
      }
      slug.push_back(c);
    } else if (!slug.empty() && slug.back() != '-' && slug.size() < max_length) {
      slug.push_back('-');
    }
  }
  if (cut && slug.back() != '-') {
    const std::size_t dash = slug.rfind('-');
    if (dash != std::string::npos && dash >= max_length / 2) slug.resize(dash);
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug;
}

// The prefix comes from the settings; each of its '/'-separated parts is held to the slug's
// alphabet too.
std::string SafePrefix(std::string_view prefix) {
  std::string safe;
  while (!prefix.empty()) {
    const std::size_t slash = prefix.find('/');
    const std::string part = Slug(prefix.substr(0, slash), kMaxPrefix);
    if (!part.empty() && safe.size() + part.size() + 1 <= kMaxPrefix) safe += part + "/";
    if (slash == std::string_view::npos) break;
    prefix.remove_prefix(slash + 1);
  }
  return safe.empty() ? "swage/" : safe;
}

}  // namespace

std::string_view Name(TaskState s) {
  return NameOf(kStates, s);
}
std::string_view Name(Stage s) {
  return NameOf(kStages, s);
}
std::string_view Name(RunKind k) {
  return NameOf(kRunKinds, k);
}
std::optional<TaskState> ParseTaskState(std::string_view s) {
  return ParseName(kStates, s);
}
std::optional<Stage> ParseStage(std::string_view s) {
  return ParseName(kStages, s);
}
std::optional<RunKind> ParseRunKind(std::string_view s) {
  return ParseName(kRunKinds, s);
}

bool CanMove(TaskState from, TaskState to) {
  using enum TaskState;
  switch (from) {
    case kQueued:
      return to == kRunning || to == kWaiting || to == kFailed || to == kCancelled ||
             to == kMerged || to == kClosed;
    case kRunning:
      return to == kQueued || to == kInReview || to == kWaiting || to == kFailed ||
             to == kCancelled || to == kMerged || to == kClosed;
    case kWaiting:
      return to == kQueued || to == kFailed || to == kCancelled || to == kMerged || to == kClosed;
    case kInReview:
      return to == kQueued || to == kWaiting || to == kCancelled || to == kMerged || to == kClosed;
    case kFailed:
    case kCancelled:
      // A pull request may outlive the work on it: people merge and close what they like.
      return to == kQueued || to == kMerged || to == kClosed;
    case kMerged:
    case kClosed:
      return false;
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

bool IsTerminal(TaskState s) {
  using enum TaskState;
  switch (s) {
    case kMerged:
    case kClosed:
    case kFailed:
    case kCancelled:
      return true;
    case kQueued:
    case kRunning:
    case kInReview:
    case kWaiting:
      return false;
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

bool IsActive(TaskState s) {
  return s == TaskState::kQueued || s == TaskState::kRunning || s == TaskState::kWaiting;
}

std::string TaskKey(const Task& task) {
  std::string key = fmt::format("{}/{}#{}", task.repo.forge, task.repo.path, task.issue_number);
  if (task.generation > 1) key += fmt::format("/g{}", task.generation);
  return key;
}

std::string BranchName(std::string_view prefix, std::int64_t issue_number, int generation,
                       std::string_view title) {
  std::string branch = SafePrefix(prefix) + std::to_string(issue_number);
  if (generation > 1) branch += fmt::format("-g{}", generation);
  const std::string slug = Slug(title, kMaxSlug);
  return slug.empty() ? branch : branch + "-" + slug;
}

}  // namespace swage
