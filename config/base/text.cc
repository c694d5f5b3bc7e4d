#include "config/base/text.h"

#include <array>
#include <charconv>

namespace swage {
namespace {

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

struct Decoded {
  char32_t code = 0xFFFD;
  std::size_t length = 1;
  bool valid = false;
};

// Unicode 15, table 3-7 (well-formed UTF-8 byte sequences).
Decoded DecodeOne(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char b0 = byte(0);
  if (b0 < 0x80) return {b0, 1, true};
  const std::size_t length = b0 >= 0xF0 ? 4 : b0 >= 0xE0 ? 3 : 2;
  if (b0 < 0xC2 || b0 > 0xF4 || s.size() < length) return {};
  char32_t code = b0 & (0xFF >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, length, true};
}

// Unicode's Default_Ignorable_Code_Point and the other format characters that leave no trace.
bool IsHidden(char32_t c) {
  return (c >= 0x200B && c <= 0x200F) ||    // zero-width space, joiners, direction marks
         (c >= 0x202A && c <= 0x202E) ||    // bidirectional embeddings and overrides
         (c >= 0x2060 && c <= 0x206F) ||    // word joiner, invisible operators, isolates
         (c >= 0xE0000 && c <= 0xE0FFF) ||  // tags and supplementary variation selectors
         (c >= 0xFE00 && c <= 0xFE0E) ||    // variation selectors but the emoji one
         (c >= 0x180B && c <= 0x180F) ||    // Mongolian variation selectors and vowel separator
         (c >= 0xFFF0 && c <= 0xFFFB) ||    // interlinear annotation
         (c >= 0x1BCA0 && c <= 0x1BCA3) ||  // shorthand format controls
         (c >= 0x1D173 && c <= 0x1D17A) ||  // musical format controls
         c == 0x00AD || c == 0x034F || c == 0x061C || c == 0x115F || c == 0x1160 || c == 0x17B4 ||
         c == 0x17B5 || c == 0x3164 || c == 0xFEFF || c == 0xFFA0;
}

bool IsContinuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// The end of the escape sequence that starts at s[at] == ESC (ECMA-48: CSI, OSC and friends,
// two-byte).
std::size_t SkipEscape(std::string_view s, std::size_t at) {
  if (at + 1 >= s.size()) return s.size();
  const char kind = s[at + 1];
  if (kind == '[') {
    std::size_t i = at + 2;
    while (i < s.size() && s[i] >= 0x20 && s[i] <= 0x3F) ++i;
    return i < s.size() && s[i] >= 0x40 && s[i] <= 0x7E ? i + 1 : i;
  }
  if (kind == ']' || kind == 'P' || kind == '_' || kind == '^' || kind == 'X') {
    // Ends with BEL or ESC \. A string that never ends must not swallow the rest of the text.
    for (std::size_t i = at + 2; i < s.size() && s[i] != '\n'; ++i) {
      if (s[i] == '\a') return i + 1;
      if (s[i] == '\x1b') return i + 1 < s.size() && s[i + 1] == '\\' ? i + 2 : i;
    }
    return at + 2;
  }
  // Intermediate bytes and one final byte (ESC ( B); what is none of these is text and stays.
  std::size_t i = at + 1;
  while (i < s.size() && s[i] >= 0x20 && s[i] <= 0x2F) ++i;
  return i < s.size() && s[i] >= 0x30 && s[i] <= 0x7E ? i + 1 : i;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kHex = "0123456789abcdef";

}  // namespace

std::string_view Trim(std::string_view s) {
  while (!s.empty() && IsSpace(s.front())) s.remove_prefix(1);
  while (!s.empty() && IsSpace(s.back())) s.remove_suffix(1);
  return s;
}

std::vector<std::string_view> Split(std::string_view s, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = s.find(separator);
    parts.push_back(s.substr(0, at));
    if (at == std::string_view::npos) return parts;
    s.remove_prefix(at + 1);
  }
}

std::vector<std::string_view> SplitLines(std::string_view s) {
  if (s.empty()) return {};
  if (s.back() == '\n') s.remove_suffix(1);
  std::vector<std::string_view> lines = Split(s, '\n');
  for (std::string_view& line : lines) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  }
  return lines;
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string ToLower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = Lower(c);
  return out;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ToLower(a) == ToLower(b);
}

std::string ReplaceAll(std::string s, std::string_view from, std::string_view to) {
  std::size_t found = from.empty() ? std::string::npos : s.find(from);
  if (found == std::string::npos) return s;
  // Replacing in place would move the rest of the text once for every hit.
  std::string out;
  out.reserve(s.size());
  std::size_t at = 0;
  for (; found != std::string::npos; found = s.find(from, at)) {
    out.append(s, at, found - at).append(to);
    at = found + from.size();
  }
  return out.append(s, at);
}

std::string Count(std::size_t n, std::string_view noun) {
  return std::to_string(n).append(" ").append(noun).append(n == 1 ? "" : "s");
}

std::optional<std::int64_t> ParseInt(std::string_view s) {
  if (s.empty() || s.front() < '0' || s.front() > '9') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return value;
}

// Dynamic programming over the text, one row per pattern token, so no pattern can make it
// exponential.
bool GlobMatch(std::string_view pattern, std::string_view text) {
  std::vector<char> reach(text.size() + 1, 0);
  reach[0] = 1;
  std::size_t p = 0;
  while (p < pattern.size()) {
    std::vector<char> next(text.size() + 1, 0);
    if (pattern[p] == '*') {
      const bool deep = p + 1 < pattern.size() && pattern[p + 1] == '*';
      p += deep ? 2 : 1;
      bool alive = false;
      for (std::size_t t = 0; t <= text.size(); ++t) {
        if (t > 0 && !deep && text[t - 1] == '/') alive = false;
        alive = alive || reach[t];
        next[t] = alive;
      }
      // "**/" also matches nothing where a name begins, so that "**/x" covers "x" but not "wax".
      if (deep && p < pattern.size() && pattern[p] == '/') {
        std::vector<char> with_slash(text.size() + 1, 0);
        for (std::size_t t = 0; t <= text.size(); ++t) {
          const bool name_begins = t == 0 || text[t - 1] == '/';
          with_slash[t] = name_begins && (reach[t] || (t > 0 && next[t - 1]));
        }
        next = with_slash;
        ++p;
      }
    } else {
      const char c = pattern[p++];
      for (std::size_t t = 0; t < text.size(); ++t) {
        if (reach[t] && (c == '?' ? text[t] != '/' : c == text[t])) next[t + 1] = 1;
      }
    }
    reach = std::move(next);
  }
  return reach[text.size()] != 0;
}

std::string ToValidUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Decoded d = DecodeOne(bytes);
    if (d.valid) {
      out += bytes.substr(0, d.length);
    } else {
      out += "\xEF\xBF\xBD";
    }
    bytes.remove_prefix(d.length);
  }
  return out;
}

std::string Truncate(std::string_view s, std::size_t max_bytes, std::string_view ellipsis) {
  if (s.size() <= max_bytes) return std::string(s);
  if (ellipsis.size() > max_bytes) ellipsis = {};
  std::size_t keep = max_bytes - ellipsis.size();
  // Longer runs of continuation bytes are no UTF-8; there is no boundary to find.
  std::size_t boundary = keep;
  while (boundary > 0 && keep - boundary < 4 && IsContinuation(s[boundary])) --boundary;
  if (!IsContinuation(s[boundary])) keep = boundary;
  return std::string(s.substr(0, keep)) + std::string(ellipsis);
}

std::string StripControl(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (std::size_t i = 0; i < s.size();) {
    if (s[i] == 0x1B) {
      i = SkipEscape(s, i);
      continue;
    }
    if (s[i] == '\r') {
      out += '\n';
      i += i + 1 < s.size() && s[i + 1] == '\n' ? 2 : 1;
      continue;
    }
    const Decoded d = DecodeOne(s.substr(i));
    // A terminal may take a lone byte from 0x80 to 0x9F for a C1 control, too.
    const char32_t code = d.valid ? d.code : static_cast<unsigned char>(s[i]);
    const bool control =
        (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code <= 0x9F);
    if (!control) out += s.substr(i, d.length);
    i += d.length;
  }
  return out;
}

std::string StripInvisible(std::string_view s) {
  std::string visible;
  visible.reserve(s.size());
  for (std::size_t i = 0; i < s.size();) {
    const Decoded d = DecodeOne(s.substr(i));
    if (!d.valid) {
      visible += "\xEF\xBF\xBD";
    } else if (!IsHidden(d.code)) {
      visible += s.substr(i, d.length);
    }
    i += d.length;
  }
  return visible;
}

std::string StripHidden(std::string_view s) {
  // First the invisible characters, so that they cannot hide the start of an HTML comment.
  const std::string visible = StripInvisible(s);
  // Openings are looked for in what was kept, because cutting a comment out can make a new one.
  constexpr std::string_view kOpen = "<!--";
  std::string out;
  out.reserve(visible.size());
  for (std::size_t i = 0; i < visible.size();) {
    out += visible[i++];
    if (!out.ends_with(kOpen)) continue;
    out.resize(out.size() - kOpen.size());
    // HTML lets the dashes of the opening close it: "<!-->" is a whole comment.
    const std::size_t close = visible.find("-->", i - 2);
    if (close == std::string::npos) break;  // an open comment hides the rest from readers
    i = close + 3;
  }
  return out;
}

std::string HexEncode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::optional<std::string> HexDecode(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int hi = HexValue(hex[i]);
    const int lo = HexValue(hex[i + 1]);
    if (hi < 0 || lo < 0) return std::nullopt;
    out += static_cast<char>(hi * 16 + lo);
  }
  return out;
}

std::string Base64Encode(std::string_view bytes) {
  std::string out;
  std::size_t i = 0;
  const auto at = [&](std::size_t k) {
    return k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0U;
  };
  for (; i < bytes.size(); i += 3) {
    const unsigned group = (at(i) << 16) | (at(i + 1) << 8) | at(i + 2);
    out += kBase64[group >> 18];
    out += kBase64[(group >> 12) & 63];
    out += i + 1 < bytes.size() ? kBase64[(group >> 6) & 63] : '=';
    out += i + 2 < bytes.size() ? kBase64[group & 63] : '=';
  }
  return out;
}

std::optional<std::string> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    unsigned group = 0;
    int padding = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const std::size_t value = kBase64.find(c);
      if (c == '=' && i + 4 == text.size() && k >= 2) {
        ++padding;
      } else if (value == std::string_view::npos || padding > 0) {
        return std::nullopt;
      }
      group = (group << 6) | (c == '=' ? 0U : static_cast<unsigned>(value));
    }
    out += static_cast<char>(group >> 16);
    if (padding < 2) out += static_cast<char>((group >> 8) & 255);
    if (padding < 1) out += static_cast<char>(group & 255);
  }
  return out;
}

std::string PercentEncode(std::string_view s) {
  std::string out;
  for (const char c : s) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      constexpr std::string_view kUpperHex = "0123456789ABCDEF";
      out += '%';
      out += kUpperHex[static_cast<unsigned char>(c) >> 4];
      out += kUpperHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

std::optional<std::string> PercentDecode(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '%') {
      out += s[i];
      continue;
    }
    if (i + 2 >= s.size()) return std::nullopt;
    const int hi = HexValue(s[i + 1]);
    const int lo = HexValue(s[i + 2]);
    if (hi < 0 || lo < 0) return std::nullopt;
    out += static_cast<char>(hi * 16 + lo);
    i += 2;
  }
  return out;
}

}  // namespace swage
