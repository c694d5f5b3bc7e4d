#include "pipeline/runtime/disk_guard.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <system_error>

#include "config/base/limits.h"

namespace swage {
Result<DiskUse> MeasureDisk(const std::filesystem::path& dir) {
  struct statvfs info {};
  if (statvfs(dir.c_str(), &info) == 0) {
    const std::uint64_t block = info.f_frsize;
    // What only root may still write is as good as used.
    return DiskUse{(info.f_blocks - info.f_bfree + info.f_bavail) * block, info.f_bavail * block};
  }
  return MakeError(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInternal,
                   fmt::format("measure {}: {}", dir.string(),
                               std::error_code(errno, std::generic_category()).message()));
}

bool IsAbove(const DiskMark& mark, const DiskUse& use) {
  if (mark.bytes > 0) return use.used() > mark.bytes;
  // total * percent / 100, without overflow.
  const auto percent = static_cast<std::uint64_t>(mark.percent);
  return use.used() > use.total / 100 * percent + use.total % 100 * percent / 100;
}

std::string DescribeDisk(const DiskMark& mark, const DiskUse& use) {
  const std::uint64_t percent = use.total == 0 ? 0 : use.used() * 100 / use.total;
  return fmt::format("{}% of {} is used ({} free); workspaces.disk_high_water is {}", percent,
                     FormatSize(use.total), FormatSize(use.free),
                     mark.bytes > 0 ? FormatSize(mark.bytes) : fmt::format("{}%", mark.percent));
}

Result<void> DiskGuard::RunOnce(std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(DiskUse use, measure_());
  Result<void> outcome;
  if (IsAbove(mark_, use)) {
    tell_(DescribeDisk(mark_, use));  // making room may take its time
    outcome = MakeRoom(use, std::move(stop));
  }
  const bool full = IsAbove(mark_, use);
  const std::string state = DescribeDisk(mark_, use);
  if (full && !alarmed_) {
    log_.Error("the disk is too full to claim tasks; make room, or raise the mark",
               {{"disk", state}});
  } else if (!full && alarmed_) {
    log_.Info("there is room on the disk again; claiming goes on", {{"disk", state}});
  }
  alarmed_ = full;
  tell_(full ? std::optional(state) : std::nullopt);
  return outcome;
}

// A kind that fails keeps no other from making room.
Result<void> DiskGuard::MakeRoom(DiskUse& use, std::stop_token stop) {
  Result<void> outcome;
  int removals = 0;
  for (const auto& reclaimer : reclaimers_) {
    if (!IsAbove(mark_, use) || stop.stop_requested()) break;
    if (auto made = MakeRoomBy(*reclaimer, use, removals, stop); !made.ok()) outcome = made;
  }
  return outcome;
}

Result<void> DiskGuard::MakeRoomBy(Reclaimer& reclaimer, DiskUse& use, int& removals,
                                   std::stop_token stop) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Spare> spares, reclaimer.List());
  for (const Spare& spare : spares) {
    if (!IsAbove(mark_, use) || removals++ >= kMaxRemovals || stop.stop_requested()) break;
    SWAGE_ASSIGN_OR_RETURN(const bool removed, reclaimer.Remove(spare, stop));
    if (!removed) continue;
    log_.Info("removed to make room on the disk", {{"what", spare.what}});
    SWAGE_ASSIGN_OR_RETURN(use, measure_());
  }
  return Ok();
}

}  // namespace swage
