#include "forge/watchdog.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace swage {
namespace {

constexpr std::chrono::hours kIdle{1};
// A socket may be connected just after its deadline fired: shut it down again until the call is
// over.
constexpr std::chrono::milliseconds kAgain{100};

}  // namespace

void SocketHandle::Adopt(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  std::lock_guard lock(mutex_);
  if (fd_ >= 0) ::close(fd_);
  fd_ = copy;
}

void SocketHandle::Reset() {
  std::lock_guard lock(mutex_);
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void SocketHandle::Shutdown() {
  std::lock_guard lock(mutex_);
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

Watchdog::~Watchdog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Watchdog::Guard::Guard(Watchdog& dog, SocketHandle& socket, MonotonicTime deadline) : dog_(dog) {
  std::lock_guard lock(dog_.mutex_);
  id_ = dog_.next_id_++;
  dog_.watched_[id_] = {&socket, deadline, false};
  if (!dog_.thread_.joinable()) dog_.thread_ = std::thread([&dog] { dog.Run(); });
  dog_.changed_.notify_one();
}

Watchdog::Guard::~Guard() {
  std::lock_guard lock(dog_.mutex_);
  dog_.watched_.erase(id_);
}

bool Watchdog::Guard::Fired() const {
  std::lock_guard lock(dog_.mutex_);
  return dog_.watched_.at(id_).fired;
}

void Watchdog::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) changed_.wait_for(lock, FireDue());
}

std::chrono::nanoseconds Watchdog::FireDue() {
  const MonotonicTime now = clock_.Monotonic();
  std::chrono::nanoseconds next = kIdle;
  for (auto& [id, watched] : watched_) {
    if (watched.deadline <= now) {
      watched.fired = true;
      watched.socket->Shutdown();
      next = std::min<std::chrono::nanoseconds>(next, kAgain);
    } else {
      next = std::min<std::chrono::nanoseconds>(next, watched.deadline - now);
    }
  }
  return next;
}

}  // namespace swage
