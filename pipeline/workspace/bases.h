// Bases: the checkouts that overlays lie over, one per (repository, commit, owner), shared by all
// tasks that begin there.
//
// A base never changes while anybody uses it: whoever uses it holds a shared lock on its lock file,
// whoever changes it an exclusive one. The kernel counts the references, and gives them back
// however a process ends. One that nobody uses is moved to a later commit, which costs about what
// the two commits differ in, and is evicted by number, age and size. Its index knows the stat data
// of its files; it is old enough that git trusts it without reading them again. After the machine
// has started anew no base is trusted: nothing of one is synced to disk.
//
// Layout below the directory: MIRROR/ID/{lock, state}, MIRROR/ID/git (the trusted git directory),
// MIRROR/ID/work (the files, with a `.git` without a branch in them). What begins with a dot is on
// its way out.
// Safe from many threads.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "config/base/files.h"
#include "pipeline/workspace/provisioner.h"

namespace swage {

/// A base in use: immutable as long as this lives.
struct BaseUse {
  std::filesystem::path tree;
  std::filesystem::path index;
  CommitSha commit;
  Fd lock;
};

class Bases {
 public:
  Bases(std::filesystem::path dir, const KeptTrees& limits);

  /// The base of `plan.start` if there is one, else that of `plan.base`, which is made when there
  /// is none: by moving one that is idle, or anew. Blocks as long as a checkout takes, also when
  /// another thread makes the same.
  Result<BaseUse> Use(const TreePlan& plan, std::stop_token stop);

  /// Removes idle bases: broken ones, old ones, and the longest unused beyond the limit of bytes.
  Result<void> Evict();

  /// Bases that nobody uses now, the longest unused first.
  Result<std::vector<std::filesystem::path>> ListIdle() const;
  /// Removes one of them. False: somebody uses it by now.
  Result<bool> RemoveIdle(const std::filesystem::path& base) const;

 private:
  struct State;
  struct Found;

  Result<std::optional<BaseUse>> FindReady(const TreePlan& plan, const CommitSha& commit) const;
  Result<Fd> TakeIdle(const TreePlan& plan, std::filesystem::path& base) const;
  Result<void> Build(const TreePlan& plan, const std::filesystem::path& base,
                     const std::stop_token& stop) const;
  std::vector<Found> List(const std::filesystem::path& repository) const;
  std::filesystem::path RepositoryOf(const Mirror& mirror) const;

  const std::filesystem::path dir_;
  const KeptTrees limits_;
  const std::string epoch_;
};

}  // namespace swage
