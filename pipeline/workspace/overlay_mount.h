// The overlay file system: whether this process may use it, and one mount of it.
//
// Mounts are made in a mount namespace that only this process and its children are in: whatever
// ends the process, its mounts are gone with it. As root the kernel's plain overlay is used; other
// users need a user namespace of their own for it, in which they keep their ids and in which no
// other id exists.
#pragma once

#include <filesystem>
#include <string>

#include "config/base/result.h"

namespace swage {

/// Puts the calling thread, and what it starts from now on, into a mount namespace of its own: call
/// before the first other thread starts. Errors: kDenied with cause and fix. On failure nothing has
/// changed.
Result<void> EnterMountNamespace();

struct OverlayAbility {
  /// Otherwise rename(2) of a directory of the base fails with EXDEV, as it does between file
  /// systems, and it has to be copied: mv does so by itself, `git mv` refuses. As users other than
  /// root have it.
  bool renames_directories = false;
};
/// Whether overlays work on the file system of `dir`: mounts one there, changes its files in every
/// way that matters and looks at the result. Errors: kUnavailable with cause and fix.
Result<OverlayAbility> ProbeOverlay(const std::filesystem::path& dir);

struct OverlayDirs {
  std::filesystem::path lower;   ///< read only, and must not change while mounted
  std::filesystem::path upper;   ///< takes all changes
  std::filesystem::path work;    ///< of the kernel; empty at first, on the same file system
  std::filesystem::path merged;  ///< where the files appear
};

/// A mounted overlay; unmounts itself. Not durable by design (`volatile`): upper and work cannot be
/// mounted again.
class OverlayMount {
 public:
  static Result<OverlayMount> Make(const OverlayDirs& dirs);
  OverlayMount() = default;
  OverlayMount(OverlayMount&& other) noexcept : merged_(std::move(other.merged_)) {
    other.merged_.clear();
  }
  OverlayMount& operator=(OverlayMount&& other) noexcept;
  ~OverlayMount() { Unmount(); }

  /// Twice is harmless. Whoever still looks into it keeps what they have open.
  void Unmount();

 private:
  explicit OverlayMount(std::filesystem::path merged) : merged_(std::move(merged)) {}

  std::filesystem::path merged_;  // empty = not mounted
};

/// Takes away what is mounted at `merged`, if anything is.
void UnmountLeftOver(const std::filesystem::path& merged);

}  // namespace swage
