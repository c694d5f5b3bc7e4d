// BodyLog: the bytes of the deliveries, beside the database and synced before their rows exist.
//
// A webhook's body is read once and then never again: a B-tree would write it twice and split pages
// for it. Here a batch is one write and one sync at the end of a segment file, and its rows in
// SQLite are small and need no sync of their own: a record holds all that its row is made of, so
// after a power cut the rows that SQLite lost are written again from the log (see Replay). A record
// without a row was never acknowledged, or is the repetition of one that was.
//
// Several lanes write at once, each to a segment of its own, because disks finish several syncs
// sooner than one after the other. A segment is removed when nothing is written to it any more and
// no pending delivery refers to it. After a failed write or sync a segment is never appended to
// again: what the kernel still holds of it is not known.
//
// Files: DIR/00000001.log ... Thread-safe.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "config/base/files.h"
#include "config/base/result.h"
#include "pipeline/store/sqlite/body_record.h"

namespace swage::sqlite {

class BodyLog {
 public:
  static constexpr std::size_t kLanes = 4;
  /// Set aside when a segment begins; only a batch that alone is larger makes a larger one.
  static constexpr std::int64_t kSegmentBytes = 32 << 20;

 private:
  struct Lane {
    Fd file;  // of the segment it writes to, if it has begun one
    std::int64_t segment = 0;
    std::int64_t end = 0;
    std::int64_t capacity = 0;
    bool busy = false;
  };

 public:
  /// Records that are on disk; their rows are to be written next. Holds its lane, so that rows of
  /// one segment are committed in the order of their records.
  class Batch {
   public:
    Batch(Batch&& other) noexcept
        : log_(std::exchange(other.log_, nullptr)),
          lane_(other.lane_),
          places_(std::move(other.places_)),
          held_(other.held_),
          kept_(other.kept_) {}
    Batch& operator=(Batch&&) = delete;
    ~Batch() {
      if (log_ != nullptr) log_->Finish(*this);
    }
    /// One for each delivery.
    const std::vector<BodyPlace>& places() const { return places_; }
    std::int64_t segment() const { return lane_->segment; }
    /// Where the next batch of this segment begins.
    std::int64_t end() const { return lane_->end; }
    /// So many of its deliveries have a row now; without this call none has.
    void Keep(std::int64_t rows) { kept_ = rows; }

   private:
    friend class BodyLog;
    Batch(BodyLog& log, Lane& lane) : log_(&log), lane_(&lane) {}
    BodyLog* log_;  // null once moved from
    Lane* lane_;
    std::vector<BodyPlace> places_;
    std::int64_t held_ = 0;
    std::int64_t kept_ = 0;
  };

  /// Reads bodies; remembers the segment it has open. For one thread.
  class Reader {
   public:
    explicit Reader(const BodyLog& log) : log_(log) {}
    /// Errors: kInternal, naming the file, when the record at `place` is not whole or not that of
    /// `expected` (its forge and key).
    Result<std::string> Body(const BodyPlace& place, const NewDelivery& expected);

   private:
    const BodyLog& log_;
    std::int64_t segment_ = 0;
    Fd file_;
  };

  /// Creates the folder if it is absent and finds its segments; nothing is written to those.
  static Result<std::unique_ptr<BodyLog>> Open(std::filesystem::path dir, std::uint64_t salt);

  /// Blocks until a lane is free and the records are on disk. Errors: kUnavailable (disk full).
  Result<Batch> Append(const std::vector<NewDelivery>& deliveries, WallTime received);

  // While the store opens, before the first Append.

  std::vector<std::int64_t> Segments() const;
  using Visit = std::function<Result<void>(const NewDelivery&, WallTime, const BodyPlace&)>;
  /// Visits the whole records of a segment from `position` on; where they end.
  Result<std::int64_t> Replay(std::int64_t segment, std::int64_t position,
                              const Visit& visit) const;
  /// So many pending rows refer to the segment.
  void Hold(std::int64_t segment, std::int64_t rows);
  /// Removes the segments that no row refers to.
  void RemoveUnheld();

  /// One pending row less refers to the segment.
  void Release(std::int64_t segment) { Drop(segment, 1); }

 private:
  struct Segment {
    std::int64_t rows = 0;  // pending ones that refer to it, and records whose rows may yet come
    bool written = false;   // belongs to a lane
  };

  BodyLog(std::filesystem::path dir, std::uint64_t salt) : dir_(std::move(dir)), salt_(salt) {}
  std::filesystem::path PathOf(std::int64_t segment) const;
  Lane& TakeLane();
  Result<void> Begin(Lane& lane, std::int64_t bytes);
  Result<void> Write(Lane& lane, const std::vector<NewDelivery>& deliveries, WallTime received,
                     std::vector<BodyPlace>& places) const;
  void Leave(Lane& lane);
  void Finish(Batch& batch);
  void Drop(std::int64_t segment, std::int64_t rows);
  void RemoveIfUnheld(std::map<std::int64_t, Segment>::iterator at);

  const std::filesystem::path dir_;
  const std::uint64_t salt_;
  mutable std::mutex mutex_;  // guards what follows; a busy lane belongs to its batch
  std::condition_variable lane_free_;
  std::array<Lane, kLanes> lanes_;
  std::map<std::int64_t, Segment> segments_;
  std::int64_t next_segment_ = 1;
};

}  // namespace swage::sqlite
