// What an issue's text asks for, and which files it names.
#include <algorithm>

#include "config/base/text.h"
#include "config/yaml.h"
#include "pipeline/isolation/choice.h"

namespace swage {
namespace {

constexpr std::size_t kMaxFrontMatter = 4 << 10;
constexpr std::size_t kMaxPaths = 200;
constexpr std::size_t kMaxPathBytes = 200;
constexpr std::string_view kFence = "---";

// Between two lines of dashes, the first of them the text's own first line.
std::string_view FrontMatter(std::string_view text) {
  if (!text.starts_with("---\n") && !text.starts_with("---\r\n")) return {};
  const std::size_t begin = text.find('\n') + 1;
  for (std::size_t line = begin; line < text.size() && line < kMaxFrontMatter;) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    if (Trim(text.substr(line, end - line)) == kFence) return text.substr(begin, line - begin);
    line = end + 1;
  }
  return {};
}

void AddPath(Directives& out, std::string_view path) {
  if (path.starts_with("./")) path.remove_prefix(2);
  if (path.empty() || path.size() > kMaxPathBytes || out.paths.size() == kMaxPaths) return;
  if (std::ranges::find(out.paths, path) == out.paths.end()) out.paths.emplace_back(path);
}

void ReadEntry(const YamlEntry& entry, Directives& out) {
  const YamlNode& value = entry.value;
  if (entry.key == "isolation") out.isolation = ParseIsolationLevel(value.text);
  if (entry.key == "network") {
    out.network = value.text == "true" || !value.items.empty();
  }
  if (entry.key == "scope") {
    AddPath(out, value.text);
    for (const YamlNode& item : value.items) AddPath(out, item.text);
  }
}

bool IsPathByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
         c == '.' || c == '_' || c == '-' || c == '+';
}

// "src/a.cc", "Makefile" in backticks; not "1.2" or an address of the web.
bool LooksLikeFile(std::string_view word, bool quoted) {
  if (word.find("//") != word.npos || word.starts_with('/')) return false;
  const std::size_t dot = word.rfind('.');
  const bool extension = dot != word.npos && dot + 1 < word.size() &&
                         word.find_first_not_of("0123456789.") != word.npos;
  return quoted || extension || word.find('/') != word.npos;
}

void FindFiles(std::string_view text, Directives& out) {
  std::size_t i = 0;
  while (i < text.size() && out.paths.size() < kMaxPaths) {
    if (!IsPathByte(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && IsPathByte(text[end])) ++end;
    std::string_view word = text.substr(i, end - i);
    const bool quoted = i > 0 && text[i - 1] == '`' && end < text.size() && text[end] == '`';
    const bool address =
        end < text.size() && text[end] == ':' && text.substr(end).starts_with("://");
    while (!quoted && word.ends_with('.')) word.remove_suffix(1);
    if (address) {
      end = std::min(text.find_first_of(" \n\t)>", end), text.size());
    } else if (LooksLikeFile(word, quoted)) {
      AddPath(out, word);
    }
    i = end + 1;
  }
}

}  // namespace

Directives ReadDirectives(std::string_view text) {
  Directives out;
  const std::string_view front = FrontMatter(text);
  Faults faults("front matter");
  const auto root = front.empty() ? std::nullopt : ParseYaml(front, faults);
  if (root && faults.empty() && root->kind == YamlNode::Kind::kMap) {
    for (const YamlEntry& entry : root->entries) ReadEntry(entry, out);
  }
  FindFiles(text.substr(front.empty() ? 0 : front.data() + front.size() - text.data()), out);
  return out;
}

}  // namespace swage
