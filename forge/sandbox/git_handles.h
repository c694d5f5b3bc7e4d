// Owners of libgit2's objects, and its errors as Results. For forge/sandbox's .cc files only.
#pragma once

#include <git2.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "config/base/result.h"

namespace swage::sandbox {

template <class T, void (*Free)(T*)>
struct GitFree {
  void operator()(T* object) const { Free(object); }
};
template <class T, void (*Free)(T*)>
using GitOwner = std::unique_ptr<T, GitFree<T, Free>>;

using GitRepository = GitOwner<git_repository, git_repository_free>;
using GitObject = GitOwner<git_object, git_object_free>;
using GitReference = GitOwner<git_reference, git_reference_free>;
using GitCommit = GitOwner<git_commit, git_commit_free>;
using GitTree = GitOwner<git_tree, git_tree_free>;
using GitTreeEntry = GitOwner<git_tree_entry, git_tree_entry_free>;
using GitBlob = GitOwner<git_blob, git_blob_free>;
using GitDiff = GitOwner<git_diff, git_diff_free>;
using GitPatch = GitOwner<git_patch, git_patch_free>;
using GitIndex = GitOwner<git_index, git_index_free>;
using GitWalk = GitOwner<git_revwalk, git_revwalk_free>;
using GitSignature = GitOwner<git_signature, git_signature_free>;
using GitReferences = GitOwner<git_reference_iterator, git_reference_iterator_free>;

/// libgit2's last error of this thread; its "not found" and "exists" become their codes.
Error GitError(int code, std::string_view doing);
std::string ShaOf(const git_oid& oid);
Result<GitRepository> OpenBare(const std::filesystem::path& git_dir);
/// A branch, tag, full ref or sha, peeled to a commit.
Result<GitCommit> LookUpCommit(git_repository* repo, std::string_view name);
Result<GitTree> TreeOf(git_commit* commit);

}  // namespace swage::sandbox
