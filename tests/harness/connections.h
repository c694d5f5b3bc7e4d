// Connections: a loopback port that serves each connection on a thread of its own; and what bytes
// need to get on from there.
//
// The destructor shuts the connections down and waits for their threads: whoever serves returns
// when its own connection ends.
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "config/base/files.h"

namespace swage::test {

class Connections {
 public:
  using Serve = std::function<void(int fd)>;  ///< the descriptor is closed afterwards

  explicit Connections(Serve serve);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  int port() const { return port_; }

 private:
  void Accept();

  const Serve serve_;
  Fd listener_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<int> open_;
  bool stopping_ = false;
  std::list<std::thread> workers_;
  std::thread acceptor_;
};

/// Invalid when nobody listens there.
Fd ConnectToLoopback(int port);
/// False when the other side does not take them.
bool SendAll(int fd, std::string_view bytes);
/// What comes next; empty at the end.
std::string ReceiveSome(int fd);
/// Until one of them ends; then both do.
void Pump(int one, int other);

}  // namespace swage::test
