#include "pipeline/checkpoint.h"

#include <fmt/format.h>

namespace swage {

Result<void> BringCommit(Store& store, Workspaces& workspaces, const Task& task,
                         const CommitSha& commit) {
  if (workspaces.HasCommit(task.repo, commit)) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const std::optional<Checkpoint> saved, store.LoadCheckpoint(task.id));
  if (!saved || saved->commit != commit) {
    return MakeError(ErrorCode::kNotFound,
                     fmt::format("commit {} is not on this node, and not in the store",
                                 commit.value.substr(0, 12)));
  }
  const auto unpacked = workspaces.Unpack(task.repo, saved->base, commit, saved->pack);
  if (!unpacked.ok()) return unpacked.error().With("checkpoint " + commit.value.substr(0, 12));
  return Ok();
}

}  // namespace swage
