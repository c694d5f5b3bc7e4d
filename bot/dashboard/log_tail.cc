#include "bot/dashboard/log_tail.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

std::uint64_t SizeOf(const Fd& fd) {
  struct stat info {};
  return fstat(fd.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

// At most `max_bytes` from `at`; fewer at the end of the file or when reading fails.
std::string ReadAt(const Fd& fd, std::uint64_t at, std::size_t max_bytes) {
  std::string bytes(max_bytes, '\0');
  std::size_t have = 0;
  while (have < max_bytes) {
    const ssize_t n =
        pread(fd.get(), bytes.data() + have, max_bytes - have, static_cast<off_t>(at + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

// Where the last `tail_bytes` begin, moved on to the beginning of a line when there is one.
std::uint64_t TailStart(const Fd& fd, std::size_t tail_bytes) {
  const std::uint64_t size = SizeOf(fd);
  if (size <= tail_bytes) return 0;
  const std::uint64_t start = size - tail_bytes;
  const std::size_t line = ReadAt(fd, start, tail_bytes).find('\n');
  return line == std::string::npos ? start : start + line + 1;
}

std::string Inert(std::string_view bytes) {
  return ToValidUtf8(StripControl(bytes));
}

}  // namespace

Result<std::string> ReadLogTail(const std::filesystem::path& data_dir, const std::string& log_path,
                                std::size_t max_bytes) {
  SWAGE_ASSIGN_OR_RETURN(const Fd fd, OpenBeneath(data_dir, log_path));
  const std::uint64_t start = TailStart(fd, max_bytes);
  std::string text = Inert(ReadAt(fd, start, max_bytes));
  if (start == 0) return text;
  return "[" + std::to_string(start) + " bytes before this are left out]\n" + text;
}

LogFollower::LogFollower(std::filesystem::path data_dir, std::string log_path,
                         std::size_t tail_bytes)
    : data_dir_(std::move(data_dir)), log_path_(std::move(log_path)) {
  if (const Result<Fd> fd = OpenBeneath(data_dir_, log_path_)) at_ = TailStart(*fd, tail_bytes);
}

std::string LogFollower::Next(bool ended) {
  const Result<Fd> fd = OpenBeneath(data_dir_, log_path_);
  if (!fd || SizeOf(*fd) <= at_) return "";
  std::string bytes = ReadAt(*fd, at_, kMaxPiece);
  // Whole lines only, so that no escape sequence or character is cut in two; a line longer than a
  // piece is cut all the same.
  const std::size_t end = bytes.rfind('\n');
  if (end != bytes.npos) {
    bytes.resize(end + 1);
  } else if (!ended && bytes.size() < kMaxPiece) {
    return "";
  }
  at_ += bytes.size();
  return Inert(bytes);
}

}  // namespace swage
