// Reading logs that commands wrote: beneath the data directory only, in bounded pieces, as inert
// text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "config/base/result.h"

namespace swage {

/// The last `max_bytes` of a log from a line's beginning, control characters stripped (T47); a
/// first line says when something before it is left out. Errors: kNotFound, kInvalid.
Result<std::string> ReadLogTail(const std::filesystem::path& data_dir, const std::string& log_path,
                                std::size_t max_bytes);

/// Follows a log that grows. Not thread-safe; holds no descriptor between calls.
class LogFollower {
 public:
  /// Begins `tail_bytes` before the end that the log has now.
  LogFollower(std::filesystem::path data_dir, std::string log_path, std::size_t tail_bytes);

  /// What was added since, in whole lines and at most kMaxPiece bytes; "" = nothing yet. With
  /// `ended` also the rest of a last line without its end.
  std::string Next(bool ended);

  static constexpr std::size_t kMaxPiece = 64 << 10;

 private:
  std::filesystem::path data_dir_;
  std::string log_path_;
  std::uint64_t at_ = 0;
};

}  // namespace swage
