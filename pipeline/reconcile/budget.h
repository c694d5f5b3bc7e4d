// How many questions one round may ask a forge; 304 answers count too, so that a round stays short
// whatever the number of repositories. Not thread-safe.
#pragma once

namespace swage {

class Budget {
 public:
  explicit Budget(int questions) : left_(questions) {}
  /// False: enough for this round.
  bool Take(int questions = 1) {
    left_ -= questions;
    return left_ >= 0;
  }
  bool IsSpent() const { return left_ <= 0; }

 private:
  int left_;
};

}  // namespace swage
