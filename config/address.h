// Addresses and URLs as they stand in the settings. Pure.
#pragma once

#include <string>
#include <string_view>

#include "config/base/result.h"

namespace swage {

struct HostPort {
  std::string host;  ///< without brackets: "127.0.0.1", "::1", "localhost"
  int port = 0;      ///< 0 = any free one
};

/// "127.0.0.1:8420", "[::1]:8420", "localhost:0". Errors: kInvalid.
Result<HostPort> ParseHostPort(std::string_view text);

/// "localhost", 127.0.0.0/8 and ::1, as written; names are not resolved.
bool IsLoopback(std::string_view host);

struct BaseUrl {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< without brackets
  int port = 0;        ///< 0 = the scheme's own
  std::string path;    ///< "" or "/api/v4", without a slash at the end
  std::string Str() const;
};

/// An absolute http(s) URL without user, query or fragment. Errors: kInvalid; the text is not
/// repeated in them, because a token may be part of it.
Result<BaseUrl> ParseBaseUrl(std::string_view text);

}  // namespace swage
