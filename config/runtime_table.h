// The settings of what tasks have beside their files: see runtime_settings.h.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/repo_policy.h"
#include "config/setting.h"
#include "config/settings.h"

namespace swage {

/// The server's, for ServerTable.
std::vector<Setting<Settings>> RuntimeServerTable();
/// A repository's, for PolicyTable.
std::vector<Setting<RepoPolicy>> RuntimePolicyTable();

const std::vector<Setting<NamedSecret>>& SecretTable();
const std::vector<Setting<DatabaseSettings>>& DatabaseTable();
const std::vector<Setting<CacheSettings>>& CacheTable();

/// "85%" of a file system, or a size.
struct DiskMarkRule {
  using Value = DiskMark;
  std::string Describe() const { return "percentage, 1% to 100%, or size"; }
  std::string Show(const DiskMark& mark) const { return fmt::format("{}%", mark.percent); }
  std::optional<DiskMark> Read(const YamlNode& node, const Spot& spot) const;
};

/// A list that was left out is another thing than an empty one.
struct OptionalList {
  using Value = std::optional<std::vector<std::string>>;
  ListRule list;
  std::string Describe() const { return list.Describe(); }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const {
    auto read = list.Read(node, spot);
    return read ? std::optional<Value>(*std::move(read)) : std::nullopt;
  }
};

/// A list of maps as `table` says, each with a name of its own; `settle` checks one as a whole.
template <class T>
struct RecordsRule {
  using Value = std::vector<T>;
  std::string_view kind;
  const std::vector<Setting<T>>& (*table)();
  void (*settle)(T&, const Spot&);
  std::size_t max_items = 50;
  std::string Describe() const { return fmt::format("list of {}", kind); }
  std::string Show(const Value&) const { return "[]"; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

template <class T>
std::optional<std::vector<T>> RecordsRule<T>::Read(const YamlNode& node, const Spot& spot) const {
  if (!IsListOrNull(node, max_items, spot)) return std::nullopt;
  Value records;
  std::set<std::string> names;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Spot at{fmt::format("{}[{}]", spot.setting, i), node.items[i].line, spot.example,
                  spot.reading};
    T record;
    ReadSettings(node.items[i], table(), at.setting + ".", record, spot.reading);
    settle(record, at);
    if (!record.name.empty() && !names.insert(record.name).second) {
      spot.reading.faults.Add(spot.reading.LineOf(at.setting + ".name", at.line),
                              at.setting + ".name",
                              Quoted(record.name) + " is taken by another of the list");
    }
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace swage
