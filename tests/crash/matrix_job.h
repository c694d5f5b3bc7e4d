// The main job, run once in a box of its own whose server may die on the way: label, two cycles,
// pull request, a fix by command, merge. Then everything that must hold whatever happened.
//
// With two nodes the one that dies stays dead. The other was there before it died, standing still,
// and does the rest: so each step of the first has been its last.
//
// Says what is wrong instead of failing the test, so that several may run at once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "forge/sandbox/sandbox_forge.h"

namespace swage::test {

struct JobResult {
  bool crashed = false;  ///< the server died where it was told to
  std::vector<std::string> problems;
  std::string server_log;
};

enum class Cluster { kSqlite, kPostgres, kPostgresTwoNodes };

/// `env` is for the first server's first life only.
JobResult RunMainJob(sandbox::Dialect dialect, Cluster cluster,
                     const std::map<std::string, std::string>& env);

}  // namespace swage::test
