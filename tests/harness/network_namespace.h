// NetworkNamespace: a network of its own with nothing but a loopback, whose link can be taken down:
// a process in it is cut off from the world as by a pulled cable (connections stay, nothing comes
// or goes, nobody is told). Needs root. Not thread-safe.
#pragma once

#include <functional>

#include "config/base/files.h"

namespace swage::test {

class NetworkNamespace {
 public:
  /// Whether this process may make one.
  static bool CanMake();

  NetworkNamespace();
  /// Runs `work` on a thread that is in it: processes that it starts live there, and its sockets
  /// belong to it wherever they are used.
  void Run(const std::function<void()>& work) const;
  /// A socket that listens there on the loopback's `port`.
  Fd Listen(int port) const;
  void CutLink() const { SetLink(false); }
  void HealLink() const { SetLink(true); }

 private:
  void SetLink(bool up) const;

  Fd namespace_;
};

}  // namespace swage::test

#define SWAGE_NEEDS_NETWORK_NAMESPACE()                   \
  if (!::swage::test::NetworkNamespace::CanMake()) {      \
    GTEST_SKIP() << "needs root for a network namespace"; \
  }                                                       \
  static_assert(true)
