// Setting: one thing that a file can say about a T, declared once.
//
// A table of settings is all that the reader, its messages and the manual know: the path
// ("agent.preset"), the rule with its bounds, where the value goes, what it means and how it is
// written. The default is what a fresh T holds.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/rules.h"

namespace swage {

struct SettingDoc {
  std::string_view path;
  std::string_view manual;
  std::string_view example;
  bool required = false;
  std::string_view fallback = "";  ///< said in the manual where the default depends on something
};

template <class T>
struct Setting {
  SettingDoc doc;
  std::string type;
  std::string fallback;  ///< the default as somebody would write it; empty = none
  std::function<void(const YamlNode&, T&, const Spot&)> read;
};

/// `get` maps a T& to the member that holds the value.
template <class T, class Rule, class Get>
Setting<T> Declare(SettingDoc doc, Rule rule, Get get) {
  T fresh{};
  std::string fallback(doc.fallback);
  if constexpr (requires { rule.Show(get(fresh)); }) {
    if (fallback.empty() && !doc.required) fallback = rule.Show(get(fresh));
  }
  return {doc, rule.Describe(), std::move(fallback),
          [rule, get](const YamlNode& node, T& out, const Spot& spot) {
            if (auto value = rule.Read(node, spot)) get(out) = *std::move(value);
          }};
}

/// Walks a map by a table's paths: `visit(i, value, spot)` for each setting given, faults for
/// unknown and missing ones. `at` stands before the paths in messages ("forges[0].").
void WalkSettings(const YamlNode& map, const std::vector<SettingDoc>& docs, std::string_view at,
                  Reading& reading,
                  const std::function<void(std::size_t, const YamlNode&, const Spot&)>& visit);

template <class T>
void ReadSettings(const YamlNode& map, const std::vector<Setting<T>>& table, std::string_view at,
                  T& out, Reading& reading) {
  std::vector<SettingDoc> docs;
  for (const Setting<T>& setting : table) docs.push_back(setting.doc);
  WalkSettings(map, docs, at, reading, [&](std::size_t i, const YamlNode& value, const Spot& spot) {
    table[i].read(value, out, spot);
  });
}

}  // namespace swage
