// GitHttp: git's smart HTTP protocol over the bare repositories, by running `git http-backend`.
//
// Reading streams the pack to the client; a push runs to its end under the world's lock, so that
// pull requests and webhooks have followed before the client hears of it. Basic authentication: any
// user name, the access token as the password (or the token as the user name). Thread-safe.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "config/base/files.h"
#include "forge/sandbox/command.h"
#include "forge/sandbox/server.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox {

class GitHttp {
 public:
  static constexpr std::size_t kMaxPack = std::size_t{2} << 30;

  /// The body of a request, in an unlinked file.
  struct Pack {
    Fd file;
    std::size_t size = 0;
  };

  /// `mutex` guards `world`; both outlive this.
  GitHttp(World& world, std::mutex& mutex, std::filesystem::path data_dir);

  /// Whether the path is one of git's: ".../info/refs", ".../git-upload-pack",
  /// ".../git-receive-pack".
  static bool Owns(std::string_view path);
  /// `login` becomes who asked.
  Answer Serve(const Request& request, const BodyReader& body, std::string& login);

 private:
  struct Asked;
  std::optional<Asked> Read(const Request& request) const;
  CommandSpec Backend(const Request& request, const Asked& asked, const std::string& login,
                      const Pack& pack) const;
  std::optional<Answer> Refuse(const Asked& asked, const User* user, std::string_view token);

  World& world_;
  std::mutex& mutex_;
  const std::filesystem::path data_dir_;
};

}  // namespace swage::sandbox
