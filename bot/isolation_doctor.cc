#include "bot/isolation_doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>

#include "bot/cli.h"
#include "bot/isolation_options.h"
#include "config/base/cgroup.h"
#include "config/base/files.h"
#include "config/base/limits.h"
#include "config/settings.h"
#include "pipeline/workspace/provision_choice.h"

namespace swage {
namespace {

constexpr int kNameColumn = 32;
constexpr int kLevelColumn = 11;

bool Breaks(const Attempt& attempt, const AttemptResult& result, const LevelFindings& level) {
  return level.ability.Gives(attempt.guarantee) && result.end != AttemptEnd::kStopped;
}

bool IsBroken(const LevelFindings& level, Guarantee guarantee) {
  return std::ranges::any_of(level.attempts, [&](const auto& tried) {
    return tried.first->guarantee == guarantee && Breaks(*tried.first, tried.second, level);
  });
}

std::string_view Word(const LevelFindings& level, Guarantee guarantee) {
  if (!level.ability.available) return "not here";
  if (!level.ability.Gives(guarantee)) return "-";
  if (IsBroken(level, guarantee)) return "NO";
  const auto keeper = level.keepers.find(guarantee);
  return keeper == level.keepers.end() ? "yes" : std::string_view(keeper->second);
}

std::string_view Word(AttemptEnd end) {
  switch (end) {
    case AttemptEnd::kStopped:
      return "stopped";
    case AttemptEnd::kThrough:
      return "got through";
    case AttemptEnd::kFailed:
      return "could not be tried";
  }
  return "";
}

std::string ShowAttempts(const LevelFindings& level, bool all) {
  std::string out;
  for (const auto& [attempt, result] : level.attempts) {
    const bool breaks = Breaks(*attempt, result, level);
    if (!breaks && !all) continue;
    out += fmt::format("  {:<10} {} {}: {}{}{}\n", Name(level.level), breaks ? "NO " : "   ",
                       attempt->about, Word(result.end), result.detail.empty() ? "" : "; ",
                       result.detail);
  }
  return out;
}

std::vector<LevelFindings> TryAll(const IsolationOptions& options, ProcessRunner& processes,
                                  AttemptField& field) {
  const auto isolations = MakeIsolations(options, processes);
  std::vector<LevelFindings> all;
  for (const IsolationLevel level : kIsolationLevels) {
    Isolation& isolation = isolations->At(level);
    LevelFindings findings{level, isolation.Here(), {}};
    for (const Guarantee guarantee : kGuarantees) {
      std::string keeper = KeeperOf(guarantee, level, options);
      if (!keeper.empty()) findings.keepers[guarantee] = std::move(keeper);
    }
    if (findings.ability.available) {
      for (const Attempt& attempt : Attempts()) {
        findings.attempts.emplace_back(&attempt, field.Try(attempt, isolation));
      }
    }
    all.push_back(std::move(findings));
  }
  return all;
}

// `state` is not the server's own, which may be in use.
Result<std::vector<LevelFindings>> Examine(const Settings& settings,
                                           const std::filesystem::path& state) {
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  SWAGE_ASSIGN_OR_RETURN(const std::string escape, FindHelper("swage-escape"));
  const auto groups = CommandGroups::Open();
  const auto processes = MakePosixProcessRunner(supervisor, groups);
  SWAGE_ASSIGN_OR_RETURN(IsolationOptions options, IsolationOptionsOf(settings, groups.get()));
  options.state = state;
  options.instance += "-doctor";
  SWAGE_ASSIGN_OR_RETURN(const auto field, AttemptField::Make(escape, *processes));
  return TryAll(options, *processes, *field);
}

// The same at every level but in a container, whose engine keeps them.
Result<std::string> ExamineLimits() {
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  const auto groups = CommandGroups::Open();
  const auto processes = MakePosixProcessRunner(supervisor, groups);
  SWAGE_ASSIGN_OR_RETURN(const auto keepers, TryLimits(*processes, supervisor, groups.get()));
  std::string out = "\nwhat keeps a command to its limits (isolation.limits), tried:\n";
  for (const LimitKeeper& keeper : keepers) out += fmt::format("  {}\n", keeper.Describe());
  return out;
}

// Where the server has not run yet, there is nothing to try it in.
std::string ShowProvision(Settings settings, const std::filesystem::path& scratch) {
  if (!std::filesystem::is_directory(settings.data_dir)) settings.data_dir = scratch;
  const auto choice = ChooseProvision(settings);
  if (!choice.ok()) return choice.error().message;
  return fmt::format("files of a task: {} ({})", Name(choice->way), choice->why);
}

}  // namespace

bool KeepsItsWord(const LevelFindings& findings) {
  return std::ranges::none_of(findings.attempts, [&](const auto& tried) {
    return Breaks(*tried.first, tried.second, findings);
  });
}

std::string ShowFindings(const std::vector<LevelFindings>& findings, bool all) {
  std::string out = fmt::format("{:<{}}", "a task's commands cannot", kNameColumn);
  for (const LevelFindings& level : findings) {
    out += fmt::format("{:<{}}", Name(level.level), kLevelColumn);
  }
  out += "\n";
  for (const Guarantee guarantee : kGuarantees) {
    out += fmt::format("{:<{}}", Describe(guarantee), kNameColumn);
    for (const LevelFindings& level : findings) {
      out += fmt::format("{:<{}}", Word(level, guarantee), kLevelColumn);
    }
    out += "\n";
  }
  out +=
      "\nyes: tried, and stopped; of limits, by what; -: not promised at this level; NO: promised, "
      "and not kept\n";
  for (const LevelFindings& level : findings) {
    if (level.ability.why_not.empty()) continue;
    out += fmt::format("{}: {}\n", Name(level.level), level.ability.why_not);
  }
  std::string attempts;
  for (const LevelFindings& level : findings) attempts += ShowAttempts(level, all);
  return attempts.empty() ? out : out + "\n" + attempts;
}

int DoctorIsolation(const DoctorOptions& options, std::ostream& out, std::ostream& err) {
  Redactor redactor;
  Settings settings;
  const TempDir scratch("swage-doctor-");
  if (options.config.empty()) {
    settings.data_dir = scratch.path();
  } else {
    auto loaded = LoadSettings(options.config, redactor);
    if (!loaded.ok()) {
      err << redactor.Apply(loaded.error().message) << "\n";
      return kExitUsage;
    }
    settings = *std::move(loaded);
  }
  // First, as the server does: what follows runs in the namespace that this enters.
  const std::string provision = ShowProvision(settings, scratch.path());
  const auto findings = Examine(settings, scratch.path() / "isolation");
  if (!findings.ok()) {
    err << "swage doctor: " << redactor.Apply(findings.error().message) << "\n";
    return kExitFailed;
  }
  const auto limits = ExamineLimits();
  if (!limits.ok()) {
    err << "swage doctor: " << redactor.Apply(limits.error().message) << "\n";
    return kExitFailed;
  }
  out << "as " << (geteuid() == 0 ? "root" : fmt::format("user {}", geteuid()))
      << ", on this machine\n\n"
      << ShowFindings(*findings, options.all) << *limits << "\n"
      << redactor.Apply(provision) << "\n";
  return std::ranges::all_of(*findings, KeepsItsWord) ? kExitOk : kExitFailed;
}

}  // namespace swage
