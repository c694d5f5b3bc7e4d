#include "pipeline/base_drift.h"

namespace swage {

Result<BaseDrift> FindDrift(Workspaces& workspaces, const RepoRef& repo, const CommitSha& base,
                            const CommitSha& tip) {
  if (tip == base) return BaseDrift::kNone;
  SWAGE_ASSIGN_OR_RETURN(const std::optional<CommitSha> common,
                         workspaces.FindMergeBase(repo, base, tip));
  return common == base ? BaseDrift::kMoved : BaseDrift::kRewritten;
}

}  // namespace swage
