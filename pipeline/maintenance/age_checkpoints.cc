#include "pipeline/maintenance/age_checkpoints.h"

namespace swage {

Result<void> AgeCheckpoints::RunOnce(std::stop_token stop) {
  for (int dropped = kBatch; dropped == kBatch && !stop.stop_requested();) {
    SWAGE_ASSIGN_OR_RETURN(dropped, store_.DropOldCheckpoints(age_, kBatch));
  }
  return Ok();
}

}  // namespace swage
