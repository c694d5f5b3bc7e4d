#include "tests/harness/source_rules.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <memory>

#include "config/base/text.h"

namespace swage::test {
namespace {

// From left to right; a file may include what stands in its own layer or before it.
constexpr std::array<std::string_view, 6> kLayers = {"config/base/", "config/", "forge/",
                                                     "pipeline/",    "bot/",    "tests/"};

int LayerOf(std::string_view path) {
  for (std::size_t i = 0; i < kLayers.size(); ++i) {
    if (path.starts_with(kLayers[i])) return static_cast<int>(i);
  }
  return -1;
}

bool StartsWithAny(std::string_view path, const std::vector<std::string_view>& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view p) { return path.starts_with(p); });
}

/// A pattern that may only be found in some places.
struct Rule {
  std::string_view why;
  std::unique_ptr<RE2> pattern;
  std::vector<std::string_view> allowed;  ///< path prefixes
  bool headers_only = false;
};

const std::vector<Rule>& Rules() {
  static const std::vector<Rule> kRules = [] {
    std::vector<Rule> rules;
    const auto add = [&](std::string_view why, const char* pattern,
                         std::vector<std::string_view> allowed, bool headers_only = false) {
      rules.push_back({why, std::make_unique<RE2>(pattern), std::move(allowed), headers_only});
    };
    // The two pipeline files quote what is out of our hands: a project's address, a git server's
    // words.
    add("names a forge outside its folder", R"((?i)git(hub|lab([^e]|$)|ea))",
        {"forge/github/", "forge/gitlab/", "forge/gitea/", "forge/sandbox/", "bot/main.cc",
         "bot/demo", "config/settings_table.cc", "pipeline/agent_presets.cc",
         "pipeline/workspace/git.cc", "tests/"});
    add("holds SQL outside pipeline/store/",
        R"(\b(SELECT|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|CREATE (TABLE|INDEX)|PRAGMA)\b)",
        {"pipeline/store/", "tests/"});
    add("uses SQLite outside pipeline/store/sqlite/", R"(#include <sqlite3\.h>|\bsqlite3_\w+)",
        {"pipeline/store/sqlite/", "tests/"});
    add("uses libpq outside pipeline/store/postgres/", R"(#include <libpq.*>|\bPQ[a-z]\w+\()",
        {"pipeline/store/postgres/", "tests/"});
    add("reads the time without a Clock",
        R"((system_clock|steady_clock|high_resolution_clock)::now|\bclock_gettime\(|\bgettimeofday\(|\btime\((nullptr|NULL|0)\))",
        {"config/base/", "bot/demo/", "tests/"});
    add("uses std::regex, which overflows the stack; use RE2", R"(#include <regex>|std::regex)",
        {"tests/"});
    add("starts a shell or a process outside ProcessRunner",
        R"((^|[^\w.>])(system|popen|execvp?e?|execlp?|posix_spawnp?|fork)\()",
        // The ones try the forbidden; the other only whether a namespace can be had.
        {"config/base/", "tests/", "forge/sandbox/", "pipeline/isolation/attempts/escape_main.cc",
         "pipeline/isolation/attempts/take.cc", "pipeline/workspace/overlay_mount.cc"});
    add("is a header that includes a heavy one",
        R"(#include <(httplib\.h|nlohmann/json\.hpp|spdlog/.*|CLI/.*|yaml-cpp/.*|git2\.h)>)",
        {"forge/sandbox/", "forge/rest_reply.h", "pipeline/workspace/git_library.h", "tests/"},
        true);
    return rules;
  }();
  return kRules;
}

void CheckInclude(std::string_view path, std::string_view line, int number,
                  std::vector<std::string>& breaches) {
  static const RE2 kInclude(R"re(^\s*#include "([^"]+)")re");
  std::string target;
  if (!RE2::PartialMatch(line, kInclude, &target)) return;
  const int from = LayerOf(path);
  const int to = LayerOf(target);
  if (target.find("../") != std::string::npos) {
    breaches.push_back(fmt::format("{}:{}: includes by a relative path: {}", path, number, target));
  } else if (from >= 0 && to > from) {
    breaches.push_back(
        fmt::format("{}:{}: includes {}, which stands to its right", path, number, target));
  }
}

// Where a raw string that starts at `at` (its R) ends.
std::size_t EndOfRawString(std::string_view text, std::size_t at) {
  const std::size_t open = text.find('(', at);
  if (open == std::string_view::npos) return text.size();
  const std::string close = fmt::format("){}\"", text.substr(at + 2, open - at - 2));
  const std::size_t end = text.find(close, open);
  return end == std::string_view::npos ? text.size() : end + close.size();
}

std::size_t EndOfQuoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == quote || text[i] == '\n') {
      return i + 1;
    }
  }
  return text.size();
}

// A quote between digits or letters is a separator (1'000), not a character.
bool IsSeparator(std::string_view text, std::size_t at) {
  return text[at] == '\'' && at > 0 && std::isxdigit(static_cast<unsigned char>(text[at - 1])) != 0;
}

}  // namespace

std::string WithoutComments(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    std::size_t end = i + 1;
    bool keep = true;
    if (rest.starts_with("//")) {
      end = std::min(text.find('\n', i), text.size());
      keep = false;
    } else if (rest.starts_with("/*")) {
      const std::size_t close = text.find("*/", i + 2);
      end = close == std::string_view::npos ? text.size() : close + 2;
      out.append(static_cast<std::size_t>(std::ranges::count(text.substr(i, end - i), '\n')), '\n');
      keep = false;
    } else if (rest.starts_with("R\"")) {
      end = EndOfRawString(text, i);
    } else if ((rest.front() == '"' || rest.front() == '\'') && !IsSeparator(text, i)) {
      end = EndOfQuoted(text, i);
    }
    if (keep) out += text.substr(i, end - i);
    i = end;
  }
  return out;
}

std::vector<std::string> Breaches(std::string_view path, std::string_view text) {
  std::vector<std::string> breaches;
  const std::string code = WithoutComments(text);
  int number = 0;
  for (const std::string_view line : SplitLines(code)) {
    ++number;
    CheckInclude(path, line, number, breaches);
    for (const Rule& rule : Rules()) {
      if (StartsWithAny(path, rule.allowed) || (rule.headers_only && !path.ends_with(".h")))
        continue;
      if (RE2::PartialMatch(line, *rule.pattern)) {
        breaches.push_back(fmt::format("{}:{}: {}: {}", path, number, rule.why, Trim(line)));
      }
    }
  }
  return breaches;
}

// The tree is formatted by clang-format: what stands in column 0 is at namespace level.
std::vector<std::string> DefinedTypes(std::string_view text) {
  static const RE2 kNamespace(R"(^(?:inline )?namespace ([\w:]*) ?\{)");
  static const RE2 kEnd(R"(^\}  // namespace ?([\w:]*))");
  static const RE2 kType(
      R"(^(?:struct|class|enum class|enum) ([A-Za-z_]\w*)(?: final)?(?: : [^;]*)? \{)");
  std::vector<std::string> types;
  std::vector<std::string> spaces;
  for (const std::string_view line : SplitLines(text)) {
    std::string name;
    if (RE2::PartialMatch(line, kNamespace, &name)) {
      spaces.push_back(name);
    } else if (RE2::PartialMatch(line, kEnd, &name) && !spaces.empty()) {
      spaces.pop_back();
    } else if (RE2::PartialMatch(line, kType, &name)) {
      const bool unnamed = std::ranges::find(spaces, "") != spaces.end();
      if (!unnamed) types.push_back(Join(spaces, "::") + "::" + name);
    }
  }
  return types;
}

}  // namespace swage::test
