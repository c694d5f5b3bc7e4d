// Faults: everything that is wrong with a configuration file, told at once.
//
// One line each, in the order of the file: "swage.yml:12: agent.time_limit: what is wrong; what
// would be right". Values are quoted through Quoted(), so that a message stays one short line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"

namespace swage {

inline constexpr std::size_t kMaxFaultLines = 40;

class Faults {
 public:
  /// `source` names the file in every line.
  explicit Faults(std::string source) : source_(std::move(source)) {}

  /// `setting` may be empty (the fault is in the file, not in a setting).
  void Add(int line, std::string_view setting, std::string_view what);
  bool empty() const { return faults_.empty(); }
  /// kInvalid with all lines, at most kMaxFaultLines of them.
  Error ToError() const;

 private:
  struct Fault {
    int line;
    std::string text;
  };
  std::string source_;
  std::vector<Fault> faults_;
};

/// The text in double quotes, without control characters, shortened.
std::string Quoted(std::string_view text);

/// The candidate that `word` was most likely meant to be; empty when none is near.
std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace swage
