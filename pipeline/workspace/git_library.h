// libgit2, for reading and writing objects and refs in-process: it never runs a program, so hooks,
// filters and helpers cannot bite, and it saves a process per step. Handles close themselves; they
// belong to one thread. What touches files in a work tree is left to the git program, which knows
// every attribute.
#pragma once

#include <git2.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/ids.h"
#include "config/base/result.h"

namespace swage::git2 {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
using Repository = std::unique_ptr<git_repository, Freer<git_repository_free>>;
using Commit = std::unique_ptr<git_commit, Freer<git_commit_free>>;
using Tree = std::unique_ptr<git_tree, Freer<git_tree_free>>;
using TreeEntry = std::unique_ptr<git_tree_entry, Freer<git_tree_entry_free>>;
using Blob = std::unique_ptr<git_blob, Freer<git_blob_free>>;
using Index = std::unique_ptr<git_index, Freer<git_index_free>>;
using Reference = std::unique_ptr<git_reference, Freer<git_reference_free>>;
using Signature = std::unique_ptr<git_signature, Freer<git_signature_free>>;
using Diff = std::unique_ptr<git_diff, Freer<git_diff_free>>;
using Patch = std::unique_ptr<git_patch, Freer<git_patch_free>>;

/// "ACT: what libgit2 says"; kNotFound, kConflict, kInvalid, else kInternal.
Error FailureOf(int code, std::string_view act);

/// Opens a bare repository. The first call starts the library and closes its view of the system's,
/// the user's and XDG's configuration.
Result<Repository> OpenBare(const std::filesystem::path& git_dir);
/// Of a file that need not be there. Errors: kInternal.
Result<Index> OpenIndex(const std::filesystem::path& file);
/// Errors: kInvalid for a malformed name, kNotFound for a commit that is not there.
Result<Commit> FindCommit(git_repository* repository, const CommitSha& sha);
Result<Tree> TreeOf(git_commit* commit);
Result<Tree> FindTree(git_repository* repository, const TreeSha& sha);
/// The tree with these changes, written. Nothing: they make a file of a directory, or the like, and
/// are not for the library.
Result<std::optional<TreeSha>> UpdateTree(git_repository* repository, git_tree* tree,
                                          const std::vector<git_tree_update>& updates);
std::string Hex(const git_oid& oid);

}  // namespace swage::git2
