// A library to preload into a server: writes down what it asks of the disk and what it answers, in
// order (see ../disk_trace.h).
//
// Environment: SWAGE_DISK_TRACE = the file to write; SWAGE_DISK_PREFIX = FOLDER/NAME: files of
// FOLDER whose name begins with NAME, and what is in them, are meant. A change is noted when it is
// done, a sync when it begins and when it is done, an answer before it is sent: what the trace
// calls synced before an answer truly was.
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "tests/faults/disk_trace.h"

namespace {

using swage::test::DiskAct;
using swage::test::DiskRecordHead;

constexpr std::string_view kAnswer = "HTTP/1.1 ";
constexpr std::size_t kStatusLineBytes = kAnswer.size() + 3;

template <class F>
F* Real(F* /*ours*/, const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}
#define REAL(function)                                     \
  []() -> decltype(&(function)) {                          \
    static const auto real = Real(&(function), #function); \
    return real;                                           \
  }()

class Trace {
 public:
  // Made at the first call: others' constructors may run before ours.
  static Trace& Get() {
    static Trace* const trace = new Trace;  // threads may outlive what is destroyed at the end
    return *trace;
  }

  bool Wants(std::string_view path) const {
    return fd_ >= 0 && (path.starts_with(prefix_) || path == prefix_.substr(0, folder_ - 1));
  }

  void Add(DiskAct act, std::string_view path, std::int64_t number, const iovec* parts = nullptr,
           std::size_t size = 0) {
    path.remove_prefix(std::min(path.size(), folder_));
    const DiskRecordHead head{act, static_cast<std::uint32_t>(path.size()), number, size};
    const int saved = errno;
    const std::lock_guard lock(mutex_);
    Put(&head, sizeof head);
    Put(path.data(), path.size());
    for (; size > 0; ++parts) {
      const std::size_t n = std::min(size, parts->iov_len);
      Put(parts->iov_base, n);
      size -= n;
    }
    errno = saved;
  }

 private:
  Trace() {
    const char* prefix = std::getenv("SWAGE_DISK_PREFIX");
    const char* file = std::getenv("SWAGE_DISK_TRACE");
    if (prefix == nullptr || file == nullptr) return;
    prefix_ = prefix;
    folder_ = prefix_.rfind('/') + 1;
    fd_ = REAL(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }

  void Put(const void* bytes, std::size_t size) const {
    const auto* at = static_cast<const char*>(bytes);
    while (size > 0) {
      const ssize_t n = REAL(write)(fd_, at, size);
      if (n <= 0) std::abort();  // a trace with a hole proves nothing
      at += n;
      size -= static_cast<std::size_t>(n);
    }
  }

  std::string_view prefix_;
  std::size_t folder_ = 0;  // of the prefix, with its '/'
  int fd_ = -1;
  std::mutex mutex_;
};

// The name of an open file; errno stays as it is.
class FileOf {
 public:
  explicit FileOf(int fd) {
    std::array<char, 32> link;
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
    const int saved = errno;
    const ssize_t n = readlink(link.data(), bytes_.data(), bytes_.size());
    errno = saved;
    if (n > 0) name_ = {bytes_.data(), static_cast<std::size_t>(n)};
  }
  bool Wanted() const { return Trace::Get().Wants(name_); }
  void Add(DiskAct act, std::int64_t number, const iovec* parts = nullptr,
           std::size_t size = 0) const {
    Trace::Get().Add(act, name_, number, parts, size);
  }

 private:
  std::array<char, PATH_MAX> bytes_;
  std::string_view name_;
};

ssize_t Written(int fd, ssize_t done, const iovec* parts, off_t position) {
  if (done <= 0) return done;
  if (const FileOf file(fd); file.Wanted()) {
    file.Add(DiskAct::kWrite, position, parts, static_cast<std::size_t>(done));
  }
  return done;
}

ssize_t Written(int fd, ssize_t done, const void* bytes, off_t position) {
  const iovec part{const_cast<void*>(bytes), static_cast<std::size_t>(std::max<ssize_t>(done, 0))};
  return Written(fd, done, &part, position);
}

int Synced(int fd, int (*sync)(int)) {
  const FileOf file(fd);
  if (!file.Wanted()) return sync(fd);
  static std::atomic<std::int64_t> last{0};
  const std::int64_t number = ++last;
  file.Add(DiskAct::kSyncBegin, number);
  const int failed = sync(fd);
  if (failed == 0) file.Add(DiskAct::kSyncEnd, number);
  return failed;
}

int Sized(int fd, int failed, off_t size) {
  if (failed != 0) return failed;
  if (const FileOf file(fd); file.Wanted()) file.Add(DiskAct::kSetSize, size);
  return 0;
}

int Opened(int fd, int flags) {
  if (fd < 0 || (flags & O_CREAT) == 0) return fd;
  if (const FileOf file(fd); file.Wanted()) file.Add(DiskAct::kCreate, 0);
  return fd;
}

int Named(DiskAct act, const char* path, std::int64_t number, int failed) {
  if (failed == 0 && Trace::Get().Wants(path)) Trace::Get().Add(act, path, number);
  return failed;
}

void NoteAnswer(int fd, const msghdr* message) {
  if (message->msg_iovlen == 0 || message->msg_iov->iov_len < kStatusLineBytes) return;
  const std::string_view begin(static_cast<const char*>(message->msg_iov->iov_base),
                               kStatusLineBytes);
  if (!begin.starts_with(kAnswer)) return;
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const int saved = errno;
  const bool known = getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
  errno = saved;
  if (known) {
    Trace::Get().Add(DiskAct::kAnswer, "", ntohs(peer.sin_port), message->msg_iov,
                     kStatusLineBytes);
  }
}

mode_t ModeOf(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return Opened(REAL(open)(path, flags, mode), flags);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return Opened(REAL(open64)(path, flags, mode), flags);
}

int mkdir(const char* path, mode_t mode) {
  return Named(DiskAct::kCreate, path, 1, REAL(mkdir)(path, mode));
}

int unlink(const char* path) {
  return Named(DiskAct::kRemove, path, 0, REAL(unlink)(path));
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t position) {
  return Written(fd, REAL(pwrite)(fd, bytes, size, position), bytes, position);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t position) {
  return Written(fd, REAL(pwrite64)(fd, bytes, size, position), bytes, position);
}

ssize_t pwritev(int fd, const iovec* parts, int count, off_t position) {
  return Written(fd, REAL(pwritev)(fd, parts, count, position), parts, position);
}

int ftruncate(int fd, off_t size) noexcept {
  return Sized(fd, REAL(ftruncate)(fd, size), size);
}

int ftruncate64(int fd, off64_t size) noexcept {
  return Sized(fd, REAL(ftruncate64)(fd, size), size);
}

// Only the form that makes a file as long as what is set aside.
int fallocate(int fd, int mode, off_t position, off_t size) {
  return Sized(fd, REAL(fallocate)(fd, mode, position, size), position + size);
}

int fsync(int fd) {
  return Synced(fd, REAL(fsync));
}

int fdatasync(int fd) {
  return Synced(fd, REAL(fdatasync));
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  NoteAnswer(fd, message);
  return REAL(sendmsg)(fd, message, flags);
}

}  // extern "C"
