// DiskTrace: all that a server has asked of the disk below a folder, in order, and what a power cut
// at any moment would have left of it (X2).
//
// The trace is written by the preloaded library of preload/disk_trace.cc. What was synced stays;
// of what was not, any part may stay: each write whole, cut off at any byte, or not at all, in any
// order. A file is there when its folder was synced after it was made; otherwise it may be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "config/base/result.h"

namespace swage::test {

enum class DiskAct : std::int32_t {
  kCreate,  ///< number = 1: a folder
  kRemove,
  kWrite,      ///< number = position
  kSetSize,    ///< number = the new size; bytes that come to be are zero
  kSyncBegin,  ///< number = which sync
  kSyncEnd,
  kAnswer,  ///< number = the client's port; the bytes are the first of the answer
};

/// As it lies in the trace; the path and the bytes follow.
struct DiskRecordHead {
  DiskAct act = DiskAct::kCreate;
  std::uint32_t path_size = 0;
  std::int64_t number = 0;
  std::uint64_t size = 0;
};

struct DiskEvent {
  DiskAct act = DiskAct::kCreate;
  std::string path;  ///< below the folder; "" = the folder itself
  std::int64_t number = 0;
  std::string bytes;
};

/// The whole records of a trace.
Result<std::vector<DiskEvent>> ReadDiskTrace(const std::filesystem::path& file);

/// For each event, which one made sure of it: the end of the first sync of its file (of its folder,
/// for kCreate and kRemove) that began after it; events.size() without one.
std::vector<std::size_t> FindSyncs(const std::vector<DiskEvent>& events);

/// Makes the files that a power cut right before event number `cut` leaves below `folder`. `lost`
/// in [0, 1]: how much of what was not synced is gone; between the two, `random` decides.
void LeaveAfterPowerCut(const std::vector<DiskEvent>& events, const std::vector<std::size_t>& syncs,
                        std::size_t cut, double lost, std::minstd_rand& random,
                        const std::filesystem::path& folder);

}  // namespace swage::test
