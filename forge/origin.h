// Origin: scheme, host and port of a URL; what a credential may be sent to. Pure.
#pragma once

#include <string>
#include <string_view>

#include "config/base/result.h"

namespace swage {

struct Origin {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case; an IPv6 address without brackets
  int port = 0;
  bool operator==(const Origin&) const = default;
  /// "https://host:port", IPv6 in brackets.
  std::string Str() const;
};

struct RequestUrl {
  Origin origin;
  std::string target;  ///< path and query, starts with '/', or empty
};

/// Errors: kInvalid: another scheme, user information, a fragment, blanks or control characters.
Result<RequestUrl> ParseRequestUrl(std::string_view text);

/// The host of a URL; empty when it is none.
std::string HostOf(std::string_view url);

}  // namespace swage
