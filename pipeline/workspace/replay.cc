#include "pipeline/workspace/replay.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "pipeline/workspace/commit_object.h"
#include "pipeline/workspace/git_library.h"

namespace swage {
namespace {

using Conflicts =
    std::unique_ptr<git_index_conflict_iterator, git2::Freer<git_index_conflict_iterator_free>>;

class Replay {
 public:
  Replay(git2::Repository repository, const CommitSigner* signer)
      : repository_(std::move(repository)), signer_(signer) {}

  Result<Replayed> Run(const CommitSha& base, const CommitSha& head, const CommitSha& onto) {
    SWAGE_ASSIGN_OR_RETURN(const auto chain, ChainOf(base, head));
    if (chain) {
      SWAGE_ASSIGN_OR_RETURN(const auto replayed, OneByOne(*chain, onto));
      if (replayed) return Replayed{*replayed, {}};
    }
    return AsOne(base, head, onto);
  }

 private:
  // Oldest first. Nothing: there is a merge among them.
  Result<std::optional<std::vector<CommitSha>>> ChainOf(const CommitSha& base,
                                                        const CommitSha& head) {
    std::vector<CommitSha> chain;
    for (CommitSha at = head; at != base;) {
      if (chain.size() == kMaxReplayed) {
        return MakeError(ErrorCode::kTooLarge, "the branch has too many commits of its own");
      }
      SWAGE_ASSIGN_OR_RETURN(const auto commit, git2::FindCommit(repository_.get(), at));
      if (git_commit_parentcount(commit.get()) != 1) return std::optional<std::vector<CommitSha>>();
      chain.push_back(at);
      at = CommitSha{git2::Hex(*git_commit_parent_id(commit.get(), 0))};
    }
    std::reverse(chain.begin(), chain.end());
    return std::optional(std::move(chain));
  }

  // Nothing: one of them does not fit.
  Result<std::optional<CommitSha>> OneByOne(const std::vector<CommitSha>& chain, CommitSha at) {
    for (const CommitSha& sha : chain) {
      SWAGE_ASSIGN_OR_RETURN(const auto commit, git2::FindCommit(repository_.get(), sha));
      SWAGE_ASSIGN_OR_RETURN(const auto parent, git2::FindCommit(repository_.get(), at));
      git_index* raw = nullptr;
      const int code =
          git_cherrypick_commit(&raw, repository_.get(), commit.get(), parent.get(), 0, nullptr);
      const git2::Index merged(raw);
      if (code != 0) return git2::FailureOf(code, "put a commit onto another base");
      if (git_index_has_conflicts(merged.get()) != 0) return std::optional<CommitSha>();
      SWAGE_ASSIGN_OR_RETURN(at, Write(*merged, *parent, *commit));
    }
    return std::optional(at);
  }

  Result<Replayed> AsOne(const CommitSha& base, const CommitSha& head, const CommitSha& onto) {
    SWAGE_ASSIGN_OR_RETURN(const auto from, git2::FindCommit(repository_.get(), base));
    SWAGE_ASSIGN_OR_RETURN(const auto work, git2::FindCommit(repository_.get(), head));
    SWAGE_ASSIGN_OR_RETURN(const auto parent, git2::FindCommit(repository_.get(), onto));
    SWAGE_ASSIGN_OR_RETURN(const auto ancestor, git2::TreeOf(from.get()));
    SWAGE_ASSIGN_OR_RETURN(const auto ours, git2::TreeOf(parent.get()));
    SWAGE_ASSIGN_OR_RETURN(const auto theirs, git2::TreeOf(work.get()));
    git_index* raw = nullptr;
    const int code =
        git_merge_trees(&raw, repository_.get(), ancestor.get(), ours.get(), theirs.get(), nullptr);
    const git2::Index merged(raw);
    if (code != 0) return git2::FailureOf(code, "put the work onto another base");
    Replayed replayed;
    SWAGE_ASSIGN_OR_RETURN(replayed.left_out, LeaveOut(*merged));
    SWAGE_ASSIGN_OR_RETURN(replayed.head, Write(*merged, *parent, *work));
    return replayed;
  }

  // Each conflict is decided for what is there; whose change is lost by that is named.
  static Result<std::vector<std::string>> LeaveOut(git_index& merged) {
    struct Side {
      std::string path;
      std::optional<git_index_entry> kept;
    };
    std::vector<Side> sides;
    {
      git_index_conflict_iterator* raw = nullptr;
      const int code = git_index_conflict_iterator_new(&raw, &merged);
      if (code != 0) return git2::FailureOf(code, "conflicts");
      const Conflicts conflicts(raw);
      const git_index_entry *ancestor = nullptr, *ours = nullptr, *theirs = nullptr;
      while (git_index_conflict_next(&ancestor, &ours, &theirs, conflicts.get()) == 0) {
        const git_index_entry* const named = ours != nullptr     ? ours
                                             : theirs != nullptr ? theirs
                                                                 : ancestor;
        sides.push_back({named->path, ours == nullptr ? std::nullopt : std::optional(*ours)});
      }
    }
    std::vector<std::string> paths;
    for (Side& side : sides) {
      int code = git_index_conflict_remove(&merged, side.path.c_str());
      if (code == 0 && side.kept) {
        side.kept->path = side.path.c_str();
        side.kept->flags = 0;
        code = git_index_add(&merged, &*side.kept);
      }
      if (code != 0) return git2::FailureOf(code, "settle a conflict");
      paths.push_back(std::move(side.path));
    }
    return paths;
  }

  // With author and message of `original`; the parent itself where that holds everything already.
  Result<CommitSha> Write(git_index& merged, const git_commit& parent, const git_commit& original) {
    git_oid oid;
    const int code = git_index_write_tree_to(&oid, &merged, repository_.get());
    if (code != 0) return git2::FailureOf(code, "write the tree of a commit");
    if (git_oid_equal(&oid, git_commit_tree_id(&parent)) != 0) {
      return CommitSha{git2::Hex(*git_commit_id(&parent))};
    }
    SWAGE_ASSIGN_OR_RETURN(const auto tree,
                           git2::FindTree(repository_.get(), TreeSha{git2::Hex(oid)}));
    const git_signature* const before = git_commit_committer(&original);
    SWAGE_ASSIGN_OR_RETURN(const auto committer, SignatureOf({before->name, before->email}));
    return WriteCommit(
        repository_.get(),
        {parent, *tree, *git_commit_author(&original), *committer, git_commit_message(&original)},
        signer_);
  }

  git2::Repository repository_;
  const CommitSigner* signer_;
};

}  // namespace

Result<Replayed> ReplayCommits(const std::filesystem::path& mirror, const CommitSigner* signer,
                               const CommitSha& base, const CommitSha& head,
                               const CommitSha& onto) {
  SWAGE_ASSIGN_OR_RETURN(auto repository, git2::OpenBare(mirror));
  return Replay(std::move(repository), signer).Run(base, head, onto);
}

}  // namespace swage
