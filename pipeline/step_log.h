// StepLog: the output of one step on disk, as it comes, redacted, bounded by whoever writes it.
//
// Files live at data_dir/logs/TASK/NAME and are read by the dashboard while they grow. A secret
// that the command prints is masked before it reaches the disk: text is held back until the end of
// a line, so that no value is split between two writes. Not thread-safe; one step, one writer.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "config/base/files.h"
#include "config/base/redact.h"
#include "config/base/result.h"
#include "pipeline/task.h"

namespace swage {

class StepLog {
 public:
  /// Creates (or truncates) the file. `name` is made safe for a file name. Errors: kInternal.
  static Result<StepLog> Open(const std::filesystem::path& data_dir, TaskId task,
                              std::string_view name, const Redactor& redactor);
  StepLog(StepLog&&) = default;
  ~StepLog();

  void Append(std::string_view bytes);
  /// Writes what is held back. Further Appends are allowed.
  void Flush();
  /// "logs/12/run1-cycle2-tests.log": what Step::log_path holds.
  const std::string& RelativePath() const { return relative_; }

 private:
  StepLog(Fd fd, std::string relative, const Redactor& redactor)
      : fd_(std::move(fd)), relative_(std::move(relative)), redactor_(&redactor) {}

  Fd fd_;
  std::string relative_;
  const Redactor* redactor_;
  std::string held_;
};

}  // namespace swage
