#include "pipeline/isolation/egress_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "config/base/text.h"
#include "pipeline/isolation/egress.h"

namespace swage {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kScheme = "http://";
constexpr int kPlainPort = 80;
constexpr std::size_t kMaxHeaders = 200;

// Between the client and us, or between us and the server (RFC 9110, 7.6.1); Host is made anew.
constexpr std::string_view kNotPassedOn[] = {
    "connection", "host",    "keep-alive",       "proxy-authenticate", "proxy-authorization",
    "te",         "trailer", "proxy-connection", "transfer-encoding",  "upgrade"};

Error Bad(std::string what) {
  return MakeError(ErrorCode::kInvalid, std::move(what));
}

// No bare CR or LF, no NUL: what one party takes for the end of a line another may not.
bool HasControl(std::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

std::optional<std::vector<std::string_view>> SplitHead(std::string_view head) {
  std::vector<std::string_view> lines;
  for (;;) {
    const std::size_t end = head.find(kLineEnd);
    if (end == head.npos) return std::nullopt;
    if (end == 0) return head.size() == kLineEnd.size() ? std::optional(lines) : std::nullopt;
    if (HasControl(head.substr(0, end))) return std::nullopt;
    lines.push_back(head.substr(0, end));
    head.remove_prefix(end + kLineEnd.size());
  }
}

bool IsToken(std::string_view s) {
  constexpr std::string_view kExtra = "!#$%&'*+-.^_`|~";
  return !s.empty() && std::all_of(s.begin(), s.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kExtra.find(c) != kExtra.npos;
  });
}

// "host:port" into the request; `fallback` = 0 when the port has to be there.
bool ReadAuthority(std::string_view text, int fallback, EgressRequest& request) {
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  const bool has_port = colon != text.npos && (bracket == text.npos || colon > bracket);
  const auto host = NormalHost(has_port ? text.substr(0, colon) : text);
  const std::int64_t port = has_port ? ParseInt(text.substr(colon + 1)).value_or(0) : fallback;
  if (!host || port < 1 || port > 65'535) return false;
  request.host = *host;
  request.port = static_cast<int>(port);
  return true;
}

// Everything behind the request line of a plain request.
Result<void> AddHeaders(const std::vector<std::string_view>& lines, EgressRequest& request) {
  if (lines.size() > kMaxHeaders) return Bad("too many header fields");
  bool has_length = false;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    const std::string_view name = lines[i].substr(0, colon);
    if (colon == lines[i].npos || !IsToken(name)) return Bad("a header field is malformed");
    const std::string lower = ToLower(name);
    if (lower == "transfer-encoding") {
      return Bad("a body needs a Content-Length here; use https for anything else");
    }
    if (lower == "content-length") {
      const auto length = ParseInt(Trim(lines[i].substr(colon + 1)));
      if (!length || has_length) return Bad("the length of the body is not clear");
      request.body_bytes = static_cast<std::uint64_t>(*length);
      has_length = true;
    }
    if (std::find(std::begin(kNotPassedOn), std::end(kNotPassedOn), lower) ==
        std::end(kNotPassedOn)) {
      request.head += fmt::format("{}\r\n", lines[i]);
    }
  }
  request.head += "Connection: close\r\n\r\n";
  return Ok();
}

Result<EgressRequest> ParsePlain(std::string_view method, std::string_view target,
                                 const std::vector<std::string_view>& lines) {
  EgressRequest request;
  target.remove_prefix(kScheme.size());
  const std::size_t end = std::min(target.find_first_of("/?#"), target.size());
  const std::string_view authority = target.substr(0, end);
  // A user in front of the host is one more way to mean another host.
  if (authority.find('@') != authority.npos || !ReadAuthority(authority, kPlainPort, request)) {
    return Bad("the address in the request is malformed");
  }
  const std::string_view path = target.substr(end, target.find('#') - end);
  request.head = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\n", method,
                             path.starts_with('/') ? "" : "/", path, ToLower(authority));
  SWAGE_RETURN_IF_ERROR(AddHeaders(lines, request));
  return request;
}

}  // namespace

Result<EgressRequest> ParseEgressRequest(std::string_view head) {
  const auto lines = SplitHead(head);
  if (!lines || lines->empty()) return Bad("the request is malformed");
  const auto words = Split(lines->front(), ' ');
  if (words.size() != 3 || !IsToken(words[0]) ||
      (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0")) {
    return Bad("the request line is malformed");
  }
  if (words[0] == "CONNECT") {
    EgressRequest request;
    request.tunnel = true;
    if (!ReadAuthority(words[1], 0, request)) return Bad("CONNECT needs HOST:PORT");
    return request;
  }
  if (!EqualsIgnoreCase(words[1].substr(0, kScheme.size()), kScheme)) {
    return Bad("this is a proxy: it takes CONNECT, and http:// addresses in full");
  }
  return ParsePlain(words[0], words[1], *lines);
}

}  // namespace swage
