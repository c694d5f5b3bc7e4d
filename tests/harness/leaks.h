// Where did a secret get to? Used with a canary that must be nowhere but with its holder (T39,
// T49).
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/harness/box.h"

namespace swage::test {

/// The forms in which a token could get out: plain, reversed, base64, and base64 as git sends it.
std::vector<std::string> FormsOf(std::string_view secret);

/// Every place of this run that holds one of them: the server's log, the files of its data
/// directory (the database among them), and what it said to the forge.
std::vector<std::string> LeaksOf(Box& box, const std::vector<std::string>& forms);

/// Looks at the command lines of all processes, again and again, while it lives.
class ArgvWatch {
 public:
  explicit ArgvWatch(std::vector<std::string> forms);
  /// The command lines that held one of them. Ends the watch.
  std::vector<std::string> Stop();
  /// Rounds made: a watch that never looked shows nothing.
  int rounds() const { return rounds_; }

 private:
  void LookOnce();

  const std::vector<std::string> forms_;
  std::vector<std::string> seen_;
  int rounds_ = 0;
  std::jthread thread_;
};

}  // namespace swage::test
