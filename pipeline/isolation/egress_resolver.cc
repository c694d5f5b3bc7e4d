// The system's resolver, which cannot be told to stop: it works in a thread that nobody waits for.
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>

#include "pipeline/isolation/egress_proxy.h"

namespace swage {
namespace {

constexpr int kTimeoutMs = 15'000;
constexpr int kMaxLookups = 64;  // at once, in the whole process
constexpr std::size_t kMaxAnswers = 16;

std::atomic<int> lookups = 0;

struct Lookup {
  std::string host;
  Fd done{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  int error = 0;
  std::vector<IpAddress> addresses;
};

IpAddress AddressOf(const sockaddr& from) {
  IpAddress address = *ParseIp("0.0.0.0");
  if (from.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    std::memcpy(address.bytes.data() + 12, &v4.sin_addr, 4);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    std::memcpy(address.bytes.data(), &v6.sin6_addr, 16);
  }
  return address;
}

void LookUp(Lookup& lookup) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(lookup.host.c_str(), nullptr, &hints, &found);
  {
    const std::lock_guard lock(lookup.mutex);
    lookup.error = error;
    for (const addrinfo* it = found; it != nullptr; it = it->ai_next) {
      const bool known = it->ai_family == AF_INET || it->ai_family == AF_INET6;
      if (known && lookup.addresses.size() < kMaxAnswers) {
        lookup.addresses.push_back(AddressOf(*it->ai_addr));
      }
    }
  }
  if (found != nullptr) freeaddrinfo(found);
  const std::uint64_t one = 1;
  (void)!write(lookup.done.get(), &one, sizeof one);
}

class SystemResolver final : public HostResolver {
 public:
  Result<std::vector<IpAddress>> Resolve(const std::string& host, int stop) override {
    if (lookups.fetch_add(1) >= kMaxLookups) {
      --lookups;
      return MakeError(ErrorCode::kTimeout, "too many names are being looked up");
    }
    const auto lookup = std::make_shared<Lookup>();
    lookup->host = host;
    std::thread([lookup] {
      LookUp(*lookup);
      --lookups;
    }).detach();
    std::array<pollfd, 2> fds = {pollfd{lookup->done.get(), POLLIN, 0}, pollfd{stop, POLLIN, 0}};
    (void)poll(fds.data(), fds.size(), kTimeoutMs);
    if (fds[1].revents != 0) return MakeError(ErrorCode::kCancelled, "stopped");
    if (fds[0].revents == 0) {
      return MakeError(ErrorCode::kTimeout, fmt::format("{} could not be resolved in time", host));
    }
    const std::lock_guard lock(lookup->mutex);
    if (lookup->error != 0) {
      return MakeError(ErrorCode::kNotFound,
                       fmt::format("{}: {}", host, gai_strerror(lookup->error)));
    }
    return lookup->addresses;
  }
};

}  // namespace

std::unique_ptr<HostResolver> MakeHostResolver() {
  return std::make_unique<SystemResolver>();
}

}  // namespace swage
