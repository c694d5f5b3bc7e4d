// ParseYaml: a file that somebody wrote by hand, as a tree that remembers its lines.
//
// yaml-cpp's own tree keeps the last of two equal keys in silence and expands aliases; this one is
// built from its events instead. Duplicate keys, anchors, aliases, tags, second documents and
// anything beyond the bounds are faults. No exception leaves. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/faults.h"

namespace swage {

inline constexpr std::size_t kMaxYamlBytes = 256 << 10;
inline constexpr std::size_t kMaxYamlNodes = 20'000;
inline constexpr std::size_t kMaxYamlDepth = 16;

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  int line = 1;
  std::string text;                ///< with kScalar
  std::vector<YamlNode> items;     ///< with kList
  std::vector<YamlEntry> entries;  ///< with kMap: each key once, in the order of the file
};

struct YamlEntry {
  std::string key;
  int line = 1;
  YamlNode value;
};

/// "a list", "a map", "nothing", "text": for messages.
std::string_view KindName(YamlNode::Kind kind);

/// The document, or nothing when it is no YAML at all (the reason is in `faults`). With faults the
/// tree may still be there: a caller goes on to find the other mistakes. An empty document is a
/// kNull node.
std::optional<YamlNode> ParseYaml(std::string_view text, Faults& faults);

}  // namespace swage
