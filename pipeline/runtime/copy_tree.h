// CopyTree: a directory's files again, sharing blocks where the file system can (reflink).
//
// For what a program of a task may have written: works on descriptors, follows no link (links are
// copied as links), leaves out pipes, sockets and devices, and stops at its bounds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "config/base/file_owner.h"
#include "config/base/result.h"

namespace swage {

struct CopyLimits {
  std::uint64_t bytes = 0;
  std::uint64_t entries = 1'000'000;
};

/// Fills `to`, which must be there, with what `from` holds; modes and times are kept. The copies
/// belong to `owner`, if there is one. Errors: kNotFound, kTooLarge, kInternal; what was copied by
/// then stays.
Result<void> CopyTree(const std::filesystem::path& from, const std::filesystem::path& to,
                      const CopyLimits& limits, const std::optional<FileOwner>& owner);

/// One regular file; see CopyTree. `to_dir` is an open directory, `name` must not be there. Errors:
/// kTooLarge (more than `bytes`, which is lowered by what was copied), kInternal.
Result<void> CopyFileAt(int from, int to_dir, const char* name, std::uint64_t& bytes,
                        const std::optional<FileOwner>& owner);

}  // namespace swage
