#include "forge/sandbox/git_repo.h"

#include <fmt/format.h>

#include <fstream>

#include "config/base/text.h"
#include "forge/sandbox/git_handles.h"

namespace swage::sandbox {
namespace {

// What every bare repository of the forge allows: fetching any object by name, partial clones, and
// nobody pushing to the refs that the forge itself writes. Appended as text, because libgit2's call
// for repeated keys leaks (1.5.1).
constexpr std::string_view kConfig =
    "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
    "[receive]\n\tautogc = false\n\thideRefs = refs/pull\n\thideRefs = refs/merge-requests\n"
    "[gc]\n\tauto = 0\n";

Result<void> Configure(const std::filesystem::path& git_dir) {
  std::ofstream config(git_dir / "config", std::ios::app);
  config << kConfig;
  config.close();
  return config ? Ok() : Result<void>(MakeError(ErrorCode::kInternal, "cannot configure git"));
}

Person PersonOf(const git_signature& signature) {
  return {signature.name, signature.email, WallTime(std::chrono::seconds(signature.when.time))};
}

CommitInfo InfoOf(git_commit* commit) {
  CommitInfo info;
  info.sha = ShaOf(*git_commit_id(commit));
  info.tree = ShaOf(*git_commit_tree_id(commit));
  info.message = std::string(Trim(git_commit_message(commit)));
  info.author = PersonOf(*git_commit_author(commit));
  info.committer = PersonOf(*git_commit_committer(commit));
  for (unsigned i = 0; i < git_commit_parentcount(commit); ++i) {
    info.parents.push_back(ShaOf(*git_commit_parent_id(commit, i)));
  }
  return info;
}

Result<std::vector<CommitInfo>> Walk(git_repository* repo, const git_oid& head,
                                     const git_oid* hidden, unsigned sorting, std::size_t max) {
  git_revwalk* raw = nullptr;
  int code = git_revwalk_new(&raw, repo);
  if (code != 0) return GitError(code, "walk history");
  const GitWalk walk(raw);
  git_revwalk_sorting(raw, sorting);
  code = git_revwalk_push(raw, &head);
  if (code == 0 && hidden != nullptr) code = git_revwalk_hide(raw, hidden);
  if (code != 0) return GitError(code, "walk history");
  std::vector<CommitInfo> commits;
  git_oid oid;
  while (commits.size() < max && git_revwalk_next(&oid, raw) == 0) {
    git_commit* commit = nullptr;
    code = git_commit_lookup(&commit, repo, &oid);
    if (code != 0) return GitError(code, "read commit");
    const GitCommit owner(commit);
    commits.push_back(InfoOf(commit));
  }
  return commits;
}

Result<GitSignature> Sign(const Person& person) {
  git_signature* raw = nullptr;
  const auto at = std::chrono::floor<std::chrono::seconds>(person.at).time_since_epoch().count();
  const int code = git_signature_new(&raw, person.name.c_str(), person.email.c_str(), at, 0);
  if (code != 0) return GitError(code, "sign commit");
  return GitSignature(raw);
}

struct NewCommit {
  std::string ref;  ///< the branch to move, refs/heads/...
  const git_tree* tree = nullptr;
  std::string_view message;
  Person author;
  std::vector<const git_commit*> parents;
};

Result<std::string> WriteCommit(git_repository* repo, const NewCommit& commit) {
  SWAGE_ASSIGN_OR_RETURN(const GitSignature signature, Sign(commit.author));
  git_oid oid;
  const std::string message(commit.message);
  const int code = git_commit_create(&oid, repo, nullptr, signature.get(), signature.get(), nullptr,
                                     message.c_str(), commit.tree, commit.parents.size(),
                                     const_cast<const git_commit**>(commit.parents.data()));
  if (code != 0) return GitError(code, "write commit");
  git_reference* ref = nullptr;
  const int moved = git_reference_create(&ref, repo, commit.ref.c_str(), &oid, 1, "sandbox");
  if (moved != 0) return GitError(moved, "move branch");
  git_reference_free(ref);
  return ShaOf(oid);
}

Result<GitTree> WriteIndex(git_repository* repo, git_index* index) {
  git_oid oid;
  int code = git_index_write_tree_to(&oid, index, repo);
  if (code != 0) return GitError(code, "write tree");
  git_tree* tree = nullptr;
  code = git_tree_lookup(&tree, repo, &oid);
  if (code != 0) return GitError(code, "read tree");
  return GitTree(tree);
}

Result<GitIndex> IndexOf(git_commit* commit) {
  git_index* raw = nullptr;
  int code = git_index_new(&raw);
  if (code != 0) return GitError(code, "new index");
  GitIndex index(raw);
  if (commit != nullptr) {
    SWAGE_ASSIGN_OR_RETURN(const GitTree tree, TreeOf(commit));
    code = git_index_read_tree(raw, tree.get());
    if (code != 0) return GitError(code, "read tree");
  }
  return index;
}

std::uint32_t ModeOf(git_index* index, const std::string& path) {
  const git_index_entry* known = git_index_get_bypath(index, path.c_str(), 0);
  return known != nullptr ? known->mode : static_cast<std::uint32_t>(GIT_FILEMODE_BLOB);
}

Result<void> Put(git_repository* repo, git_index* index, const std::string& path,
                 const std::string& bytes) {
  git_index_entry entry{};
  entry.path = path.c_str();
  entry.mode = ModeOf(index, path);
  int code = git_blob_create_from_buffer(&entry.id, repo, bytes.data(), bytes.size());
  if (code == 0) code = git_index_add(index, &entry);
  return code == 0 ? Ok() : Result<void>(GitError(code, fmt::format("write {}", path)));
}

/// Applies `edit` to the tree of `branch` and commits the outcome there.
template <class Edit>
Result<std::string> CommitEdit(const std::filesystem::path& git_dir, std::string_view branch,
                               std::string_view message, const Person& author, const Edit& edit) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  const std::string ref = fmt::format("refs/heads/{}", branch);
  Result<GitCommit> parent = LookUpCommit(repo.get(), ref);
  git_commit* tip = parent.ok() ? parent->get() : nullptr;
  SWAGE_ASSIGN_OR_RETURN(const GitIndex index, IndexOf(tip));
  SWAGE_RETURN_IF_ERROR(edit(repo.get(), index.get()));
  SWAGE_ASSIGN_OR_RETURN(const GitTree tree, WriteIndex(repo.get(), index.get()));
  NewCommit commit{ref, tree.get(), message, author, {}};
  if (tip != nullptr) commit.parents.push_back(tip);
  return WriteCommit(repo.get(), commit);
}

Result<GitIndex> MergedIndex(git_repository* repo, git_commit* ours, git_commit* theirs) {
  git_index* raw = nullptr;
  git_merge_options options = GIT_MERGE_OPTIONS_INIT;
  const int code = git_merge_commits(&raw, repo, ours, theirs, &options);
  if (code != 0) return GitError(code, "merge");
  return GitIndex(raw);
}

Result<GitTreeEntry> EntryAt(git_repository* repo, std::string_view commit_name,
                             std::string_view path) {
  SWAGE_ASSIGN_OR_RETURN(const GitCommit commit, LookUpCommit(repo, commit_name));
  SWAGE_ASSIGN_OR_RETURN(const GitTree tree, TreeOf(commit.get()));
  git_tree_entry* raw = nullptr;
  const int code = git_tree_entry_bypath(&raw, tree.get(), std::string(path).c_str());
  if (code != 0) return GitError(code, fmt::format("find {}", path));
  return GitTreeEntry(raw);
}

TreeEntry Describe(git_repository* repo, const git_tree_entry* entry, std::string_view folder) {
  TreeEntry out;
  out.path = folder.empty() ? std::string(git_tree_entry_name(entry))
                            : fmt::format("{}/{}", folder, git_tree_entry_name(entry));
  out.type = git_object_type2string(git_tree_entry_type(entry));
  out.sha = ShaOf(*git_tree_entry_id(entry));
  out.mode = fmt::format("{:06o}", static_cast<unsigned>(git_tree_entry_filemode(entry)));
  git_blob* blob = nullptr;
  if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB &&
      git_blob_lookup(&blob, repo, git_tree_entry_id(entry)) == 0) {
    const GitBlob owner(blob);
    out.size = static_cast<std::size_t>(git_blob_rawsize(blob));
  }
  return out;
}

Result<git_oid> OidOf(std::string_view sha) {
  git_oid oid;
  if (sha.size() != GIT_OID_HEXSZ || git_oid_fromstrn(&oid, sha.data(), sha.size()) != 0) {
    return MakeError(ErrorCode::kInvalid, "not an object name");
  }
  return oid;
}

}  // namespace

Result<void> InitBare(const std::filesystem::path& git_dir, std::string_view branch) {
  SWAGE_CHECK(git_libgit2_init() > 0);
  const std::string head(branch);
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags =
      GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
  options.initial_head = head.c_str();
  git_repository* raw = nullptr;
  const int code = git_repository_init_ext(&raw, git_dir.c_str(), &options);
  if (code != 0) return GitError(code, "create repository");
  const GitRepository repo(raw);
  return Configure(git_dir);
}

std::map<std::string, std::string> ListRefs(const std::filesystem::path& git_dir,
                                            std::string_view prefix) {
  std::map<std::string, std::string> refs;
  const Result<GitRepository> repo = OpenBare(git_dir);
  git_reference_iterator* raw = nullptr;
  if (!repo.ok() || git_reference_iterator_new(&raw, repo->get()) != 0) return refs;
  const GitReferences all(raw);
  git_reference* next = nullptr;
  while (git_reference_next(&next, raw) == 0) {
    const GitReference ref(next);
    const std::string_view name = git_reference_name(next);
    const git_oid* target = git_reference_target(next);
    if (target != nullptr && name.starts_with(prefix)) refs.emplace(name, ShaOf(*target));
  }
  return refs;
}

Result<std::string> ResolveCommit(const std::filesystem::path& git_dir, std::string_view name) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit commit, LookUpCommit(repo.get(), name));
  return ShaOf(*git_commit_id(commit.get()));
}

Result<std::string> ReadRef(const std::filesystem::path& git_dir, std::string_view ref) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  git_oid oid;
  const int code = git_reference_name_to_id(&oid, repo.get(), std::string(ref).c_str());
  if (code != 0) return GitError(code, fmt::format("read {}", ref));
  return ShaOf(oid);
}

Result<void> WriteRef(const std::filesystem::path& git_dir, std::string_view ref,
                      std::string_view sha, bool force) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const git_oid oid, OidOf(sha));
  git_object* object = nullptr;
  int code = git_object_lookup(&object, repo.get(), &oid, GIT_OBJECT_ANY);
  if (code != 0) return GitError(code, "find object");
  const GitObject owner(object);
  git_reference* raw = nullptr;
  code = git_reference_create(&raw, repo.get(), std::string(ref).c_str(), &oid, force ? 1 : 0,
                              "sandbox");
  if (code != 0) return GitError(code, fmt::format("write {}", ref));
  git_reference_free(raw);
  return Ok();
}

Result<void> DeleteRef(const std::filesystem::path& git_dir, std::string_view ref) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  git_reference* raw = nullptr;
  int code = git_reference_lookup(&raw, repo.get(), std::string(ref).c_str());
  if (code != 0) return GitError(code, fmt::format("find {}", ref));
  const GitReference owner(raw);
  code = git_reference_delete(raw);
  return code == 0 ? Ok() : Result<void>(GitError(code, fmt::format("delete {}", ref)));
}

Result<CommitInfo> ReadCommit(const std::filesystem::path& git_dir, std::string_view sha) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit commit, LookUpCommit(repo.get(), sha));
  return InfoOf(commit.get());
}

Result<std::vector<CommitInfo>> CommitsBetween(const std::filesystem::path& git_dir,
                                               std::string_view base, std::string_view head,
                                               std::size_t max) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit from, LookUpCommit(repo.get(), base));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit to, LookUpCommit(repo.get(), head));
  return Walk(repo.get(), *git_commit_id(to.get()), git_commit_id(from.get()),
              GIT_SORT_TOPOLOGICAL | GIT_SORT_REVERSE, max);
}

Result<std::vector<CommitInfo>> History(const std::filesystem::path& git_dir, std::string_view head,
                                        std::size_t max) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit to, LookUpCommit(repo.get(), head));
  return Walk(repo.get(), *git_commit_id(to.get()), nullptr, GIT_SORT_TOPOLOGICAL, max);
}

Result<std::string> MergeBase(const std::filesystem::path& git_dir, std::string_view a,
                              std::string_view b) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit one, LookUpCommit(repo.get(), a));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit two, LookUpCommit(repo.get(), b));
  git_oid oid;
  const int code =
      git_merge_base(&oid, repo.get(), git_commit_id(one.get()), git_commit_id(two.get()));
  if (code != 0) return GitError(code, "find merge base");
  return ShaOf(oid);
}

bool IsAncestor(const std::filesystem::path& git_dir, std::string_view ancestor,
                std::string_view sha) {
  const Result<std::string> base = MergeBase(git_dir, ancestor, sha);
  return base.ok() && *base == ancestor;
}

Result<Blob> ReadBlobAt(const std::filesystem::path& git_dir, std::string_view commit,
                        std::string_view path) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitTreeEntry entry, EntryAt(repo.get(), commit, path));
  if (git_tree_entry_type(entry.get()) != GIT_OBJECT_BLOB) {
    return MakeError(ErrorCode::kInvalid, fmt::format("{} is no file", path));
  }
  git_blob* raw = nullptr;
  const int code = git_blob_lookup(&raw, repo.get(), git_tree_entry_id(entry.get()));
  if (code != 0) return GitError(code, "read file");
  const GitBlob blob(raw);
  return Blob{ShaOf(*git_tree_entry_id(entry.get())),
              std::string(static_cast<const char*>(git_blob_rawcontent(raw)),
                          static_cast<std::size_t>(git_blob_rawsize(raw)))};
}

Result<std::vector<TreeEntry>> ListTreeAt(const std::filesystem::path& git_dir,
                                          std::string_view commit_name, std::string_view path) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit commit, LookUpCommit(repo.get(), commit_name));
  SWAGE_ASSIGN_OR_RETURN(GitTree tree, TreeOf(commit.get()));
  if (!path.empty()) {
    SWAGE_ASSIGN_OR_RETURN(const GitTreeEntry entry, EntryAt(repo.get(), commit_name, path));
    if (git_tree_entry_type(entry.get()) != GIT_OBJECT_TREE) {
      return MakeError(ErrorCode::kInvalid, fmt::format("{} is no directory", path));
    }
    git_tree* raw = nullptr;
    const int code = git_tree_lookup(&raw, repo.get(), git_tree_entry_id(entry.get()));
    if (code != 0) return GitError(code, "read directory");
    tree.reset(raw);
  }
  std::vector<TreeEntry> entries;
  for (std::size_t i = 0; i < git_tree_entrycount(tree.get()); ++i) {
    entries.push_back(Describe(repo.get(), git_tree_entry_byindex(tree.get(), i), path));
  }
  return entries;
}

Result<std::string> CommitFiles(const std::filesystem::path& git_dir, std::string_view branch,
                                const std::map<std::string, std::string>& changes,
                                std::string_view message, const Person& author) {
  return CommitEdit(git_dir, branch, message, author,
                    [&](git_repository* repo, git_index* index) -> Result<void> {
                      for (const auto& [path, bytes] : changes) {
                        SWAGE_RETURN_IF_ERROR(Put(repo, index, path, bytes));
                      }
                      return Ok();
                    });
}

Result<std::string> RemoveFile(const std::filesystem::path& git_dir, std::string_view branch,
                               std::string_view path, std::string_view message,
                               const Person& author) {
  return CommitEdit(git_dir, branch, message, author,
                    [&](git_repository*, git_index* index) -> Result<void> {
                      const int code = git_index_remove_bypath(index, std::string(path).c_str());
                      if (code != 0) return GitError(code, fmt::format("remove {}", path));
                      return Ok();
                    });
}

Result<bool> MergesCleanly(const std::filesystem::path& git_dir, std::string_view base,
                           std::string_view head) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit ours, LookUpCommit(repo.get(), base));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit theirs, LookUpCommit(repo.get(), head));
  SWAGE_ASSIGN_OR_RETURN(const GitIndex index, MergedIndex(repo.get(), ours.get(), theirs.get()));
  return git_index_has_conflicts(index.get()) == 0;
}

Result<std::string> MergeInto(const std::filesystem::path& git_dir, std::string_view base_ref,
                              std::string_view head, std::string_view message, const Person& author,
                              bool squash) {
  SWAGE_ASSIGN_OR_RETURN(const GitRepository repo, OpenBare(git_dir));
  const std::string ref = fmt::format("refs/heads/{}", base_ref);
  SWAGE_ASSIGN_OR_RETURN(const GitCommit ours, LookUpCommit(repo.get(), ref));
  SWAGE_ASSIGN_OR_RETURN(const GitCommit theirs, LookUpCommit(repo.get(), head));
  SWAGE_ASSIGN_OR_RETURN(const GitIndex index, MergedIndex(repo.get(), ours.get(), theirs.get()));
  if (git_index_has_conflicts(index.get()) != 0) {
    return MakeError(ErrorCode::kConflict, "the branches conflict");
  }
  SWAGE_ASSIGN_OR_RETURN(const GitTree tree, WriteIndex(repo.get(), index.get()));
  NewCommit commit{ref, tree.get(), message, author, {ours.get()}};
  if (!squash) commit.parents.push_back(theirs.get());
  return WriteCommit(repo.get(), commit);
}

}  // namespace swage::sandbox
