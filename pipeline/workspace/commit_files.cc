#include "pipeline/workspace/commit_files.h"

#include <utility>

namespace swage {
namespace {

struct Listing {
  std::string prefix;
  std::vector<std::string> paths;
};

int List(const char* parent, const git_tree_entry* entry, void* to) {
  if (git_tree_entry_type(entry) != GIT_OBJECT_TREE) {
    auto& listing = *static_cast<Listing*>(to);
    listing.paths.push_back(listing.prefix + parent + git_tree_entry_name(entry));
  }
  return 0;
}

}  // namespace

Result<CommitFiles> CommitFiles::Open(const std::filesystem::path& git_dir,
                                      const CommitSha& commit) {
  SWAGE_ASSIGN_OR_RETURN(auto repository, git2::OpenBare(git_dir));
  SWAGE_ASSIGN_OR_RETURN(const auto found, git2::FindCommit(repository.get(), commit));
  SWAGE_ASSIGN_OR_RETURN(auto root, git2::TreeOf(found.get()));
  CommitFiles files(std::move(repository));
  files.trees_.emplace("", std::move(root));
  return files;
}

git_tree* CommitFiles::Directory(std::string_view path) {
  if (const auto known = trees_.find(path); known != trees_.end()) return known->second.get();
  git2::Tree& tree = trees_[std::string(path)];
  const git_tree_entry* entry = Entry(path);
  if (entry == nullptr || git_tree_entry_type(entry) != GIT_OBJECT_TREE) return nullptr;
  git_tree* raw = nullptr;
  const int code = git_tree_lookup(&raw, repository_.get(), git_tree_entry_id(entry));
  if (code != 0 && intact_.ok()) intact_ = git2::FailureOf(code, "read a tree");
  tree.reset(raw);
  return raw;
}

const git_tree_entry* CommitFiles::Entry(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const bool top = slash == std::string_view::npos;
  git_tree* parent = Directory(top ? "" : path.substr(0, slash));
  if (parent == nullptr) return nullptr;
  return git_tree_entry_byname(parent, std::string(top ? path : path.substr(slash + 1)).c_str());
}

git_filemode_t CommitFiles::ModeOf(std::string_view path) {
  const git_tree_entry* entry = Entry(path);
  if (entry == nullptr || git_tree_entry_type(entry) == GIT_OBJECT_TREE) {
    return GIT_FILEMODE_UNREADABLE;
  }
  return git_tree_entry_filemode(entry);
}

git_oid CommitFiles::IdOf(std::string_view path) {
  const git_tree_entry* entry = Has(path) ? Entry(path) : nullptr;
  return entry != nullptr ? *git_tree_entry_id(entry) : git_oid{};
}

std::vector<std::string> CommitFiles::Below(const std::string& directory) {
  Listing listing{directory + "/", {}};
  const git_tree* tree = Directory(directory);
  if (tree == nullptr) return {};
  const int code = git_tree_walk(tree, GIT_TREEWALK_PRE, List, &listing);
  if (code != 0 && intact_.ok()) intact_ = git2::FailureOf(code, "read the trees");
  return std::move(listing.paths);
}

Result<std::optional<TreeSha>> CommitFiles::With(const std::vector<git_tree_update>& updates) {
  return git2::UpdateTree(repository_.get(), Directory(""), updates);
}

Result<std::vector<std::string>> CommitFiles::NotAsIn(const CommitSha& other) {
  SWAGE_ASSIGN_OR_RETURN(const auto commit, git2::FindCommit(repository_.get(), other));
  SWAGE_ASSIGN_OR_RETURN(const auto theirs, git2::TreeOf(commit.get()));
  git_diff_options options;
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags |= GIT_DIFF_INCLUDE_TYPECHANGE;
  git_diff* raw = nullptr;
  const int code =
      git_diff_tree_to_tree(&raw, repository_.get(), theirs.get(), Directory(""), &options);
  if (code != 0) return git2::FailureOf(code, "compare trees");
  const git2::Diff diff(raw);
  std::vector<std::string> paths;
  for (std::size_t at = 0; at < git_diff_num_deltas(diff.get()); ++at) {
    const git_diff_delta* delta = git_diff_get_delta(diff.get(), at);
    if (delta->status != GIT_DELTA_DELETED) paths.emplace_back(delta->new_file.path);
  }
  return paths;
}

}  // namespace swage
