#include "forge/origin.h"

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kHttpPort = 80;
constexpr int kHttpsPort = 443;
constexpr int kMaxPort = 65'535;

Error Bad(std::string_view why) {
  return MakeError(ErrorCode::kInvalid, "not a usable URL: " + std::string(why));
}

// host, host:port, [v6], [v6]:port
Result<Origin> ParseAuthority(std::string scheme, std::string_view authority) {
  Origin origin{std::move(scheme), {}, 0};
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return Bad("an open bracket");
    origin.host = ToLower(authority.substr(1, end - 1));
    port = authority.substr(end + 1);
    has_port = !port.empty();
    if (has_port && !port.starts_with(':')) return Bad("text behind the address");
    if (has_port) port.remove_prefix(1);
  } else {
    const std::size_t colon = authority.find(':');
    has_port = colon != std::string_view::npos;
    origin.host = ToLower(authority.substr(0, colon));
    if (has_port) port = authority.substr(colon + 1);
  }
  const bool plain = std::all_of(origin.host.begin(), origin.host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
           c == ':';
  });
  if (origin.host.empty() || !plain) return Bad("the host");
  const auto number = has_port ? ParseInt(port) : origin.scheme == "https" ? kHttpsPort : kHttpPort;
  if (!number || *number < 1 || *number > kMaxPort) return Bad("the port");
  origin.port = static_cast<int>(*number);
  return origin;
}

}  // namespace

std::string Origin::Str() const {
  const bool v6 = host.find(':') != std::string::npos;
  return scheme + "://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<RequestUrl> ParseRequestUrl(std::string_view text) {
  for (const char c : text) {
    if (c <= 0x20 || c == 0x7F) return Bad("blanks or control characters");
  }
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return Bad("no scheme");
  std::string scheme = ToLower(text.substr(0, colon));
  if (scheme != "http" && scheme != "https") return Bad("neither http nor https");
  text.remove_prefix(colon + 3);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, end);
  if (authority.find('@') != std::string_view::npos) return Bad("it holds a user name");
  if (text.find('#') != std::string_view::npos) return Bad("it holds a fragment");
  SWAGE_ASSIGN_OR_RETURN(Origin origin, ParseAuthority(std::move(scheme), authority));
  return RequestUrl{std::move(origin), std::string(text.substr(end))};
}

std::string HostOf(std::string_view url) {
  const auto parsed = ParseRequestUrl(url);
  return parsed.ok() ? parsed->origin.host : std::string();
}

}  // namespace swage
