#include "config/proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "config/address.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kHttpsPort = 443;
constexpr int kHttpPort = 80;
constexpr const char* kBypassVariables[] = {"no_proxy", "NO_PROXY"};

std::string FirstSet(std::span<const char* const> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

std::vector<std::string> ReadBypass(std::string_view text) {
  std::vector<std::string> entries;
  const std::string listed = ReplaceAll(std::string(text), " ", ",");
  for (const std::string_view entry : Split(listed, ',')) {
    if (!Trim(entry).empty()) entries.push_back(ToLower(Trim(entry)));
  }
  return entries;
}

// "example.com", ".example.com" and "*.example.com" all mean the domain and what is below it.
bool Covers(std::string_view entry, std::string_view host, int port) {
  if (entry == "*") return true;
  const std::size_t colon = entry.rfind(':');
  const bool has_port = colon != std::string_view::npos && entry.find(':') == colon;
  if (has_port) {
    if (ParseInt(entry.substr(colon + 1)) != port) return false;
    entry = entry.substr(0, colon);
  }
  if (entry.starts_with('*')) entry.remove_prefix(1);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || !host.ends_with(entry)) return false;
  return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

// Takes "USER:PASSWORD@" off the front of what follows the scheme.
bool TakeCredential(std::string& address, Proxy& proxy) {
  const std::size_t begin = address.find("://") + 3;
  const std::size_t at = address.rfind('@');
  if (at == std::string::npos) return true;
  const std::string credential = address.substr(begin, at - begin);
  address.erase(begin, at + 1 - begin);
  const std::size_t colon = credential.find(':');
  const auto user = PercentDecode(credential.substr(0, colon));
  const auto password =
      PercentDecode(colon == std::string::npos ? "" : credential.substr(colon + 1));
  if (!user || !password) return false;
  proxy.username = *user;
  proxy.password.value = *password;
  return true;
}

}  // namespace

bool Proxy::Serves(std::string_view url) const {
  if (!Given()) return false;
  const Result<BaseUrl> target = ParseBaseUrl(url);
  if (!target.ok() || target->scheme != "https") return false;
  if (of_environment && IsLoopback(target->host)) return false;
  const std::string host = ToLower(target->host);
  const int port = target->port == 0 ? kHttpsPort : target->port;
  return std::ranges::none_of(bypass,
                              [&](const std::string& entry) { return Covers(entry, host, port); });
}

std::string Proxy::Address() const {
  return BaseUrl{"http", server.host, server.port, ""}.Str();
}

std::string Proxy::AddressWithCredential() const {
  std::string address = Address();
  if (username.empty()) return address;
  return address.insert(address.find("://") + 3, fmt::format("{}:{}@", PercentEncode(username),
                                                             PercentEncode(password.value)));
}

Result<Proxy> ProxyOfEnvironment() {
  Proxy proxy;
  std::string address = FirstSet(kProxyVariables);
  if (address.empty()) return proxy;
  if (address.find("://") == std::string::npos) address.insert(0, "http://");
  const bool readable = TakeCredential(address, proxy);
  Result<HostPort> server = ParseProxyAddress(address);
  if (!readable || !server.ok()) {
    return MakeError(ErrorCode::kInvalid,
                     "the environment variable HTTPS_PROXY holds no http://HOST:PORT");
  }
  proxy.server = *std::move(server);
  proxy.bypass = ReadBypass(FirstSet(kBypassVariables));
  proxy.of_environment = true;
  return proxy;
}

Result<HostPort> ParseProxyAddress(std::string_view text) {
  const Result<BaseUrl> url = ParseBaseUrl(text);
  if (!url.ok()) return url.error();
  if (url->scheme != "http" || !url->path.empty()) {
    return MakeError(ErrorCode::kInvalid, "is not http://HOST:PORT; other proxies cannot be used");
  }
  return HostPort{url->host, url->port == 0 ? kHttpPort : url->port};
}

}  // namespace swage
