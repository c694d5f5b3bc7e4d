// FileLock: one process per database file.
//
// An flock on FILE.lock, which holds the pid of its owner for the message and goes with the
// process, however it ends. The lock file itself stays: removing it would race with the next owner.
#pragma once

#include <filesystem>

#include "config/base/files.h"
#include "config/base/result.h"

namespace swage::sqlite {

class FileLock {
 public:
  /// Errors: kConflict (names the database and the holder's pid), kInternal.
  static Result<FileLock> Take(const std::filesystem::path& database);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace swage::sqlite
