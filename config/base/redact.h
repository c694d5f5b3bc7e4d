// Redactor: the one place that knows every secret value and removes it from text that leaves.
//
// Logs, errors, comments and stored output all pass through it (T49). Secrets are registered as
// they are read; text is searched for the value itself and for its base64 and percent-encoded
// forms. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace swage {

class Redactor {
 public:
  Redactor();
  ~Redactor();
  Redactor(const Redactor&) = delete;
  Redactor& operator=(const Redactor&) = delete;

  /// Values shorter than 6 characters are refused (they would blank out ordinary words): returns
  /// false.
  bool Add(std::string_view secret);
  /// For a secret that has lost its use, so that what is known does not grow for ever. Of two equal
  /// ones both are forgotten.
  void Forget(std::string_view secret);
  /// `text` with every known secret replaced by "[redacted]".
  std::string Apply(std::string_view text) const;
  /// Whether `text` holds a known secret (plain, base64, percent-encoded or reversed).
  bool Contains(std::string_view text) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace swage
