// How many questions one round may ask a forge; 304 answers count too, so that a round stays short
// whatever the number of repositories. A stop ends a round just as if all were asked. Not
// thread-safe.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <utility>

namespace swage {

class Budget {
 public:
  explicit Budget(int questions, std::stop_token stop = {})
      : left_(questions), stop_(std::move(stop)) {}
  /// False: enough for this round.
  bool Take(int questions = 1) {
    left_ -= questions;
    return left_ >= 0;
  }
  /// For what one round does once, whichever repository comes first.
  bool IsFirst(const std::string& what) { return done_.insert(what).second; }
  bool IsSpent() const { return left_ <= 0 || stop_.stop_requested(); }
  const std::stop_token& stop() const { return stop_; }

 private:
  int left_;
  std::set<std::string> done_;
  std::stop_token stop_;
};

}  // namespace swage
