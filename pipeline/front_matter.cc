#include "pipeline/front_matter.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "config/base/text.h"
#include "config/faults.h"
#include "config/rules.h"
#include "config/settings.h"
#include "config/yaml.h"

namespace swage {
namespace {

constexpr std::string_view kFence = "---";
constexpr std::size_t kMaxScope = 200;
constexpr std::size_t kMaxPathBytes = 200;
constexpr std::size_t kMaxNameBytes = 100;
constexpr int kMaxCycles = 20;

// Between two lines of dashes, the first of them the text's own first line. `whole` counts both.
std::string_view Fenced(std::string_view text, std::size_t& whole) {
  if (!text.starts_with("---\n") && !text.starts_with("---\r\n")) return {};
  const std::size_t begin = text.find('\n') + 1;
  for (std::size_t line = begin; line < text.size() && line < FrontMatter::kMaxBytes;) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    if (Trim(text.substr(line, end - line)) == kFence) {
      whole = std::min(end + 1, text.size());
      return text.substr(begin, line - begin);
    }
    line = end + 1;
  }
  return {};
}

// What git takes for a branch, as far as it matters before git is asked.
bool IsBranch(std::string_view s) {
  const bool plain = !s.empty() && s.size() <= kMaxNameBytes && s.front() != '-' &&
                     s.front() != '/' && s.back() != '/' && s.back() != '.';
  return plain && s.find("..") == s.npos && s.find("@{") == s.npos && s.find("//") == s.npos &&
         s.find_first_of(" ~^:?*[\\\x7f") == s.npos &&
         std::ranges::none_of(s, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

/// One entry on its way into the answer. Each reader returns what would be right, or empty.
struct Entry {
  const YamlNode& value;
  FrontMatter& out;

  bool IsText() const { return value.kind == YamlNode::Kind::kScalar; }
  /// A text, or each of a list of them.
  template <class Take>
  bool EachText(Take take) const {
    if (IsText()) return take(value.text);
    if (value.kind != YamlNode::Kind::kList) return false;
    return std::ranges::all_of(value.items, [&](const YamlNode& item) {
      return item.kind == YamlNode::Kind::kScalar && take(item.text);
    });
  }
};

using Reader = std::string_view (*)(const Entry&);

std::string_view ReadBase(const Entry& e) {
  if (!e.IsText() || !IsBranch(e.value.text)) return "the name of a branch";
  e.out.base = e.value.text;
  return {};
}

std::string_view ReadScope(const Entry& e) {
  const bool good = e.EachText([&](const std::string& text) {
    if (!IsRelativePath(text) || text.size() > kMaxPathBytes || e.out.scope.size() == kMaxScope) {
      return false;
    }
    e.out.scope.push_back(text);
    return true;
  });
  return good ? "" : "a path or glob inside the repository, or a list of them";
}

std::string_view ReadIsolation(const Entry& e) {
  e.out.isolation = e.IsText() ? ParseIsolationLevel(e.value.text) : std::nullopt;
  return e.out.isolation ? "" : "shared, worktree, sandbox or container";
}

std::string_view ReadNetwork(const Entry& e) {
  const bool hosts = e.value.kind == YamlNode::Kind::kList;
  if (!hosts && e.value.text != "true" && e.value.text != "false") {
    return "true, false or a list of hosts";
  }
  e.out.network = hosts ? !e.value.items.empty() : e.value.text == "true";
  return {};
}

std::string_view ReadName(const Entry& e, std::string& out) {
  if (!e.IsText() || e.value.text.empty() || e.value.text.size() > kMaxNameBytes) return "a name";
  out = e.value.text;
  return {};
}

std::string_view ReadProfile(const Entry& e) {
  return ReadName(e, e.out.profile);
}

std::string_view ReadPriority(const Entry& e) {
  const auto priority = e.IsText() ? ParsePriority(e.value.text) : std::nullopt;
  if (!priority) return kPriorityNames;
  e.out.priority = *priority;
  return {};
}

std::string_view ReadAgent(const Entry& e) {
  return ReadName(e, e.out.agent);
}

std::string_view ReadBudget(const Entry& e) {
  constexpr std::string_view kRight = "a map such as {time: 20m, cycles: 2}";
  if (e.value.kind != YamlNode::Kind::kMap) return kRight;
  for (const YamlEntry& part : e.value.entries) {
    if (part.key == "time") {
      const auto time = ParseDuration(part.value.text);
      if (!time.ok() || *time <= std::chrono::milliseconds(0)) return kRight;
      e.out.time = *time;
    } else if (part.key == "cycles") {
      const auto cycles = ParseInt(part.value.text);
      if (!cycles || *cycles < 1 || *cycles > kMaxCycles) return kRight;
      e.out.cycles = static_cast<int>(*cycles);
    } else {
      return kRight;
    }
  }
  return {};
}

std::string_view ReadDependsOn(const Entry& e) {
  const bool good = e.EachText([&](const std::string& text) {
    const std::string_view number = text.starts_with('#') ? std::string_view(text).substr(1) : text;
    const auto issue = ParseInt(number);
    auto& known = e.out.depends_on;
    if (!issue || *issue <= 0 || known.size() == FrontMatter::kMaxDependencies) return false;
    if (std::ranges::find(known, *issue) == known.end()) known.push_back(*issue);
    return true;
  });
  return good ? "" : "numbers of issues of this repository, such as [12, 34]";
}

struct Key {
  std::string_view name;
  Reader read;
};
constexpr Key kKeys[] = {
    {"base", ReadBase},       {"scope", ReadScope},          {"isolation", ReadIsolation},
    {"network", ReadNetwork}, {"profile", ReadProfile},      {"budget", ReadBudget},
    {"agent", ReadAgent},     {"depends-on", ReadDependsOn}, {"priority", ReadPriority}};

const Key* FindKey(std::string_view name) {
  const auto* found = std::ranges::find(kKeys, name, &Key::name);
  return found == std::end(kKeys) ? nullptr : found;
}

std::vector<std::string> KeyNames() {
  std::vector<std::string> names;
  for (const Key& key : kKeys) names.emplace_back(key.name);
  return names;
}

std::string UnknownKey(const YamlEntry& entry) {
  const std::string near = NearestWord(entry.key, KeyNames());
  return fmt::format(
      "line {}: there is no {}; {}", entry.line, Quoted(entry.key),
      near.empty() ? "there are " + Join(KeyNames(), ", ") : fmt::format("did you mean {}?", near));
}

// Somebody's prose between two lines of dashes is not meant for us.
bool IsMeant(std::string_view front) {
  return std::ranges::any_of(SplitLines(front), [](std::string_view line) {
    const std::size_t colon = line.find(':');
    return colon != line.npos && FindKey(Trim(line.substr(0, colon))) != nullptr;
  });
}

void ReadEntry(const YamlEntry& entry, FrontMatter& out) {
  // A line counts from the first fence, which YAML does not see.
  YamlEntry shown = entry;
  ++shown.line;
  const Key* const key = FindKey(entry.key);
  if (key == nullptr) {
    out.faults.push_back(UnknownKey(shown));
    return;
  }
  const std::string_view right = key->read({entry.value, out});
  if (right.empty()) return;
  out.faults.push_back(fmt::format("line {}: {}: write {}", shown.line, entry.key, right));
}

}  // namespace

FrontMatter ReadFrontMatter(std::string_view text) {
  FrontMatter out;
  std::size_t whole = 0;
  const std::string_view front = Fenced(text, whole);
  if (front.empty() || !IsMeant(front)) return out;
  out.bytes = whole;
  Faults faults("front matter");
  const auto root = ParseYaml(front, faults);
  if (!root || !faults.empty() || root->kind != YamlNode::Kind::kMap) {
    out.faults.push_back("its YAML cannot be read, so nothing of it counts: " +
                         std::string(faults.empty() ? "it is no map" : faults.ToError().message));
    return out;
  }
  for (const YamlEntry& entry : root->entries) ReadEntry(entry, out);
  return out;
}

}  // namespace swage
