// Files and directories, with descriptors that close themselves and reads that cannot be led
// astray.
//
// "Beneath" functions open a path below a root without following any symbolic link and without
// leaving the root (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS); they are the only way to
// touch what an agent may have written (T37).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"

namespace swage {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Close(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release();
  void Close();

 private:
  int fd_ = -1;
};

/// The whole file; kTooLarge beyond `max_bytes`, kNotFound when absent, kInvalid when not regular.
Result<std::string> ReadFile(const std::filesystem::path& path, std::size_t max_bytes = 16 << 20);
/// Opens a regular file beneath `root` for reading.
Result<Fd> OpenBeneath(const std::filesystem::path& root, std::string_view relative);
/// As ReadFile, for a path below `root` written by somebody we do not trust.
Result<std::string> ReadFileBeneath(const std::filesystem::path& root, std::string_view relative,
                                    std::size_t max_bytes = 16 << 20);
/// Writes beside the target, syncs and renames: readers see the old or the new file. Mode 0600
/// unless told.
Result<void> WriteFileAtomic(const std::filesystem::path& path, std::string_view bytes,
                             unsigned mode = 0600);
/// Creates or replaces without following a link at the end of the path, and without syncing: for
/// what is made again after a power failure. Mode 0600.
Result<void> WriteFileFast(const std::filesystem::path& path, std::string_view bytes);
/// Creates missing parents too, each with `mode`.
Result<void> MakeDirs(const std::filesystem::path& path, unsigned mode = 0700);
/// Removes a tree without following links, also when directories inside lack permissions; absent =
/// ok.
Result<void> RemoveTree(const std::filesystem::path& path);
/// The paths of what a directory holds, in no order; none where it cannot be read.
std::vector<std::filesystem::path> EntriesOf(const std::filesystem::path& dir);
/// A new directory `prefix`XXXXXX below the system's temporary directory.
Result<std::filesystem::path> MakeTempDir(std::string_view prefix);

/// A temporary directory that goes when its owner goes.
class TempDir {
 public:
  explicit TempDir(std::string_view prefix = "swage-");
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace swage
