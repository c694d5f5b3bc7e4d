// What an issue's text asks for, and which files it names.
#include <algorithm>

#include "config/base/text.h"
#include "pipeline/front_matter.h"
#include "pipeline/isolation/choice.h"

namespace swage {
namespace {

constexpr std::size_t kMaxPaths = 200;
constexpr std::size_t kMaxPathBytes = 200;

void AddPath(Directives& out, std::string_view path) {
  if (path.starts_with("./")) path.remove_prefix(2);
  if (path.empty() || path.size() > kMaxPathBytes || out.paths.size() == kMaxPaths) return;
  if (std::ranges::find(out.paths, path) == out.paths.end()) out.paths.emplace_back(path);
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
  const FrontMatter front = ReadFrontMatter(text);
  Directives out{front.isolation, front.network, {}};
  for (const std::string& path : front.scope) AddPath(out, path);
  FindFiles(text.substr(front.bytes), out);
  return out;
}

}  // namespace swage
