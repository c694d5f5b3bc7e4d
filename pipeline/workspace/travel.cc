#include "pipeline/workspace/travel.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"
#include "pipeline/workspace/checks.h"
#include "pipeline/workspace/git_library.h"
#include "pipeline/workspace/tree_scan.h"

namespace swage {
namespace {

constexpr std::chrono::minutes kPackLimit{2};
constexpr int kMaxCommits = 10'000;
constexpr unsigned kPackMode = 0444;

using Indexer = std::unique_ptr<git_indexer, git2::Freer<git_indexer_free>>;
using ObjectDatabase = std::unique_ptr<git_odb, git2::Freer<git_odb_free>>;

Error Broken(int code, std::string_view act) {
  Error error = git2::FailureOf(code, act);
  error.code = ErrorCode::kInvalid;
  return error;
}

// The indexer hashes every object, finds the base of every delta, and that nothing they refer to is
// missing.
Result<void> Index(git_repository* repository, const std::filesystem::path& mirror,
                   std::string_view pack) {
  git_odb* raw_odb = nullptr;
  int code = git_repository_odb(&raw_odb, repository);
  if (code != 0) return git2::FailureOf(code, "objects of the mirror");
  const ObjectDatabase odb(raw_odb);
  git_indexer_options options;
  git_indexer_options_init(&options, GIT_INDEXER_OPTIONS_VERSION);
  options.verify = 1;
  git_indexer* raw = nullptr;
  const std::string folder = mirror / "objects" / "pack";
  code = git_indexer_new(&raw, folder.c_str(), kPackMode, odb.get(), &options);
  if (code != 0) return git2::FailureOf(code, "index checkpoint");
  const Indexer indexer(raw);
  git_indexer_progress progress{};
  code = git_indexer_append(indexer.get(), pack.data(), pack.size(), &progress);
  if (code == 0) code = git_indexer_commit(indexer.get(), &progress);
  if (code != 0) return Broken(code, "index checkpoint");
  code = git_odb_refresh(odb.get());
  return code == 0 ? Ok() : Result<void>(git2::FailureOf(code, "objects of the mirror"));
}

// Snapshots have one parent each; the first one's is the base.
Result<void> CheckChain(git_repository* repository, const CommitSha& base,
                        const CommitSha& commit) {
  CommitSha at = commit;
  for (int commits = 0; at != base; ++commits) {
    if (commits == kMaxCommits) {
      return MakeError(ErrorCode::kTooLarge, "the checkpoint has too many commits");
    }
    SWAGE_ASSIGN_OR_RETURN(const auto found, git2::FindCommit(repository, at));
    if (git_commit_parentcount(found.get()) != 1) {
      return MakeError(ErrorCode::kInvalid, "the checkpoint does not start at its base");
    }
    at = CommitSha{git2::Hex(*git_commit_parent_id(found.get(), 0))};
  }
  return Ok();
}

bool IsPlainPath(std::string_view path) {
  const auto parts = Split(path, '/');
  return std::ranges::none_of(parts, [](std::string_view part) {
    return part.empty() || part == "." || part == ".." || LooksLikeDotGit(part);
  });
}

// A checkout refuses such paths too; here the checkpoint as a whole is refused, with the reason.
Result<void> CheckPaths(git_repository* repository, const CommitSha& base,
                        const CommitSha& commit) {
  SWAGE_ASSIGN_OR_RETURN(const auto old_commit, git2::FindCommit(repository, base));
  SWAGE_ASSIGN_OR_RETURN(const auto new_commit, git2::FindCommit(repository, commit));
  SWAGE_ASSIGN_OR_RETURN(const auto from, git2::TreeOf(old_commit.get()));
  SWAGE_ASSIGN_OR_RETURN(const auto to, git2::TreeOf(new_commit.get()));
  git_diff* raw = nullptr;
  const int code = git_diff_tree_to_tree(&raw, repository, from.get(), to.get(), nullptr);
  if (code != 0) return git2::FailureOf(code, "diff");
  const git2::Diff diff(raw);
  for (std::size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
    const git_diff_file& file = git_diff_get_delta(diff.get(), i)->new_file;
    if (file.mode == GIT_FILEMODE_UNREADABLE || IsPlainPath(file.path)) continue;
    return MakeError(ErrorCode::kInvalid, "the checkpoint holds a path that git would not take");
  }
  return Ok();
}

}  // namespace

bool HasCommit(const std::filesystem::path& mirror, const CommitSha& commit) {
  const auto repository = git2::OpenBare(mirror);
  return repository.ok() && git2::FindCommit(repository->get(), commit).ok();
}

Result<std::string> PackCommits(const Git& git, const std::filesystem::path& mirror,
                                const CommitSha& base, const CommitSha& commit) {
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(base));
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(commit));
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(mirror));
  SWAGE_RETURN_IF_ERROR(CheckChain(repository.get(), base, commit));
  GitCall call;
  call.git_dir = mirror;
  call.arguments = {"pack-objects", "--revs", "--thin", "--stdout", "--quiet"};
  call.input = fmt::format("{}\n^{}\n", commit.value, base.value);
  call.time_limit = kPackLimit;
  call.output_cap = kMaxCheckpointBytes;
  return git.Run(call);
}

Result<void> UnpackCommits(const std::filesystem::path& mirror, const CommitSha& base,
                           const CommitSha& commit, std::string_view pack) {
  SWAGE_RETURN_IF_ERROR(CheckCommitSha(commit));
  if (pack.size() > kMaxCheckpointBytes) {
    return MakeError(ErrorCode::kTooLarge, "the checkpoint is too large");
  }
  SWAGE_ASSIGN_OR_RETURN(const auto repository, git2::OpenBare(mirror));
  SWAGE_ASSIGN_OR_RETURN(const auto ground, git2::FindCommit(repository.get(), base));
  SWAGE_RETURN_IF_ERROR(Index(repository.get(), mirror, pack));
  SWAGE_RETURN_IF_ERROR(CheckChain(repository.get(), base, commit));
  return CheckPaths(repository.get(), base, commit);
}

}  // namespace swage
