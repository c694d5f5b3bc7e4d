// Api: what programs may ask of a running server, beside the pages.
//
//   POST /api/v1/tasks   {"issue": "https://.../issues/12", "profile": "docs"}: work on an issue
//                        (A3). 202 {"request", "forge", "repo", "issue"}: durable, and decided
//                        like a webhook; 400 with what is wrong; 401, 415, 503
//
// Whoever calls shows the token that the server keeps in DATA_DIR/api-token for its own user:
// `Authorization: Bearer TOKEN`. A browser can send neither that nor JSON from another site (T54).
// Thread-safe.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "bot/http/message.h"
#include "config/base/result.h"
#include "config/settings.h"
#include "pipeline/store/store.h"

namespace swage {

/// Made where there is none; only its owner can read it. Errors: those of the file system.
Result<std::string> EnsureApiToken(const std::filesystem::path& data_dir);
/// Errors: kNotFound when no server with pages has run there.
Result<std::string> ReadApiToken(const std::filesystem::path& data_dir);

class Api {
 public:
  static constexpr std::size_t kMaxBodyBytes = 16 << 10;

  /// `on_stored` is called after a new row and must not block. References must outlive this.
  Api(const Settings& settings, Store& store, std::function<void()> on_stored);

  static bool Answers(const WebRequest& head);
  /// A refusal that needs no body.
  std::optional<WebResponse> Screen(const WebRequest& head) const;
  WebResponse Handle(const WebRequest& request) const;
  /// To be called before the first request. Errors: as EnsureApiToken.
  Result<void> Start();

 private:
  const Settings& settings_;
  Store& store_;
  std::function<void()> on_stored_;
  std::string token_;
};

}  // namespace swage
