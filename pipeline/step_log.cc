#include "pipeline/step_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace swage {
namespace {

constexpr std::size_t kMaxHeldLine = 64 << 10;  // a "line" without an end is written in such pieces
constexpr std::size_t kHeldBack = 4 << 10;  // of which the end may be the first half of a secret

std::string SafeName(std::string_view name) {
  std::string safe;
  for (const char c : name.substr(0, 100)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    safe += plain ? c : '-';
  }
  return safe;
}

// A log that cannot be written (disk full) must not stop the work it describes.
void WriteSome(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

Result<StepLog> StepLog::Open(const std::filesystem::path& data_dir, TaskId task,
                              std::string_view name, const Redactor& redactor) {
  const std::string relative = fmt::format("logs/{}/{}.log", task.value, SafeName(name));
  const std::filesystem::path path = data_dir / relative;
  SWAGE_RETURN_IF_ERROR(MakeDirs(path.parent_path()));
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) {
    return MakeError(ErrorCode::kInternal, fmt::format("cannot create the log {}", relative));
  }
  return StepLog(std::move(fd), relative, redactor);
}

StepLog::~StepLog() {
  if (fd_.valid()) Flush();
}

void StepLog::Append(std::string_view bytes) {
  held_ += bytes;
  const std::size_t end = held_.rfind('\n');
  if (end != std::string::npos) {
    WriteSome(fd_.get(), redactor_->Apply(std::string_view(held_).substr(0, end + 1)));
    held_.erase(0, end + 1);
  }
  if (held_.size() <= kMaxHeldLine) return;
  held_ = redactor_->Apply(held_);
  const std::size_t ready = held_.size() - std::min(held_.size(), kHeldBack);
  WriteSome(fd_.get(), std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
}

void StepLog::Flush() {
  if (held_.empty()) return;
  WriteSome(fd_.get(), redactor_->Apply(held_));
  held_.clear();
}

}  // namespace swage
