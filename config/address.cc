#include "config/address.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kMaxPort = 65'535;
constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035, 2.3.4

bool IsHostChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool IsIpv6Char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
         c == '.';
}

Error BadAddress() {
  return MakeError(ErrorCode::kInvalid, "not HOST:PORT");
}

// "host" or "[v6]", and what follows it.
struct HostAndRest {
  std::string host;
  std::string_view rest;
};

Result<HostAndRest> TakeHost(std::string_view text) {
  const bool bracketed = !text.empty() && text.front() == '[';
  if (bracketed) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return BadAddress();
    const std::string_view host = text.substr(1, close - 1);
    if (host.find(':') == std::string_view::npos || !std::ranges::all_of(host, IsIpv6Char)) {
      return BadAddress();
    }
    return HostAndRest{ToLower(host), text.substr(close + 1)};
  }
  const std::string_view host = text.substr(0, text.find_first_of(":/?#"));
  if (host.empty() || host.size() > kMaxHostBytes || !std::ranges::all_of(host, IsHostChar)) {
    return BadAddress();
  }
  return HostAndRest{ToLower(host), text.substr(host.size())};
}

Result<int> TakePort(std::string_view text) {
  const auto port = ParseInt(text);
  if (!port || *port > kMaxPort) return BadAddress();
  return static_cast<int>(*port);
}

}  // namespace

Result<HostPort> ParseHostPort(std::string_view text) {
  SWAGE_ASSIGN_OR_RETURN(HostAndRest parts, TakeHost(text));
  if (parts.rest.empty() || parts.rest.front() != ':') return BadAddress();
  SWAGE_ASSIGN_OR_RETURN(const int port, TakePort(parts.rest.substr(1)));
  return HostPort{std::move(parts.host), port};
}

bool IsLoopback(std::string_view host) {
  if (EqualsIgnoreCase(host, "localhost") || host == "::1") return true;
  const std::vector<std::string_view> bytes = Split(host, '.');
  if (bytes.size() != 4 || bytes[0] != "127") return false;
  return std::ranges::all_of(bytes, [](std::string_view byte) {
    const auto value = ParseInt(byte);
    return value && *value <= 255 && byte.size() <= 3;
  });
}

std::string BaseUrl::Str() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}{}{}", scheme, v6 ? "[" : "", host, v6 ? "]" : "",
                     port == 0 ? "" : fmt::format(":{}", port), path);
}

Result<BaseUrl> ParseBaseUrl(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) {
    return MakeError(ErrorCode::kInvalid, "not a URL; it begins with https://");
  }
  BaseUrl url;
  url.scheme = ToLower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") {
    return MakeError(ErrorCode::kInvalid, "not an http or https URL");
  }
  text.remove_prefix(colon + 3);
  if (text.find('@') != std::string_view::npos) {
    return MakeError(ErrorCode::kInvalid,
                     "holds an @; user names and tokens do not belong in a URL");
  }
  if (text.find_first_of("?#\\") != std::string_view::npos) {
    return MakeError(ErrorCode::kInvalid,
                     "holds a query or a fragment; only scheme, host and path");
  }
  Result<HostAndRest> parts = TakeHost(text);
  if (!parts.ok()) return MakeError(ErrorCode::kInvalid, "has no valid host name");
  url.host = std::move(parts->host);
  std::string_view rest = parts->rest;
  if (!rest.empty() && rest.front() == ':') {
    const std::string_view digits = rest.substr(1, rest.find('/') - 1);
    const Result<int> port = TakePort(digits);
    if (!port.ok() || *port == 0) return MakeError(ErrorCode::kInvalid, "has no valid port");
    url.port = *port;
    rest.remove_prefix(1 + digits.size());
  }
  if (!rest.empty() && rest.front() != '/') {
    return MakeError(ErrorCode::kInvalid, "has no valid host name");
  }
  const bool clean = std::ranges::all_of(rest, [](char c) { return c > 0x20 && c < 0x7F; });
  if (!clean)
    return MakeError(ErrorCode::kInvalid, "holds a blank or a character that is not ASCII");
  while (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  url.path = rest;
  return url;
}

}  // namespace swage
