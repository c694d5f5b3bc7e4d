// FrontMatter: how an issue asks, in its own first lines, to be worked on (A8):
//
//   ---
//   base: release/2
//   scope: [src/**, Makefile]
//   isolation: sandbox
//   network: true
//   profile: docs
//   priority: high
//   budget: {time: 20m, cycles: 2}
//   depends-on: [12, 34]
//   agent: claude
//   ---
//
// Whoever wrote the issue, it can only ask for what its reader grants: a stricter level, a smaller
// budget, another base. What cannot be understood is said and leaves the rest as it is; text that
// merely begins with a line of dashes is no front matter. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/isolation_level.h"
#include "pipeline/priority.h"

namespace swage {

struct FrontMatter {
  static constexpr std::size_t kMaxBytes = 4 << 10;
  static constexpr std::size_t kMaxDependencies = 20;

  std::string base;                ///< a branch; empty = the default one
  std::vector<std::string> scope;  ///< paths and globs
  std::optional<IsolationLevel> isolation;
  bool network = false;
  std::string profile;
  Priority priority = Priority::kNormal;
  std::optional<std::chrono::milliseconds> time;  ///< for one run of the agent
  std::optional<int> cycles;
  std::vector<std::int64_t> depends_on;  ///< issues of the same repository
  std::string agent;                     ///< the name of the only one it may be
  std::vector<std::string> faults;       ///< sentences without a full stop, each with its line
  std::size_t bytes = 0;                 ///< that it takes of the text, its fences included
};

FrontMatter ReadFrontMatter(std::string_view text);

}  // namespace swage
