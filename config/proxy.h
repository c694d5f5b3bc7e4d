// Proxy: the way out through a company's HTTP proxy, which opens tunnels by CONNECT.
//
// Only https goes through one: what a tunnel carries stays between the bot and the forge, whoever
// runs the proxy. Plain http is for this machine alone (T52) and needs no way out. Pure but for
// ProxyOfEnvironment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/address.h"
#include "config/base/result.h"
#include "config/secret.h"

namespace swage {

struct Proxy {
  HostPort server;  ///< no host = no proxy
  std::string username;
  SecretValue password;
  /// As in NO_PROXY: "host", "domain" with all below it, either with ":port"; "*" = everything.
  std::vector<std::string> bypass;
  /// What all programs here are told: this machine is not meant by it.
  bool of_environment = false;

  bool Given() const { return !server.host.empty(); }
  /// Whether requests to this URL go through it. False for what is no https URL.
  bool Serves(std::string_view url) const;
  /// "http://proxy.example.com:3128": without the credential.
  std::string Address() const;
  /// "http://user:secret@proxy.example.com:3128", each part percent-encoded.
  std::string AddressWithCredential() const;
};

/// The variables that may name a proxy and its password: the first that is set counts, as with
/// curl.
inline constexpr const char* kProxyVariables[] = {"https_proxy", "HTTPS_PROXY"};

/// What these and no_proxy or NO_PROXY say; no proxy when they are not set. Errors: kInvalid: it is
/// no "http://[USER:PASSWORD@]HOST[:PORT]"; the value is not repeated.
Result<Proxy> ProxyOfEnvironment();

/// "http://HOST[:PORT]" without anything else. Errors: kInvalid; the text is not repeated.
Result<HostPort> ParseProxyAddress(std::string_view text);

}  // namespace swage
