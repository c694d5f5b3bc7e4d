// Rules: the kinds of value a setting can have, each with its bounds.
//
// A rule reads a YAML value into a C++ one (or says what is wrong and what would be right),
// describes itself for the manual, and shows a default the way somebody would write it. Pure but
// for secrets and paths, which look at the environment and at files.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/redact.h"
#include "config/settings.h"
#include "config/yaml.h"

namespace swage {

/// What the reading of one file shares.
struct Reading {
  Faults& faults;
  std::filesystem::path folder;  ///< relative paths count from here
  Redactor* redactor = nullptr;  ///< learns every secret; none where secrets cannot occur
  std::map<std::string, int, std::less<>>
      lines;  ///< of every setting seen, for checks across settings

  /// The line of a setting, or `fallback` when the file does not name it.
  int LineOf(std::string_view setting, int fallback) const;
};

/// The setting that a value belongs to: what its faults name.
struct Spot {
  std::string setting;  ///< "forges[0].token"
  int line = 1;
  std::string_view example;  ///< what would be right
  Reading& reading;

  /// Adds "<what>; write for example <example>".
  void Fault(std::string_view what) const;
  /// Adds the text as it is.
  void Say(std::string_view what) const;
};

/// The text of a scalar; otherwise a fault that says "expected <kind>".
const std::string* ScalarText(const YamlNode& node, std::string_view kind, const Spot& spot);

struct BoolRule {
  using Value = bool;
  std::string Describe() const { return "true or false"; }
  std::string Show(bool value) const { return value ? "true" : "false"; }
  std::optional<bool> Read(const YamlNode& node, const Spot& spot) const;
};

struct IntRule {
  using Value = int;
  int min;
  int max;
  std::string Describe() const;
  std::string Show(int value) const { return std::to_string(value); }
  std::optional<int> Read(const YamlNode& node, const Spot& spot) const;
};

struct DurationRule {
  using Value = std::chrono::milliseconds;
  std::chrono::milliseconds min;
  std::chrono::milliseconds max;
  std::string Describe() const;
  std::string Show(Value value) const;
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

struct SizeRule {
  using Value = std::size_t;
  std::size_t min;
  std::size_t max;
  std::string Describe() const;
  std::string Show(std::size_t value) const;
  std::optional<std::size_t> Read(const YamlNode& node, const Spot& spot) const;
};

struct TextRule {
  using Value = std::string;
  std::string_view kind;  ///< "a name of a-z, 0-9, - and _"
  std::size_t max_bytes = 200;
  bool (*valid)(std::string_view) = nullptr;  ///< nullptr = anything but control characters
  bool multiline = false;
  bool may_be_empty = false;
  std::string Describe() const { return std::string(kind); }
  std::string Show(const std::string& value) const { return value; }
  std::optional<std::string> Read(const YamlNode& node, const Spot& spot) const;
};

struct ChoiceRule {
  using Value = std::string;
  std::vector<std::string> choices;
  std::string Describe() const;
  std::string Show(const std::string& value) const { return value; }
  std::optional<std::string> Read(const YamlNode& node, const Spot& spot) const;
};

/// A path; relative ones count from the settings file's folder.
struct PathRule {
  using Value = std::filesystem::path;
  std::string Describe() const { return "path"; }
  std::string Show(const Value& value) const { return value.string(); }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

/// A PEM file that is there.
struct CertificateRule {
  using Value = std::string;
  std::string Describe() const { return "path of a PEM file"; }
  std::string Show(const std::string& value) const { return value; }
  std::optional<std::string> Read(const YamlNode& node, const Spot& spot) const;
};

/// With `carries_token`, http is refused unless the host is this machine (T52).
struct UrlRule {
  using Value = std::string;
  bool carries_token = true;
  std::string Describe() const { return carries_token ? "https URL" : "URL"; }
  std::string Show(const std::string& value) const { return value; }
  std::optional<std::string> Read(const YamlNode& node, const Spot& spot) const;
};

/// "none" or "http://HOST:PORT".
struct ProxyRule {
  using Value = HostPort;
  std::string Describe() const { return "none or an http URL"; }
  std::optional<HostPort> Read(const YamlNode& node, const Spot& spot) const;
};

struct AddressRule {
  using Value = std::string;
  bool loopback_only = false;
  std::string Describe() const { return loopback_only ? "HOST:PORT on this machine" : "HOST:PORT"; }
  std::string Show(const std::string& value) const { return value; }
  std::optional<std::string> Read(const YamlNode& node, const Spot& spot) const;
};

/// "env:NAME", "file:PATH" or "exec:PROGRAM ..."; a value written out is refused and never
/// repeated.
struct SecretRule {
  using Value = SecretValue;
  std::string Describe() const { return "secret reference"; }
  std::string Show(const SecretValue&) const { return ""; }
  std::optional<SecretValue> Read(const YamlNode& node, const Spot& spot) const;
};

/// A reference to the private half of an RSA key, in PEM.
struct RsaKeyRule {
  using Value = SecretValue;
  std::string Describe() const { return "secret reference"; }
  std::string Show(const SecretValue&) const { return ""; }
  std::optional<SecretValue> Read(const YamlNode& node, const Spot& spot) const;
};

/// "sqlite", the URL of a PostgreSQL database, or a reference to where one is kept. A password in
/// it is registered and stays out of SecretValue::reference.
struct StoreRule {
  using Value = SecretValue;
  std::string Describe() const { return "sqlite, postgres URL or secret reference"; }
  std::string Show(const SecretValue& value) const { return value.reference; }
  std::optional<SecretValue> Read(const YamlNode& node, const Spot& spot) const;
};

/// "file:PATH" of a private key that nobody else can read. The redactor learns its lines.
struct SigningKeyRule {
  using Value = SigningKey;
  std::string Describe() const { return "file of a private key"; }
  std::string Show(const SigningKey&) const { return ""; }
  std::optional<SigningKey> Read(const YamlNode& node, const Spot& spot) const;
};

struct ListRule {
  using Value = std::vector<std::string>;
  TextRule item;
  std::size_t max_items;
  std::string Describe() const;
  std::string Show(const Value& value) const;
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

/// A map from a checked key to what another rule reads.
template <class Inner>
struct MapRule {
  using Value = std::map<std::string, typename Inner::Value>;
  TextRule key;
  Inner inner;
  std::string_view value_example;
  std::size_t max_items = 100;
  std::string Describe() const {
    return "map; each key " + key.Describe() + ", each value " + inner.Describe();
  }
  std::string Show(const Value&) const { return "{}"; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

/// Says what is wrong with a value that should be a map (or list) of at most `max_items`; true = it
/// is one or is empty.
bool IsMapOrNull(const YamlNode& node, std::size_t max_items, const Spot& spot);
bool IsListOrNull(const YamlNode& node, std::size_t max_items, const Spot& spot);
/// Checks a map's key as if it were a value.
bool IsGoodKey(const YamlEntry& entry, const TextRule& rule, const Spot& spot);

template <class Inner>
std::optional<typename MapRule<Inner>::Value> MapRule<Inner>::Read(const YamlNode& node,
                                                                   const Spot& spot) const {
  if (!IsMapOrNull(node, max_items, spot)) return std::nullopt;
  Value out;
  for (const YamlEntry& entry : node.entries) {
    const Spot at{spot.setting + "." + entry.key, entry.line, value_example, spot.reading};
    if (!IsGoodKey(entry, key, spot)) continue;
    if (auto value = inner.Read(entry.value, at)) out.emplace(entry.key, *std::move(value));
  }
  return out;
}

// What the rules check, for others that need the same answer.
bool IsEnvName(std::string_view s);       ///< [A-Za-z_][A-Za-z0-9_]*
bool IsGateName(std::string_view s);      ///< [a-z0-9_-]+
bool IsForgeName(std::string_view s);     ///< [a-z0-9-]+, no '-' at either end
bool IsRepoPath(std::string_view s);      ///< "owner/name", "group/sub/name"
bool IsRepoGlob(std::string_view s);      ///< the same with * and ?, maybe after "!"
bool IsRepoKey(std::string_view s);       ///< the same without "!"
bool IsRelativePath(std::string_view s);  ///< stays below where it starts
/// "64MiB", "512 KiB", "1GiB" or a plain number of bytes. Errors: kInvalid.
Result<std::size_t> ParseSize(std::string_view text);

}  // namespace swage
