// SocketRelay: one TCP address, behind a socket file.
//
// A task whose level gives it no network reaches its database by this: the bot listens on a socket
// in the task's own folder and carries the bytes to the server and back. Nothing else can be
// reached through it. One thread, bounded connections and buffers; destroying it ends them all.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/base/file_owner.h"
#include "config/base/files.h"
#include "config/base/result.h"

namespace swage {

struct RelayTarget {
  std::string host;  ///< a name or an address
  std::string port;
};

class SocketRelay {
 public:
  /// `owner` may connect, nobody else but the bot. Errors: kTooLarge (a socket's path has 107 bytes
  /// at most), kNotFound (no such host), kInternal.
  static Result<std::unique_ptr<SocketRelay>> Start(const std::filesystem::path& socket,
                                                    const RelayTarget& target, int max_connections,
                                                    const std::optional<FileOwner>& owner);
  ~SocketRelay();
  SocketRelay(const SocketRelay&) = delete;
  SocketRelay& operator=(const SocketRelay&) = delete;

 private:
  class Server;
  explicit SocketRelay(std::unique_ptr<Server> server);

  const std::unique_ptr<Server> server_;
  std::jthread thread_;
};

}  // namespace swage
