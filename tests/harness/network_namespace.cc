#include "tests/harness/network_namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "config/base/result.h"
#include "tests/harness/tcp_proxy.h"

namespace swage::test {
namespace {

constexpr const char* kOfThisThread = "/proc/thread-self/ns/net";

void OnAThread(const std::function<void()>& work) {
  std::thread(work).join();
}

}  // namespace

bool NetworkNamespace::CanMake() {
  bool can = false;
  OnAThread([&] { can = unshare(CLONE_NEWNET) == 0; });
  return can;
}

NetworkNamespace::NetworkNamespace() {
  OnAThread([this] {
    SWAGE_CHECK(unshare(CLONE_NEWNET) == 0);
    namespace_ = Fd(open(kOfThisThread, O_RDONLY | O_CLOEXEC));
  });
  SWAGE_CHECK(namespace_.valid());
  HealLink();
}

void NetworkNamespace::Run(const std::function<void()>& work) const {
  OnAThread([&] {
    SWAGE_CHECK(setns(namespace_.get(), CLONE_NEWNET) == 0);
    work();
  });
}

Fd NetworkNamespace::Listen(int port) const {
  Fd listener;
  Run([&] { listener = ListenOnLoopback(port); });
  return listener;
}

void NetworkNamespace::SetLink(bool up) const {
  Run([up] {
    const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    SWAGE_CHECK(ioctl(any.get(), SIOCGIFFLAGS, &request) == 0);
    const int flags = up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP;
    request.ifr_flags = static_cast<short>(flags);
    SWAGE_CHECK(ioctl(any.get(), SIOCSIFFLAGS, &request) == 0);
  });
}

}  // namespace swage::test
