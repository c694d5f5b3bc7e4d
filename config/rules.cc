#include "config/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "config/address.h"
#include "config/base/files.h"
#include "config/base/rsa.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxKeyBytes = 64 << 10;
constexpr std::size_t kKeyLineBytes = 32;  // a shorter line of a key is its last or a checksum
constexpr std::size_t kKeyLinesKnown = 8;  // each is looked for in all that leaves
constexpr std::filesystem::perms kOthers =
    std::filesystem::perms::group_all | std::filesystem::perms::others_all;
constexpr std::size_t kMaxCertificateBytes = 1 << 20;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
// Largest first: showing a value takes the first unit that divides it.
constexpr Unit kTimeUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr Unit kSizeUnits[] = {
    {"TiB", std::int64_t{1} << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

std::string ShowUnits(std::int64_t value, const auto& units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return fmt::format("{}{}", value / unit.factor, unit.name);
    }
  }
  return fmt::format("0{}", std::end(units)[-1].name);
}

// A number and one of the units, with nothing lost to overflow.
std::optional<std::int64_t> ParseUnits(std::string_view text, const auto& units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = ParseInt(text.substr(0, digits));
  const std::string_view name = Trim(text.substr(digits));
  for (const Unit& unit : units) {
    if (!number || !EqualsIgnoreCase(name, unit.name)) continue;
    std::int64_t value = 0;
    if (__builtin_mul_overflow(*number, unit.factor, &value)) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

bool HasControl(std::string_view s, bool multiline) {
  return std::ranges::any_of(s, [&](char c) {
    const unsigned char byte = static_cast<unsigned char>(c);
    return byte == 0x7F || (byte < 0x20 && !(multiline && (c == '\n' || c == '\t')));
  });
}

bool IsPathOf(std::string_view s, std::string_view extra, std::size_t min_parts) {
  const auto parts = Split(s, '/');
  if (parts.size() < min_parts) return false;
  return std::ranges::all_of(parts, [&](std::string_view part) {
    if (part.empty() || part == "." || part == "..") return false;
    return std::ranges::all_of(part, [&](char c) {
      return IsLetter(c) || IsDigit(c) || c == '-' || c == '_' || c == '.' ||
             extra.find(c) != std::string_view::npos;
    });
  });
}

// What stands in a secret's place when somebody wrote the secret itself.
constexpr std::string_view kSecretHelp =
    "a secret is named, never written out: put it into a file or a variable";

struct DatabaseUrl {
  std::string shown;                 ///< without password and options
  std::vector<std::string> secrets;  ///< the password, as written and as meant
};

// postgres://USER:PASSWORD@HOST/DATABASE?password=...; libpq reads it in earnest.
std::optional<DatabaseUrl> ReadDatabaseUrl(std::string_view url) {
  const std::size_t slashes = url.find("://");
  const std::string_view scheme = url.substr(0, slashes);
  if (slashes == url.npos || (scheme != "postgres" && scheme != "postgresql")) return std::nullopt;
  DatabaseUrl read;
  const auto keep = [&](std::string_view secret) {
    if (secret.empty()) return;
    read.secrets.emplace_back(secret);
    if (const auto plain = PercentDecode(secret)) read.secrets.push_back(*plain);
  };
  const std::string_view rest = url.substr(slashes + 3);
  const std::string_view place = rest.substr(0, rest.find('?'));
  // The last one: somebody may forget to write an @ of the password as %40.
  const std::size_t at = place.substr(0, place.find('/')).rfind('@');
  const std::string_view login = at == place.npos ? "" : place.substr(0, at);
  const std::size_t colon = login.find(':');
  if (colon != login.npos) keep(login.substr(colon + 1));
  for (const std::string_view option : Split(rest.substr(place.size()), '&')) {
    const std::size_t value = option.find("password=");
    if (value != option.npos) keep(option.substr(value + std::strlen("password=")));
  }
  const std::string_view user = login.substr(0, colon);
  read.shown = fmt::format("{}://{}{}{}", scheme, user, user.empty() ? "" : "@",
                           at == place.npos ? place : place.substr(at + 1));
  return read;
}

// A key leaks in lines. The first one is the same in every OpenSSH key; of the others some are
// enough, spread over the whole.
void LearnKey(std::string_view key, Redactor& redactor) {
  std::vector<std::string_view> lines;
  for (const std::string_view line : SplitLines(key)) {
    const bool marks = line.size() >= kKeyLineBytes && line.find_first_of("-: ") == line.npos;
    if (marks) lines.push_back(Trim(line));
  }
  const std::size_t step = 1 + lines.size() / kKeyLinesKnown;
  for (std::size_t i = 1; i < lines.size(); i += step) redactor.Add(lines[i]);
}

}  // namespace

int Reading::LineOf(std::string_view setting, int fallback) const {
  const auto at = lines.find(setting);
  return at == lines.end() ? fallback : at->second;
}

void Spot::Fault(std::string_view what) const {
  reading.faults.Add(line, setting, fmt::format("{}; write for example {}", what, example));
}

void Spot::Say(std::string_view what) const {
  reading.faults.Add(line, setting, what);
}

const std::string* ScalarText(const YamlNode& node, std::string_view kind, const Spot& spot) {
  if (node.kind == YamlNode::Kind::kScalar) return &node.text;
  if (node.kind == YamlNode::Kind::kNull) {
    spot.Fault(fmt::format("has no value; expected {}", kind));
  } else {
    spot.Fault(fmt::format("is {}; expected {}", KindName(node.kind), kind));
  }
  return nullptr;
}

bool IsMapOrNull(const YamlNode& node, std::size_t max_items, const Spot& spot) {
  if (node.kind == YamlNode::Kind::kNull) return true;
  if (node.kind != YamlNode::Kind::kMap) {
    spot.Fault(fmt::format("is {}; expected a map", KindName(node.kind)));
    return false;
  }
  if (node.entries.size() <= max_items) return true;
  spot.Say(fmt::format("has {} entries; at most {} are allowed", node.entries.size(), max_items));
  return false;
}

bool IsListOrNull(const YamlNode& node, std::size_t max_items, const Spot& spot) {
  if (node.kind == YamlNode::Kind::kNull) return true;
  if (node.kind != YamlNode::Kind::kList) {
    spot.Fault(fmt::format("is {}; expected a list", KindName(node.kind)));
    return false;
  }
  if (node.items.size() <= max_items) return true;
  spot.Say(fmt::format("has {} items; at most {} are allowed", node.items.size(), max_items));
  return false;
}

bool IsGoodKey(const YamlEntry& entry, const TextRule& rule, const Spot& spot) {
  YamlNode key;
  key.kind = YamlNode::Kind::kScalar;
  key.text = entry.key;
  key.line = entry.line;
  const Spot at{spot.setting, entry.line, spot.example, spot.reading};
  return rule.Read(key, at).has_value();
}

std::optional<bool> BoolRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "true or false", spot);
  if (text == nullptr) return std::nullopt;
  if (*text == "true") return true;
  if (*text == "false") return false;
  spot.Say(fmt::format("{} is not true or false; write one of the two", Quoted(*text)));
  return std::nullopt;
}

std::string IntRule::Describe() const {
  return fmt::format("number, {} to {}", min, max);
}

std::optional<int> IntRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "a number", spot);
  if (text == nullptr) return std::nullopt;
  const auto value = ParseInt(*text);
  if (!value) {
    spot.Fault(fmt::format("{} is not a whole number", Quoted(*text)));
    return std::nullopt;
  }
  if (*value >= min && *value <= max) return static_cast<int>(*value);
  spot.Fault(fmt::format("{} is out of bounds; {} to {} is allowed", Quoted(*text), min, max));
  return std::nullopt;
}

std::string DurationRule::Describe() const {
  return fmt::format("duration, {} to {}", Show(min), Show(max));
}

std::string DurationRule::Show(Value value) const {
  return ShowUnits(value.count(), kTimeUnits);
}

std::optional<std::chrono::milliseconds> DurationRule::Read(const YamlNode& node,
                                                            const Spot& spot) const {
  const std::string* text = ScalarText(node, "a duration", spot);
  if (text == nullptr) return std::nullopt;
  const auto value = ParseDuration(*text);
  if (!value.ok()) {
    spot.Fault(fmt::format("{} is not a duration", Quoted(*text)));
    return std::nullopt;
  }
  if (*value >= min && *value <= max) return *value;
  spot.Fault(
      fmt::format("{} is out of bounds; {} to {} is allowed", Quoted(*text), Show(min), Show(max)));
  return std::nullopt;
}

std::string SizeRule::Describe() const {
  return fmt::format("size, {} to {}", Show(min), Show(max));
}

std::string SizeRule::Show(std::size_t value) const {
  return ShowUnits(static_cast<std::int64_t>(value), kSizeUnits);
}

std::optional<std::size_t> SizeRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "a size", spot);
  if (text == nullptr) return std::nullopt;
  const auto value = ParseSize(*text);
  if (!value.ok()) {
    spot.Fault(fmt::format("{} is not a size", Quoted(*text)));
    return std::nullopt;
  }
  if (*value >= min && *value <= max) return *value;
  spot.Fault(
      fmt::format("{} is out of bounds; {} to {} is allowed", Quoted(*text), Show(min), Show(max)));
  return std::nullopt;
}

std::optional<std::string> TextRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, kind, spot);
  if (text == nullptr) return std::nullopt;
  if (text->empty() && !may_be_empty) {
    spot.Fault(fmt::format("is empty; expected {}", kind));
  } else if (text->size() > max_bytes) {
    spot.Say(fmt::format("is {} bytes long; at most {} are allowed", text->size(), max_bytes));
  } else if (HasControl(*text, multiline)) {
    spot.Say("holds a line break or a control character; write it on one line");
  } else if (valid != nullptr && !valid(*text)) {
    spot.Fault(fmt::format("{} is not {}", Quoted(*text), kind));
  } else {
    return *text;
  }
  return std::nullopt;
}

std::string ChoiceRule::Describe() const {
  return Join(choices, ", ");
}

std::optional<std::string> ChoiceRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "one of " + Describe(), spot);
  if (text == nullptr) return std::nullopt;
  if (std::ranges::find(choices, *text) != choices.end()) return *text;
  const std::string near = NearestWord(*text, choices);
  spot.Say(fmt::format("{} is not one of {}{}", Quoted(*text), Join(choices, ", "),
                       near.empty() ? "" : fmt::format("; did you mean {}?", near)));
  return std::nullopt;
}

std::optional<std::filesystem::path> PathRule::Read(const YamlNode& node, const Spot& spot) const {
  const auto text = TextRule{.kind = "a path", .max_bytes = 1'000}.Read(node, spot);
  if (!text) return std::nullopt;
  if (text->starts_with("~") || text->starts_with("$")) {
    spot.Fault(fmt::format("{} is taken literally; ~ and $ mean nothing here", Quoted(*text)));
    return std::nullopt;
  }
  return (spot.reading.folder / *text).lexically_normal();
}

std::optional<std::string> CertificateRule::Read(const YamlNode& node, const Spot& spot) const {
  const auto path = PathRule{}.Read(node, spot);
  if (!path) return std::nullopt;
  const Result<std::string> bytes = ReadFile(*path, kMaxCertificateBytes);
  if (!bytes.ok()) {
    spot.Say(bytes.error().With("cannot read the certificate").message);
    return std::nullopt;
  }
  if (bytes->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    spot.Say(
        fmt::format("{} holds no PEM certificate (-----BEGIN CERTIFICATE-----)", path->string()));
    return std::nullopt;
  }
  return path->string();
}

std::optional<std::string> UrlRule::Read(const YamlNode& node, const Spot& spot) const {
  const auto text = TextRule{.kind = "a URL", .max_bytes = 1'000}.Read(node, spot);
  if (!text) return std::nullopt;
  const Result<BaseUrl> url = ParseBaseUrl(*text);
  if (!url.ok()) {
    spot.Fault(url.error().message);
    return std::nullopt;
  }
  if (carries_token && url->scheme != "https" && !IsLoopback(url->host)) {
    spot.Say(fmt::format("http would send the token in the clear to {}; write https", url->host));
    return std::nullopt;
  }
  return url->Str();
}

std::optional<HostPort> ProxyRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "none or a URL", spot);
  if (text == nullptr) return std::nullopt;
  if (*text == "none") return HostPort{};
  Result<HostPort> server = ParseProxyAddress(*text);
  if (server.ok()) return *std::move(server);
  spot.Fault(server.error().message);
  return std::nullopt;
}

std::optional<std::string> AddressRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "HOST:PORT", spot);
  if (text == nullptr) return std::nullopt;
  const Result<HostPort> address = ParseHostPort(*text);
  if (!address.ok()) {
    spot.Fault(fmt::format("{} is not HOST:PORT", Quoted(*text)));
    return std::nullopt;
  }
  if (loopback_only && !IsLoopback(address->host)) {
    spot.Fault(
        fmt::format("{} can be reached from other machines and there is no login; put a "
                    "reverse proxy with one before a loopback address",
                    Quoted(*text)));
    return std::nullopt;
  }
  return *text;
}

std::optional<SecretValue> RsaKeyRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "a reference to a private key", spot);
  if (text == nullptr) return std::nullopt;
  if (!IsSecretReference(*text)) {
    spot.Fault(kSecretHelp);
    return std::nullopt;
  }
  Result<std::string> pem = FetchSecret(*text, spot.reading.folder);
  if (!pem.ok()) {
    spot.Say(pem.error().message);
    return std::nullopt;
  }
  // Before anything can be said about it.
  if (spot.reading.redactor != nullptr) LearnKey(*pem, *spot.reading.redactor);
  const Result<RsaKey> key = RsaKey::ReadPrivate(*pem);
  if (!key.ok()) {
    spot.Say(fmt::format("what is at {} {}; generate a key on the App's page and name its file",
                         Quoted(*text), key.error().message));
    return std::nullopt;
  }
  return SecretValue{*text, *std::move(pem)};
}

std::optional<SecretValue> SecretRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "a reference to a secret", spot);
  if (text == nullptr) return std::nullopt;
  if (!IsSecretReference(*text)) {
    spot.Fault(kSecretHelp);
    return std::nullopt;
  }
  Result<std::string> value = FetchSecret(*text, spot.reading.folder);
  if (!value.ok()) {
    spot.Say(value.error().message);
    return std::nullopt;
  }
  if (value->empty()) {
    spot.Say(fmt::format("the secret at {} is empty", Quoted(*text)));
  } else if (HasControl(*value, false)) {
    spot.Say(
        fmt::format("the secret at {} holds a line break or a control character", Quoted(*text)));
  } else if (spot.reading.redactor != nullptr && !spot.reading.redactor->Add(*value)) {
    spot.Say(fmt::format("the secret at {} is too short to be one", Quoted(*text)));
  } else {
    return SecretValue{*text, *std::move(value)};
  }
  return std::nullopt;
}

std::optional<SecretValue> StoreRule::Read(const YamlNode& node, const Spot& spot) const {
  const std::string* text = ScalarText(node, "sqlite or a postgres:// URL", spot);
  if (text == nullptr) return std::nullopt;
  const bool named = IsSecretReference(*text);
  const Result<std::string> value = named ? FetchSecret(*text, spot.reading.folder) : *text;
  if (!value.ok()) {
    spot.Say(value.error().message);
    return std::nullopt;
  }
  if (*value == "sqlite") return SecretValue{*text, *value};
  const std::optional<DatabaseUrl> url = ReadDatabaseUrl(*value);
  if (!url.has_value() || HasControl(*value, false)) {
    spot.Fault(
        named ? fmt::format("what {} holds is neither sqlite nor a postgres:// URL", Quoted(*text))
              : "is neither sqlite nor a postgres:// URL");
    return std::nullopt;
  }
  // A short one would blank out ordinary words; no message of ours holds it anyway.
  for (const std::string& secret : url->secrets) {
    if (spot.reading.redactor != nullptr) (void)spot.reading.redactor->Add(secret);
  }
  return SecretValue{named ? *text : url->shown, *value};
}

std::optional<SigningKey> SigningKeyRule::Read(const YamlNode& node, const Spot& spot) const {
  constexpr std::string_view kFile = "file:";
  const std::string* text = ScalarText(node, "the file of a private key", spot);
  if (text == nullptr) return std::nullopt;
  if (!text->starts_with(kFile)) {
    spot.Fault("the programs that sign read the key from a file");
    return std::nullopt;
  }
  SigningKey key;
  key.file = spot.reading.folder / text->substr(kFile.size());
  const Result<std::string> bytes = ReadFile(key.file, kMaxKeyBytes);
  std::error_code error;
  const auto mode = std::filesystem::status(key.file, error).permissions();
  if (!bytes.ok()) {
    spot.Say(bytes.error().With("cannot read the key").message);
  } else if (bytes->find("PRIVATE KEY") == bytes->npos) {
    spot.Say(
        fmt::format("{} holds no private key; name the file that `ssh-keygen` or `gpg --armor "
                    "--export-secret-keys` wrote",
                    key.file.string()));
  } else if ((mode & kOthers) != std::filesystem::perms::none) {
    spot.Say(fmt::format("others can read the key; run chmod 600 {}", key.file.string()));
  } else {
    if (bytes->find("BEGIN PGP") != bytes->npos) key.kind = SigningKey::Kind::kOpenPgp;
    if (spot.reading.redactor != nullptr) LearnKey(*bytes, *spot.reading.redactor);
    return key;
  }
  return std::nullopt;
}

std::string ListRule::Describe() const {
  return "list; each item " + item.Describe();
}

std::string ListRule::Show(const Value& value) const {
  return "[" + Join(value, ", ") + "]";
}

std::optional<std::vector<std::string>> ListRule::Read(const YamlNode& node,
                                                       const Spot& spot) const {
  if (!IsListOrNull(node, max_items, spot)) return std::nullopt;
  Value out;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Spot at{fmt::format("{}[{}]", spot.setting, i), node.items[i].line, spot.example,
                  spot.reading};
    if (auto text = item.Read(node.items[i], at)) out.push_back(*std::move(text));
  }
  return out;
}

bool IsEnvName(std::string_view s) {
  if (s.empty() || s.size() > 200 || IsDigit(s.front())) return false;
  return std::ranges::all_of(s, [](char c) { return IsLetter(c) || IsDigit(c) || c == '_'; });
}

bool IsGateName(std::string_view s) {
  return !s.empty() && std::ranges::all_of(s, [](char c) {
    return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_';
  });
}

bool IsForgeName(std::string_view s) {
  return IsGateName(s) && s.find('_') == std::string_view::npos && s.front() != '-' &&
         s.back() != '-';
}

bool IsRepoPath(std::string_view s) {
  return IsPathOf(s, "", 2);
}

bool IsRepoGlob(std::string_view s) {
  if (s.starts_with('!')) s.remove_prefix(1);
  return s == "**" || IsPathOf(s, "*?", 2);
}

bool IsRepoKey(std::string_view s) {
  return IsRepoGlob(s) && !s.starts_with('!');
}

bool IsRelativePath(std::string_view s) {
  const auto parts = Split(s, '/');
  return std::ranges::none_of(
      parts, [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

Result<std::size_t> ParseSize(std::string_view text) {
  const auto value = ParseInt(text) ? ParseInt(text) : ParseUnits(text, kSizeUnits);
  if (!value) return MakeError(ErrorCode::kInvalid, "not a size");
  return static_cast<std::size_t>(*value);
}

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const auto value = ParseUnits(text, kTimeUnits);
  if (!value) return MakeError(ErrorCode::kInvalid, "not a duration");
  return std::chrono::milliseconds(*value);
}

}  // namespace swage
