#include "bot/http/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace swage {
namespace {

// Whether the socket takes bytes again before `give_up`.
bool WaitWritable(int fd, const Clock& clock, MonotonicTime give_up) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - clock.Monotonic());
    if (left.count() <= 0) return false;
    pollfd wait{fd, POLLOUT, 0};
    const int n = poll(&wait, 1, static_cast<int>(left.count()));
    if (n > 0) return (wait.revents & POLLOUT) != 0;
    if (n < 0 && errno != EINTR) return false;
  }
}

}  // namespace

bool SendAll(int fd, std::string_view head, std::string_view body, const Clock& clock,
             MonotonicTime give_up) {
  while (!head.empty() || !body.empty()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN || !WaitWritable(fd, clock, give_up)) return false;
      continue;
    }
    const std::size_t of_head = std::min(head.size(), static_cast<std::size_t>(sent));
    head.remove_prefix(of_head);
    body.remove_prefix(static_cast<std::size_t>(sent) - of_head);
  }
  return true;
}

}  // namespace swage
