// git's index as the bytes of its file (gitformat-index(5), versions 2 and 3): enough to bring a
// few of its entries up to date at the cost of a copy, where a program parses, checks and writes
// every one. The rare kinds (unmerged, split, sparse, SHA-256, version 4) are left to git. What is
// damaged is never passed on under a hash of its own: git would believe it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/workspace/git_library.h"

namespace swage {

struct IndexEntry {
  std::string_view path;
  std::string_view bytes;  ///< as in the file, stat data and padding included
  git_filemode_t Mode() const;
  git_oid Id() const;
};

/// What git knows nothing about but the content.
struct BareEntry {
  git_filemode_t mode;
  git_oid id;
};

/// By path: the entry as in a file, or nothing where there is to be none.
using IndexUpdates = std::map<std::string, std::optional<std::string>>;

/// An index without stat data: git looks at each file of it.
std::string RenderIndex(const std::map<std::string, BareEntry>& entries);
/// Parts of `index`, in its order. Nothing: damaged, or a rare kind. A hash of zeros stands for
/// none, as git's index.skipHash leaves it.
std::optional<std::vector<IndexEntry>> ParseIndex(std::string_view index);
/// What git knew about the trees of directories without an update stays; what else it may keep in
/// an index, and may do without, goes. Nothing: as ParseIndex, or an update that takes a newer
/// version of the file. Where the updates make a file of a directory or the other way round, they
/// name all that goes.
std::optional<std::string> SpliceIndex(std::string_view index, const IndexUpdates& updates);

}  // namespace swage
