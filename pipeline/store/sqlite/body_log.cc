#include "pipeline/store/sqlite/body_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "config/base/text.h"

namespace swage::sqlite {
namespace fs = std::filesystem;
namespace {

// What one read of a record may ask for; a body is at most 25 MB.
constexpr std::uint64_t kMaxTextBytes = 1ull << 30;

Error DiskError(ErrorCode code, std::string_view act, const fs::path& path) {
  return MakeError(code, fmt::format("{} {}: {}", act, path.string(), std::strerror(errno)));
}

Result<void> SyncDir(const fs::path& dir) {
  const Fd fd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid() && fsync(fd.get()) == 0) return Ok();
  return DiskError(ErrorCode::kUnavailable, "sync", dir);
}

// False with errno set. Uses up `parts`.
bool WriteParts(int fd, std::vector<iovec>& parts, std::int64_t position) {
  for (std::size_t at = 0; at < parts.size();) {
    const auto count = static_cast<int>(std::min<std::size_t>(parts.size() - at, IOV_MAX));
    const ssize_t n = pwritev(fd, &parts[at], count, position);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    position += n;
    auto left = static_cast<std::size_t>(n);
    while (at < parts.size() && left >= parts[at].iov_len) left -= parts[at++].iov_len;
    if (at == parts.size()) break;
    parts[at].iov_base = static_cast<char*>(parts[at].iov_base) + left;
    parts[at].iov_len -= left;
  }
  return true;
}

// Short at the end of the file.
Result<std::string> ReadAt(const Fd& fd, const fs::path& path, std::int64_t position,
                           std::uint64_t size) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t n =
        pread(fd.get(), bytes.data() + have, size - have, position + static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return DiskError(ErrorCode::kInternal, "read", path);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

iovec Part(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<std::unique_ptr<BodyLog>> BodyLog::Open(fs::path dir, std::uint64_t salt) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(dir));
  SWAGE_RETURN_IF_ERROR(SyncDir(dir.parent_path()));
  std::unique_ptr<BodyLog> log(new BodyLog(std::move(dir), salt));
  std::error_code failed;
  for (fs::directory_iterator it(log->dir_, failed), end; !failed && it != end;
       it.increment(failed)) {
    const fs::path& name = it->path();
    const auto number = name.extension() == ".log" ? ParseInt(name.stem().string()) : std::nullopt;
    if (number.has_value() && *number > 0) log->Hold(*number, 0);
  }
  if (!failed) return log;
  return MakeError(ErrorCode::kInternal,
                   fmt::format("list {}: {}", log->dir_.string(), failed.message()));
}

fs::path BodyLog::PathOf(std::int64_t segment) const {
  return dir_ / fmt::format("{:08}.log", segment);
}

// --- writing ------------------------------------------------------------------------------------

Result<BodyLog::Batch> BodyLog::Append(const std::vector<NewDelivery>& deliveries,
                                       WallTime received) {
  std::int64_t bytes = 0;
  for (const NewDelivery& delivery : deliveries) bytes += RecordBytes(delivery);
  Batch batch(*this, TakeLane());
  Lane& lane = *batch.lane_;
  if (!lane.file.valid() || lane.end + bytes > lane.capacity) {
    SWAGE_RETURN_IF_ERROR(Begin(lane, bytes));
  }
  const auto written = Write(lane, deliveries, received, batch.places_);
  if (!written.ok()) {
    Leave(lane);
    return written.error();
  }
  lane.end += bytes;
  batch.held_ = static_cast<std::int64_t>(deliveries.size());
  const std::lock_guard lock(mutex_);
  segments_[lane.segment].rows += batch.held_;
  return batch;
}

// The first free one: a quiet server fills one segment, not four.
BodyLog::Lane& BodyLog::TakeLane() {
  std::unique_lock lock(mutex_);
  const auto free = [this] {
    return std::find_if(lanes_.begin(), lanes_.end(), [](const Lane& l) { return !l.busy; });
  };
  lane_free_.wait(lock, [&] { return free() != lanes_.end(); });
  Lane& lane = *free();
  lane.busy = true;
  return lane;
}

Result<void> BodyLog::Begin(Lane& lane, std::int64_t bytes) {
  Leave(lane);
  {
    const std::lock_guard lock(mutex_);
    lane.segment = next_segment_++;
  }
  const fs::path path = PathOf(lane.segment);
  Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return DiskError(ErrorCode::kUnavailable, "create", path);
  // With its blocks set aside a sync has less to tell the file system. Not every one can do it.
  lane.capacity = std::max(bytes, kSegmentBytes);
  (void)fallocate(file.get(), 0, 0, lane.capacity);
  if (const auto synced = SyncDir(dir_); !synced.ok()) {
    unlink(path.c_str());
    return synced;
  }
  lane.file = std::move(file);
  lane.end = 0;
  const std::lock_guard lock(mutex_);
  segments_[lane.segment].written = true;
  return Ok();
}

Result<void> BodyLog::Write(Lane& lane, const std::vector<NewDelivery>& deliveries,
                            WallTime received, std::vector<BodyPlace>& places) const {
  places.reserve(deliveries.size());
  std::string heads;
  std::vector<std::size_t> head_ends;
  head_ends.reserve(deliveries.size());
  std::int64_t position = lane.end;
  for (const NewDelivery& delivery : deliveries) {
    places.push_back({lane.segment, position, RecordBytes(delivery)});
    EncodeRecord(delivery, received, RecordSeed(salt_, lane.segment, position), heads);
    head_ends.push_back(heads.size());
    position += places.back().size;
  }
  std::vector<iovec> parts;
  parts.reserve(2 * deliveries.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    parts.push_back(Part(std::string_view(heads).substr(begin, head_ends[i] - begin)));
    parts.push_back(Part(deliveries[i].body));
    begin = head_ends[i];
  }
  if (WriteParts(lane.file.get(), parts, lane.end) && fdatasync(lane.file.get()) == 0) return Ok();
  return DiskError(ErrorCode::kUnavailable, "append to", PathOf(lane.segment));
}

// The lane begins another segment next time.
void BodyLog::Leave(Lane& lane) {
  if (!lane.file.valid()) return;
  lane.file.Close();
  const std::lock_guard lock(mutex_);
  const auto at = segments_.find(lane.segment);
  at->second.written = false;
  RemoveIfUnheld(at);
}

void BodyLog::Finish(Batch& batch) {
  if (batch.held_ > 0) Drop(batch.lane_->segment, batch.held_ - batch.kept_);
  {
    const std::lock_guard lock(mutex_);
    batch.lane_->busy = false;
  }
  lane_free_.notify_one();
}

// --- reading ------------------------------------------------------------------------------------

Result<std::string> BodyLog::Reader::Body(const BodyPlace& place, const NewDelivery& expected) {
  const fs::path path = log_.PathOf(place.segment);
  if (!file_.valid() || segment_ != place.segment) {
    segment_ = place.segment;
    file_ = Fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file_.valid()) return DiskError(ErrorCode::kInternal, "open", path);
  }
  const auto size = static_cast<std::uint64_t>(place.size);
  if (place.size >= static_cast<std::int64_t>(kRecordHeadBytes) && size <= kMaxTextBytes) {
    SWAGE_ASSIGN_OR_RETURN(const std::string record, ReadAt(file_, path, place.position, size));
    const std::uint64_t seed = RecordSeed(log_.salt_, place.segment, place.position);
    const auto head = record.size() == size ? DecodeHead(record, seed) : std::nullopt;
    auto found = head.has_value()
                     ? DecodeText(*head, std::string_view(record).substr(kRecordHeadBytes), seed)
                     : std::nullopt;
    if (found.has_value() && found->forge == expected.forge && found->key == expected.key) {
      return std::move(found->body);
    }
  }
  return MakeError(ErrorCode::kInternal,
                   fmt::format("{} is damaged at byte {}: the body of delivery {} is lost",
                               path.string(), place.position, expected.key));
}

std::vector<std::int64_t> BodyLog::Segments() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::int64_t> numbers;
  for (const auto& [number, segment] : segments_) numbers.push_back(number);
  return numbers;
}

// A record whose head is whole and whose text is not is stepped over: its batch was torn by the
// power cut and never acknowledged, or it rotted, and those behind it did not.
Result<std::int64_t> BodyLog::Replay(std::int64_t segment, std::int64_t position,
                                     const Visit& visit) const {
  const fs::path path = PathOf(segment);
  const Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return DiskError(ErrorCode::kInternal, "open", path);
  for (;;) {
    const std::uint64_t seed = RecordSeed(salt_, segment, position);
    SWAGE_ASSIGN_OR_RETURN(const std::string bytes, ReadAt(file, path, position, kRecordHeadBytes));
    const auto head = bytes.size() == kRecordHeadBytes ? DecodeHead(bytes, seed) : std::nullopt;
    if (!head.has_value() || head->TextSize() > kMaxTextBytes) return position;
    const auto text_at = position + static_cast<std::int64_t>(kRecordHeadBytes);
    SWAGE_ASSIGN_OR_RETURN(const std::string text, ReadAt(file, path, text_at, head->TextSize()));
    const BodyPlace place{
        segment, position,
        static_cast<std::int64_t>(kRecordHeadBytes) + static_cast<std::int64_t>(head->TextSize())};
    if (const auto delivery = DecodeText(*head, text, seed)) {
      SWAGE_RETURN_IF_ERROR(visit(*delivery, FromMicros(head->received_us), place));
    }
    position += place.size;
  }
}

// --- who needs which segment --------------------------------------------------------------------

void BodyLog::Hold(std::int64_t segment, std::int64_t rows) {
  const std::lock_guard lock(mutex_);
  segments_[segment].rows += rows;
  next_segment_ = std::max(next_segment_, segment + 1);
}

void BodyLog::RemoveUnheld() {
  const std::lock_guard lock(mutex_);
  for (auto at = segments_.begin(); at != segments_.end();) RemoveIfUnheld(at++);
}

void BodyLog::Drop(std::int64_t segment, std::int64_t rows) {
  const std::lock_guard lock(mutex_);
  const auto at = segments_.find(segment);
  SWAGE_CHECK(at != segments_.end() && at->second.rows >= rows);
  at->second.rows -= rows;
  RemoveIfUnheld(at);
}

// Under the lock. A file that cannot be removed now is found again when the store opens.
void BodyLog::RemoveIfUnheld(std::map<std::int64_t, Segment>::iterator at) {
  if (at->second.rows > 0 || at->second.written) return;
  unlink(PathOf(at->first).c_str());
  segments_.erase(at);
}

}  // namespace swage::sqlite
