// How text is made inert: an invisible break (U+200B) goes into every sequence that a forge would
// act on.
//
// Breaking beats escaping and parsing. A forge looks for mentions and references in its own
// rendering, where a backslash or an entity is already gone; and whether a backtick opens a code
// span depends on the parser. A break works in prose, in code and in plain titles alike, whatever
// the parser thinks, and keeps the look. Only a fenced block at the left margin is recognised:
// nothing can contain it, so where it starts and ends is certain.
#include "forge/markdown.h"

#include <algorithm>
#include <vector>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::string_view kBreak = "\xE2\x80\x8B";  // U+200B ZERO WIDTH SPACE
constexpr std::string_view kEllipsis = "…";
constexpr std::string_view kCutLine = "… (cut)";
constexpr std::size_t kMaxFence = 32;        // longer runs of backticks are broken up
constexpr std::size_t kMaxEntity = 40;       // "&CounterClockwiseContourIntegral;" has 33
constexpr std::size_t kInputSlack = 65'536;  // what stripping may take away before text is lost
constexpr std::size_t kMinFence = 3;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsAlpha(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool IsAlnum(char c) {
  return IsAlpha(c) || IsDigit(c);
}
bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

// Bounds the work before anything is scanned, then leaves only visible, valid characters.
std::string Clean(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes && text.size() - max_bytes > kInputSlack) {
    text = text.substr(0, max_bytes + kInputSlack);
  }
  return StripInvisible(StripControl(ToValidUtf8(text)));
}

std::size_t RunLength(std::string_view s, char c) {
  const std::size_t end = s.find_first_not_of(c);
  return end == std::string_view::npos ? s.size() : end;
}

std::size_t LongestRun(std::string_view s, char c) {
  std::size_t longest = 0;
  for (std::size_t at = s.find(c); at != std::string_view::npos; at = s.find(c, at)) {
    const std::size_t run = RunLength(s.substr(at), c);
    longest = std::max(longest, run);
    at += run;
  }
  return longest;
}

std::string BreakRuns(std::string_view s, char c, std::size_t every) {
  std::string out;
  std::size_t run = 0;
  for (const char x : s) {
    if (x == c && ++run > every) {
      out += kBreak;
      run = 1;
    } else if (x != c) {
      run = 0;
    }
    out += x;
  }
  return out;
}

// Whether s (after '&') reads "name;" or "#123;": it would come back as the character it stands
// for.
bool IsEntity(std::string_view s) {
  const std::size_t end = s.substr(0, kMaxEntity).find(';');
  if (end == std::string_view::npos || end == 0) return false;
  return std::all_of(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char c) { return IsAlnum(c) || c == '#'; });
}

// "closes", "Fixed", "resolving", "implements": GitHub's list and GitLab's default pattern.
bool IsClosingWord(std::string_view word) {
  const std::string w = ToLower(word);
  for (const std::string_view stem : {"clos", "fix", "resolv", "implement"}) {
    if (!w.starts_with(stem)) continue;
    const std::string_view rest = std::string_view(w).substr(stem.size());
    for (const std::string_view ending : {"", "e", "es", "ed", "s", "ing"}) {
      if (rest == ending) return true;
    }
  }
  return false;
}

bool HasClosingWord(std::string_view line) {
  std::size_t start = 0;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && IsAlpha(line[i])) continue;
    if (IsClosingWord(line.substr(start, i - start))) return true;
    start = i + 1;
  }
  return false;
}

// A line on which `at` is looked at; answers whether a break belongs after (or before) that byte.
struct Cursor {
  std::string_view line;
  std::size_t at = 0;
  bool closing = false;  // the line has a closing word

  char Prev() const { return at == 0 ? '\n' : line[at - 1]; }
  char Next() const { return at + 1 < line.size() ? line[at + 1] : '\n'; }
  std::string_view Rest() const { return line.substr(at + 1); }
  bool StartsWord() const { return !IsAlnum(Prev()) && Prev() != '_'; }
};

bool IsTrackerDash(const Cursor& c) {  // GH-1 anywhere, JIRA-1 on a line that closes something
  if (!IsDigit(c.Next()) || c.at == 0 || !IsAlnum(c.Prev())) return false;
  const std::string_view before = c.line.substr(0, c.at);
  const bool gh = before.size() >= 2 && EqualsIgnoreCase(before.substr(before.size() - 2), "gh");
  return gh || c.closing;
}

bool BreakAfter(const Cursor& c) {
  const char next = c.Next();
  switch (c.line[c.at]) {
    case '@':
      return next != '\n' && !IsBlank(next);
    case '#':
    case '!':
      return IsDigit(next);
    case '&':
      return (IsDigit(next) && c.StartsWord()) || IsEntity(c.Rest());
    case '$':
    case '%':
      return (IsDigit(next) || next == '"') && c.StartsWord();
    case '~':
      return (IsAlnum(next) || next == '"') && c.StartsWord();
    case '<':
      return IsAlpha(next) || next == '/' || next == '!' || next == '?';
    case ':':
      return c.Rest().starts_with("//");
    case ']':
      return next == '(' || next == '[' || next == ':';
    case '[':
      return next == '[' || next == '^';
    case '-':
      return IsTrackerDash(c);
    case 'w':
    case 'W':
      return next == '.' && c.at >= 2 && EqualsIgnoreCase(c.line.substr(c.at - 2, 3), "www");
    default:
      return false;
  }
}

// "/merge", "/close now": what GitLab would take for a quick action. Paths in logs are left alone.
bool LooksLikeQuickAction(std::string_view line) {
  line = Trim(line);
  if (!line.starts_with('/')) return false;
  std::size_t i = 1;
  while (i < line.size() && (IsAlnum(line[i]) || line[i] == '_')) ++i;
  return i > 1 && (i == line.size() || IsBlank(line[i]));
}

std::string WithLeadingBreak(std::string_view line) {
  const std::size_t indent = std::min(line.find_first_not_of(" \t"), line.size());
  return std::string(line.substr(0, indent)) + std::string(kBreak) +
         std::string(line.substr(indent));
}

std::string InertText(std::string_view line) {
  std::string out;
  out.reserve(line.size() + 16);
  Cursor cursor{line, 0, HasClosingWord(line)};
  for (; cursor.at < line.size(); ++cursor.at) {
    out += line[cursor.at];
    if (BreakAfter(cursor)) out += kBreak;
  }
  if (Trim(line).starts_with('/')) out = WithLeadingBreak(out);
  // A backslash at the end would escape whatever the caller writes next.
  if (out.ends_with('\\')) out += kBreak;
  return out;
}

struct OpenFence {
  char c = '`';
  std::size_t length = 0;  // 0 = none is open
};

// CommonMark 4.5: at most three blanks, at least as long as the opener, nothing behind it.
bool ClosesFence(std::string_view line, const OpenFence& fence) {
  const std::size_t indent = line.find_first_not_of(' ');
  if (indent == std::string_view::npos || indent > 3) return false;
  const std::size_t run = RunLength(line.substr(indent), fence.c);
  return run >= fence.length && Trim(line.substr(indent + run)).empty();
}

OpenFence OpensFence(std::string_view line) {
  for (const char c : {'`', '~'}) {
    const std::size_t run = RunLength(line, c);
    if (run < kMinFence || run > kMaxFence) continue;
    if (c == '`' && line.find('`', run) != std::string_view::npos) continue;  // a code span
    return {c, run};
  }
  return {};
}

// One line of prose, and the state of the fence behind it.
std::string InertProseLine(std::string_view line, OpenFence& fence) {
  if (fence.length > 0) {
    if (ClosesFence(line, fence)) fence = {};
    return LooksLikeQuickAction(line) ? WithLeadingBreak(line) : std::string(line);
  }
  fence = OpensFence(line);
  // The info string is dropped: some forges render "mermaid" or fetch what "plantuml" includes.
  if (fence.length > 0) return std::string(fence.length, fence.c);
  return BreakRuns(BreakRuns(InertText(line), '`', 2), '~', 2);
}

// Whole lines while they fit into `room`; behind a cut, a mark of it and the end of an open fence.
std::string RenderProse(std::string_view clean, std::size_t room) {
  std::string out;
  OpenFence fence;
  for (const std::string_view line : SplitLines(clean)) {
    const OpenFence before = fence;
    const std::string inert = InertProseLine(line, fence);
    if (out.size() + inert.size() > room) {
      // Neither a line of code nor the start of a fence is worth a part of itself.
      const bool prose = before.length == 0 && fence.length == 0;
      if (prose) out += Truncate(inert, room - std::min(room, out.size()), "");
      fence = before;
      out += std::string(kCutLine) + "\n";
      break;
    }
    out += inert;
    out += '\n';
  }
  if (fence.length > 0) out += std::string(fence.length, fence.c);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

// Backticks that pair up with nothing would pair up with the caller's.
std::string BalanceBackticks(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size();) {
    if (s[i] != '`') {
      out += s[i++];
      continue;
    }
    const std::size_t run = RunLength(s.substr(i), '`');
    std::size_t close = i + run;
    for (;;) {
      close = s.find('`', close);
      if (close == std::string_view::npos) break;
      const std::size_t other = RunLength(s.substr(close), '`');
      if (other == run) break;
      close += other;
    }
    if (close == std::string_view::npos) {
      out += std::string(run, '\'');
      i += run;
    } else {
      out += s.substr(i, close + run - i);
      i = close + run;
    }
  }
  return out;
}

std::string OneLine(std::string_view text, std::size_t max_bytes) {
  std::string s = Clean(text, max_bytes);
  std::replace(s.begin(), s.end(), '\n', ' ');
  std::replace(s.begin(), s.end(), '\t', ' ');
  return std::string(Trim(s));
}

bool IsInfoByte(char c) {
  return IsAlnum(c) || c == '-' || c == '+' || c == '_' || c == '.';
}

// "[skip ci]" and its family would keep the forge's own checks from running on the bot's commit.
bool SkipsChecks(std::string_view after_bracket) {
  const std::string s = ToLower(after_bracket.substr(0, 8));
  for (const std::string_view word : {"skip", "ci ", "ci-", "no ci", "actions", "ci]"}) {
    if (s.starts_with(word)) return true;
  }
  return false;
}

std::string InertPlainLine(std::string_view line) {
  const std::string inert = InertText(line);
  std::string out;
  for (std::size_t i = 0; i < inert.size(); ++i) {
    out += inert[i];
    if (inert[i] == '[' && SkipsChecks(std::string_view(inert).substr(i + 1))) out += kBreak;
  }
  for (const std::string_view trailer : {"skip-checks", "***no_ci"}) {
    if (EqualsIgnoreCase(std::string_view(out).substr(0, trailer.size()), trailer)) {
      out.insert(4, kBreak);
    }
  }
  return out;
}

}  // namespace

std::string InertProse(std::string_view text, std::size_t max_bytes) {
  const std::string clean = Clean(text, max_bytes);
  std::string whole = RenderProse(clean, clean.size() * 4 + 64);
  if (whole.size() <= max_bytes) return whole;
  constexpr std::size_t kTail = kMaxFence + kCutLine.size() + 4;
  if (max_bytes <= kTail) return InertLine(text, max_bytes);
  return RenderProse(clean, max_bytes - kTail);
}

std::string InertLine(std::string_view text, std::size_t max_bytes) {
  const std::string inert = BreakRuns(InertText(OneLine(text, max_bytes)), '~', 2);
  std::string escaped;
  for (const char c : inert) {
    // After a break no backslash of the text can pair with the pipe's own or disarm a backtick.
    if ((c == '|' || c == '`') && escaped.ends_with('\\')) escaped += kBreak;
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  std::string cut = Truncate(escaped, max_bytes, kEllipsis);
  return BalanceBackticks(cut);
}

std::string Fence(std::string_view text, std::string_view info, std::size_t max_bytes) {
  std::string body = Clean(text, max_bytes);
  while (!body.empty() && body.back() == '\n') body.pop_back();
  std::string lines;
  for (const std::string_view line : Split(body, '\n')) {
    // Old GitLab does not see a fence of four backticks and would run a quick action inside it.
    lines += LooksLikeQuickAction(line) ? WithLeadingBreak(line) : std::string(line);
    lines += '\n';
  }
  if (LongestRun(lines, '`') >= kMaxFence) lines = BreakRuns(lines, '`', kMaxFence - 1);
  const std::string fence(std::max(kMinFence, LongestRun(lines, '`') + 1), '`');
  std::string head = fence;
  std::copy_if(info.begin(), info.end(), std::back_inserter(head), IsInfoByte);
  head += '\n';
  const std::size_t frame = head.size() + fence.size();
  if (frame + kCutLine.size() + 2 > max_bytes) return {};
  const std::size_t room = max_bytes - frame;
  if (lines.size() > room) {
    lines = Truncate(lines, room - kCutLine.size() - 2, "");
    if (!lines.empty() && lines.back() != '\n') lines += '\n';
    lines += std::string(kCutLine) + "\n";
  }
  return head + lines + fence;
}

std::string CodeSpan(std::string_view text, std::size_t max_bytes) {
  std::string s = BreakRuns(OneLine(text, max_bytes), '`', 3);
  // In a table a pipe ends the cell even inside a code span; the look-alike cannot.
  s = ReplaceAll(std::move(s), "|", "│");
  constexpr std::size_t kFrame = 2 * 4 + 2;  // two runs of up to four backticks, two blanks
  if (max_bytes < kFrame + kEllipsis.size()) return {};
  s = Truncate(s, max_bytes - kFrame, kEllipsis);
  if (s.empty()) s = " ";
  const std::string ticks(LongestRun(s, '`') + 1, '`');
  const bool pad = s.front() == '`' || s.back() == '`';
  return ticks + (pad ? " " : "") + s + (pad ? " " : "") + ticks;
}

std::string InertPlain(std::string_view text, std::size_t max_bytes) {
  const std::string clean = Clean(text, max_bytes);
  std::string out;
  for (const std::string_view line : SplitLines(clean)) {
    out += InertPlainLine(line);
    out += '\n';
    if (out.size() > max_bytes) break;
  }
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return Truncate(out, max_bytes, kEllipsis);
}

std::string Marker(std::string_view kind, std::string_view key) {
  std::string safe;
  for (const char c : key) {
    const bool plain = IsAlnum(c) || std::string_view(":._/#-").find(c) != std::string_view::npos;
    if (plain) {
      safe += c;
    } else {
      safe += "~" + HexEncode(std::string_view(&c, 1));
    }
  }
  return "<!-- swage:" + std::string(kind) + " " + safe + " -->";
}

}  // namespace swage
