#include "config/egress_list.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct Special {
  std::string_view base;
  int bits;
};
// IANA's registries of special-purpose addresses; what is not in them may be reached.
constexpr Special kSpecial4[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},
};
// Only 2000::/3 is given out; of that, these are not ordinary.
constexpr Special kSpecial6[] = {
    {"2001::", 23}, {"2001:db8::", 32}, {"2002::", 16}, {"3fff::", 20}};
constexpr Special kGlobal6 = {"2000::", 3};

bool InNetwork(const IpAddress& address, const IpAddress& base, int bits) {
  for (int i = 0; i < bits; ++i) {
    const auto bit = [i](const IpAddress& a) {
      return (a.bytes[static_cast<std::size_t>(i / 8)] >> (7 - i % 8)) & 1;
    };
    if (bit(address) != bit(base)) return false;
  }
  return true;
}

bool Within(const IpAddress& address, const Special& special) {
  const IpAddress base = *ParseIp(special.base);
  return InNetwork(address, base, base.IsV4() ? special.bits + 96 : special.bits);
}

bool IsHostChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool IsName(std::string_view s) {
  if (s.empty() || s.size() > kMaxHostBytes || s.front() == '.' || s.front() == '-') return false;
  if (s.find("..") != s.npos || !std::all_of(s.begin(), s.end(), IsHostChar)) return false;
  // A last label of digits is an address that somebody spelled in his own way.
  const std::string_view last = s.substr(s.rfind('.') + 1);
  return !last.empty() && !(last.front() >= '0' && last.front() <= '9');
}

Error Wrong(std::string_view entry, std::string_view what) {
  return MakeError(ErrorCode::kInvalid,
                   fmt::format("{} {}; write for example api.example.com, \"*.example.com:8443\", "
                               "[2001:db8::1]:443 or 10.1.0.0/16",
                               Truncate(entry, 80), what));
}

// "host", "host:1", "[v6]:1"; the port is empty where there is none.
std::pair<std::string_view, std::string_view> SplitPort(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || (bracket != text.npos && colon < bracket)) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

bool IpAddress::IsV4() const {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
}

std::string IpAddress::Str() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (IsV4()) {
    inet_ntop(AF_INET, bytes.data() + kMappedPrefix.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  }
  return text;
}

std::optional<IpAddress> ParseIp(std::string_view text) {
  const std::string word(text);
  if (word.find('\0') != word.npos) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET6, word.c_str(), address.bytes.data()) == 1) return address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  if (inet_pton(AF_INET, word.c_str(), address.bytes.data() + kMappedPrefix.size()) == 1) {
    return address;
  }
  return std::nullopt;
}

bool IsPublic(const IpAddress& address) {
  const auto contains = [&](const Special& special) { return Within(address, special); };
  if (address.IsV4()) return std::none_of(std::begin(kSpecial4), std::end(kSpecial4), contains);
  return Within(address, kGlobal6) &&
         std::none_of(std::begin(kSpecial6), std::end(kSpecial6), contains);
}

std::optional<std::string> NormalHost(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    const auto address = ParseIp(text.substr(1, text.size() - 2));
    return address && !address->IsV4() ? std::optional(address->Str()) : std::nullopt;
  }
  if (text.ends_with('.')) text.remove_suffix(1);
  std::string host = ToLower(text);
  if (const auto address = ParseIp(host)) return address->Str();
  if (!IsName(host)) return std::nullopt;
  return host;
}

Result<EgressList::Entry> EgressList::ParseEntry(std::string_view text) {
  Entry entry;
  if (const std::size_t slash = text.find('/'); slash != text.npos) {
    const auto base = ParseIp(text.substr(0, slash));
    const auto bits = ParseInt(text.substr(slash + 1));
    const int most = base && base->IsV4() ? 32 : 128;
    if (!base || !bits || *bits > most) return Wrong(text, "is not a network");
    entry.network = Network{*base, static_cast<int>(*bits) + 128 - most};
    return entry;
  }
  // An address in version 6 needs its brackets: what follows its last colon is no port.
  const auto whole = ParseIp(text);
  const auto [host_text, port_text] =
      whole && !whole->IsV4() ? std::pair(text, std::string_view()) : SplitPort(text);
  Host host;
  if (!port_text.empty()) {
    const auto port = ParseInt(port_text);
    if (!port || *port < 1 || *port > 65'535) return Wrong(text, "has no valid port");
    host.port = static_cast<int>(*port);
  } else if (host_text.size() < text.size()) {
    return Wrong(text, "has no valid port");
  }
  const bool below = host_text.starts_with("*.");
  const auto normal =
      whole ? std::optional(whole->Str()) : NormalHost(below ? host_text.substr(2) : host_text);
  const auto address = normal ? ParseIp(*normal) : std::nullopt;
  if (!normal || (below && address)) return Wrong(text, "is neither a host nor an address");
  host.name = (below ? "." : "") + *normal;
  entry.host = host;
  // Whoever names an address means it, whatever network it is in.
  if (address) entry.network = Network{*address, 128};
  return entry;
}

Result<EgressList> EgressList::Parse(const std::vector<std::string>& entries) {
  EgressList list;
  for (const std::string& text : entries) {
    SWAGE_ASSIGN_OR_RETURN(const Entry entry, ParseEntry(text));
    if (entry.host) list.hosts_.push_back(*entry.host);
    if (entry.network) list.networks_.push_back(*entry.network);
  }
  return list;
}

bool EgressList::AllowsHost(std::string_view host, int port) const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const Host& entry) {
    if (entry.port != port) return false;
    if (!entry.name.starts_with('.')) return entry.name == host;
    return host.size() > entry.name.size() && host.ends_with(entry.name) && !ParseIp(host);
  });
}

bool EgressList::AllowsAddress(const IpAddress& address) const {
  return IsPublic(address) ||
         std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
           return InNetwork(address, network.base, network.bits);
         });
}

bool EgressList::Covers(std::string_view text) const {
  const auto entry = ParseEntry(text);
  if (!entry.ok()) return false;
  // An address opens itself as well as the host, so it has to be here as it is.
  if (entry->network) {
    const bool known = std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
      return network.bits <= entry->network->bits &&
             InNetwork(entry->network->base, network.base, network.bits);
    });
    if (!known) return false;
  }
  if (!entry->host) return true;
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const Host& mine) {
    if (mine.port != entry->host->port) return false;
    if (mine.name == entry->host->name) return true;
    return mine.name.starts_with('.') && entry->host->name.ends_with(mine.name);
  });
}

}  // namespace swage
