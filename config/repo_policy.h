// RepoPolicy: what a repository says about its own tasks, in `.swage.yml` on its default branch.
//
// Commands come only from here or from the server's settings, never from a task's branch (T23).
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/process.h"
#include "config/base/result.h"
#include "config/isolation_rules.h"
#include "config/runtime_settings.h"

namespace swage {

enum class ReportFormat { kNone, kJUnit, kSarif, kTap, kGcc, kMatcher };
std::string_view Name(ReportFormat format);  ///< "junit": as written in the YAML

/// A check that a change must pass: a command, and how to read what it says.
struct GateSpec {
  std::string name;              ///< [a-z0-9_-], unique, at most 40 characters
  std::vector<std::string> run;  ///< argv; with `shell: true` it is {"/bin/sh", "-c", text}
  std::chrono::milliseconds timeout{std::chrono::minutes(10)};
  bool required = true;  ///< false = advisory: reported, never blocks
  bool rerun = true;     ///< a failure is run once more on the same files, to tell a flaky gate
  ReportFormat format = ReportFormat::kNone;
  std::string report;              ///< file below the workspace; empty = the command's output
  std::string matcher;             ///< RE2 with named groups file, line, message, rule, severity
  std::vector<std::string> paths;  ///< run only when the diff touches one of these globs
  std::map<std::string, std::string> env;
  std::vector<std::string> secrets;  ///< names; given only if the server grants them
  bool network = false;              ///< it may reach the hosts of the allow-list; otherwise none

  bool operator==(const GateSpec&) const = default;
};

/// What the label `LABEL:PROFILE` asks for.
struct Profile {
  std::string instructions;  ///< added to the prompt, after the repository's
  /// The agent looks and answers, and changes nothing: no branch, no pull request (C4).
  bool reads_only = false;
  bool operator==(const Profile&) const = default;
};

struct RepoPolicy {
  std::vector<GateSpec> gates;
  std::optional<int> max_cycles;
  std::optional<std::string> when_red;
  std::string instructions;                 ///< added to every prompt: how to build, house rules
  std::map<std::string, Profile> profiles;  ///< by the label's suffix (A1)
  IsolationRules isolation;
  std::vector<std::string> secrets;  ///< what the agent asks for by name; the server grants
  /// Which of the server's databases the tasks need; nothing = all that it has for them.
  std::optional<std::vector<std::string>> databases;
  HookSet hooks;
  ResourceLimits limits;                  ///< only ever lowers the server's; 0 = as the server says
  std::vector<std::string> egress_allow;  ///< as far as EgressSettings::may_allow goes
};

/// `name` stands in messages ("acme/lib@main:.swage.yml"). Errors: kInvalid, one line per fault,
/// each with line number, key, what is wrong and what would be right; also for duplicate and
/// unknown keys.
Result<RepoPolicy> ParseRepoPolicy(std::string_view yaml, std::string_view name);

}  // namespace swage
