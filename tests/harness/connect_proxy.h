// ConnectProxy: an HTTP proxy on loopback that opens tunnels, or does not.
//
// Whatever host is asked for, the tunnel ends at one local port: a name that nobody can resolve
// shows that the client left that to the proxy. Thread-safe.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "tests/harness/connections.h"

namespace swage::test {

class ConnectProxy {
 public:
  enum class Manner { kTunnel, kRefuse, kHang, kClose };

  explicit ConnectProxy(int target_port) : target_port_(target_port) {}

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(connections_.port()); }
  /// For the requests to come. `status` is what a refusal says.
  void Behave(Manner manner, int status = 403);
  /// 407 to whoever does not say "USER:PASSWORD".
  void Require(std::string credential);
  /// The heads of all requests.
  std::vector<std::string> Seen() const;

 private:
  void Serve(int fd);
  /// What is answered; empty = a tunnel.
  std::string Refusal(const std::string& head) const;

  const int target_port_;
  mutable std::mutex mutex_;
  Manner manner_ = Manner::kTunnel;
  int status_ = 403;
  std::string credential_;
  std::vector<std::string> seen_;
  Connections connections_{[this](int fd) { Serve(fd); }};  // ends before what it uses
};

}  // namespace swage::test
