// TcpProxy: stands between a client and a server on this machine and breaks connections at will.
//
// A rule names bytes that a client sends; the first connection that sends them is broken once,
// either before they reach the server or after the server has answered them (the answer is lost).
// Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "config/base/files.h"

namespace swage::test {

/// A socket that listens on the loopback's `port`; 0 = any.
Fd ListenOnLoopback(int port);

class TcpProxy {
 public:
  explicit TcpProxy(int target_port) : TcpProxy(target_port, ListenOnLoopback(0)) {}
  TcpProxy(int target_port, Fd listener);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }
  /// The server gets the bytes and answers; the client never hears of it.
  void LoseReplyTo(std::string bytes);
  /// The server never gets them. `first` runs, on the proxy's thread, before the client knows.
  void LoseRequest(std::string bytes, std::function<void()> first = {});
  /// Nothing goes through any more, in neither direction, and nobody is told: connections stay, and
  /// new ones are neither refused nor answered.
  void Cut() { SetCut(true); }
  /// All goes on where it was.
  void Heal() { SetCut(false); }
  /// How many connections a rule has broken.
  int broken() const { return broken_; }

 private:
  struct Pair {
    Fd client;
    Fd server;
    bool lose_reply = false;
  };
  void Loop();
  void SetCut(bool cut);
  void Wake();
  void Accept();
  bool PumpToServer(Pair& pair);
  bool PumpToClient(Pair& pair);
  /// Whether the bytes set off the rule, which is then over.
  bool Matches(std::string& rule, std::string_view bytes);

  const int target_port_;
  int port_ = 0;
  Fd listener_;
  Fd wake_;
  std::mutex mutex_;
  std::string lose_reply_;
  std::string lose_request_;
  std::function<void()> before_loss_;  // set before the rule, called after it
  std::atomic<int> broken_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> cut_{false};
  std::list<Pair> pairs_;  // of the thread
  std::thread thread_;
};

}  // namespace swage::test
