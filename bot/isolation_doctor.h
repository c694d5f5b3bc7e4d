// `swage doctor isolation`: tries to get out of every level on this machine, and says what held.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "pipeline/isolation/attempts/attempts.h"
#include "pipeline/isolation/isolations.h"

namespace swage {

struct DoctorOptions {
  std::filesystem::path config;  ///< the server's settings; empty = the defaults
  bool all = false;              ///< every attempt, not only those that got through
};

/// 0 when every level keeps what it promises here, 1 when one does not (or an attempt could not be
/// made), 2 when the settings cannot be read.
int DoctorIsolation(const DoctorOptions& options, std::ostream& out, std::ostream& err);

/// What came of the attempts at one level; none where it is not available.
struct LevelFindings {
  IsolationLevel level;
  Ability ability;
  std::vector<std::pair<const Attempt*, AttemptResult>> attempts;
  std::map<Guarantee, std::string> keepers = {};  ///< of limits: "cgroup v1", "counting", "podman"
};
/// The table and what follows from it. Pure.
std::string ShowFindings(const std::vector<LevelFindings>& findings, bool all);
bool KeepsItsWord(const LevelFindings& findings);

}  // namespace swage
