// DiskGuard: keeps the file system of data_dir from filling up (C11).
//
// Above the mark it removes what nobody needs any more, the oldest first, as its Reclaimers know
// it; when that is not enough it says so to whoever claims tasks, until there is room again. Work
// is never removed: a workspace goes only when its last checkpoint is in the mirror.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "config/base/log.h"
#include "config/runtime_settings.h"
#include "pipeline/maintenance/duty.h"

namespace swage {

struct DiskUse {
  std::uint64_t total = 0;
  std::uint64_t free = 0;  ///< for a process that is not root
  std::uint64_t used() const { return total - free; }
};
/// Errors: kNotFound, kInternal.
Result<DiskUse> MeasureDisk(const std::filesystem::path& dir);
bool IsAbove(const DiskMark& mark, const DiskUse& use);
/// "93% of 40 GiB is used (2.8 GiB free); workspaces.disk_high_water is 90%": for people. Pure.
std::string DescribeDisk(const DiskMark& mark, const DiskUse& use);

/// A thing that nobody needs now.
struct Spare {
  std::string what;  ///< "cache acme-lib/npm/3": for people
  std::filesystem::path place;
  bool whole = true;  ///< false: what is of no use in it goes, the rest stays
};

/// One kind of thing that can go when room is short.
class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  /// What could go now, the oldest first.
  virtual Result<std::vector<Spare>> List() = 0;
  /// False: somebody has use for it by now, and it stays. Blocks as long as it takes.
  virtual Result<bool> Remove(const Spare& spare, std::stop_token stop) = 0;
};

class DiskGuard final : public Duty {
 public:
  static constexpr std::chrono::seconds kEvery{15};
  static constexpr int kMaxRemovals = 1'000;  ///< in one round
  /// Called with the reason when there is no room, with nothing once there is; each round.
  using Tell = std::function<void(std::optional<std::string> no_room)>;
  using Measure = std::function<Result<DiskUse>()>;

  DiskGuard(DiskMark mark, Measure measure, std::vector<std::unique_ptr<Reclaimer>> reclaimers,
            Tell tell, Log& log)
      : mark_(mark),
        measure_(std::move(measure)),
        reclaimers_(std::move(reclaimers)),
        tell_(std::move(tell)),
        log_(log) {}

  std::string_view Name() const override { return "disk-guard"; }
  Result<void> RunOnce(std::stop_token stop) override;

 private:
  /// Down to the mark, as far as that goes; `use` is what is used then.
  Result<void> MakeRoom(DiskUse& use, std::stop_token stop);
  Result<void> MakeRoomBy(Reclaimer& reclaimer, DiskUse& use, int& removals, std::stop_token stop);

  const DiskMark mark_;
  const Measure measure_;
  const std::vector<std::unique_ptr<Reclaimer>> reclaimers_;
  const Tell tell_;
  Log& log_;
  bool alarmed_ = false;
};

}  // namespace swage
