#include "tests/harness/raw_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>

#include "config/base/text.h"

namespace swage {

RawHttp::RawHttp(int port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    fd_ = std::move(fd);
  }
}

int RawHttp::LocalPort() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

bool RawHttp::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

RawHttp::Got RawHttp::ReadSome(std::chrono::steady_clock::time_point until) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  pollfd wait{fd_.get(), POLLIN, 0};
  if (left.count() <= 0 || poll(&wait, 1, static_cast<int>(left.count())) <= 0)
    return Got::kNothing;
  std::array<char, 64 << 10> buffer;
  const ssize_t n = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (n <= 0) return Got::kEnd;
  in_.append(buffer.data(), static_cast<std::size_t>(n));
  return Got::kBytes;
}

std::string RawHttp::ReadResponse(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const std::size_t head = in_.find("\r\n\r\n");
    if (head != in_.npos) {
      const std::size_t at = in_.find("Content-Length: ");
      std::size_t size = head + 4;
      if (at < head) {
        const std::size_t digits = at + 16;
        size += static_cast<std::size_t>(
            ParseInt(std::string_view(in_).substr(digits, in_.find('\r', digits) - digits))
                .value_or(0));
      }
      if (in_.size() >= size) {
        std::string response = in_.substr(0, size);
        in_.erase(0, size);
        return response;
      }
    }
    if (ReadSome(until) != Got::kBytes) return "";
  }
}

std::string RawHttp::ReadToEnd(bool& closed, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  Got got = Got::kBytes;
  while (got == Got::kBytes) got = ReadSome(until);
  closed = got == Got::kEnd;
  return std::move(in_);
}

std::string RawHttp::ReadUntil(std::string_view needle, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (in_.find(needle) == in_.npos && ReadSome(until) == Got::kBytes) {
  }
  return in_;
}

std::string Exchange(int port, std::string_view request) {
  RawHttp client(port);
  if (!client.Connected()) return "";
  client.Send(request);  // a refusal may come before all of it is sent
  return client.ReadResponse();
}

std::string PostRequest(std::string_view path, std::string_view headers, std::string_view body) {
  std::string request = "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n";
  request += headers;
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  request += body;
  return request;
}

int StatusOf(std::string_view response) {
  if (!response.starts_with("HTTP/1.1 ") || response.size() < 12) return 0;
  return static_cast<int>(ParseInt(response.substr(9, 3)).value_or(0));
}

}  // namespace swage
