// CgroupFiles: the files of the kernel's control groups, the seam below the back ends.
//
// Everything about a group is said and asked in small files. The fake (tests/harness) plays the
// rules of version 2, which not every machine that runs the tests has. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/files.h"
#include "config/base/result.h"

namespace swage {

class CgroupFiles {
 public:
  virtual ~CgroupFiles() = default;
  // Errors of all: kNotFound, kDenied, kConflict (busy, or there already), kInternal.
  virtual Result<std::string> Read(const std::string& file) const = 0;
  virtual Result<void> Write(const std::string& file, std::string_view text) = 0;
  virtual Result<void> MakeDir(const std::string& dir) = 0;
  virtual Result<void> RemoveDir(const std::string& dir) = 0;
  /// Names of the directories in a directory; empty when there is none.
  virtual std::vector<std::string> ListDirs(const std::string& dir) const = 0;
  /// For writing, by another process too.
  virtual Result<Fd> Open(const std::string& file) = 0;
};

std::unique_ptr<CgroupFiles> MakeCgroupFiles();

}  // namespace swage
