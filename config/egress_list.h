// EgressList: the hosts that a command may reach (C14).
//
// An entry is HOST[:PORT]; the port is 443 unless it says another. HOST is a name, `*.NAME` (every
// name below it, not itself), an address, or with a slash a network. A name is judged twice: as it
// is asked for, and by what it resolves to, because a name that is allowed may be made to point
// into the operator's own network. Addresses of private, loopback, link-local and other special
// networks are refused unless an entry names them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"

namespace swage {

inline constexpr int kDefaultEgressPort = 443;

/// IPv4 as ::ffff:a.b.c.d, so that there is one form of each.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  bool operator==(const IpAddress&) const = default;
  bool IsV4() const;
  std::string Str() const;
};

/// "192.0.2.1", "2001:db8::1", without brackets; nothing for other spellings of an address, such as
/// "127.1" and "0x7f000001".
std::optional<IpAddress> ParseIp(std::string_view text);
/// Whether it is an ordinary address of the public internet: not private, loopback, link-local,
/// shared, multicast, documentation, reserved, or an IPv4 address of that kind in IPv6 clothes.
bool IsPublic(const IpAddress& address);

/// A host as clients write it: lower case, no brackets, no dot at the end. Nothing when it is
/// neither a name nor an address.
std::optional<std::string> NormalHost(std::string_view text);

class EgressList {
 public:
  EgressList() = default;
  /// Errors: kInvalid, naming the entry and what would be right.
  static Result<EgressList> Parse(const std::vector<std::string>& entries);

  /// By what a client wrote; `host` as NormalHost gives it.
  bool AllowsHost(std::string_view host, int port) const;
  /// By what a name that is allowed resolved to.
  bool AllowsAddress(const IpAddress& address) const;
  /// Whether an entry, as it is written, lies within this list: a policy may ask for no more.
  bool Covers(std::string_view entry) const;
  bool empty() const { return hosts_.empty(); }

 private:
  struct Host {
    std::string name;  ///< a name, ".name" for everything below it, or an address
    int port = kDefaultEgressPort;
  };
  struct Network {
    IpAddress base;
    int bits = 128;  ///< of the 128-bit form
  };
  struct Entry {
    std::optional<Host> host;
    std::optional<Network> network;
  };
  static Result<Entry> ParseEntry(std::string_view text);

  std::vector<Host> hosts_;
  std::vector<Network> networks_;
};

}  // namespace swage
