#include "pipeline/base_drift.h"

namespace swage {

Result<BaseDrift> FindDrift(Workspaces& workspaces, const RepoRef& repo, const CommitSha& base,
                            const CommitSha& tip) {
  if (tip == base) return BaseDrift::kNone;
  const auto common = workspaces.FindMergeBase(repo, base, tip);
  if (!common.ok() && common.error().code == ErrorCode::kNotFound) return BaseDrift::kRewritten;
  if (!common.ok()) return common.error();
  return *common == base ? BaseDrift::kMoved : BaseDrift::kRewritten;
}

}  // namespace swage
