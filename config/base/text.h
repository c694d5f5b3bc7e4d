// Small pure functions over text. None of them throws; all are safe on bytes that are not UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace swage {

std::string_view Trim(std::string_view s);
std::vector<std::string_view> Split(std::string_view s, char separator);
std::vector<std::string_view> SplitLines(
    std::string_view s);  ///< no line ends; "\r\n" counts as one
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
std::string ToLower(std::string_view s);  ///< ASCII only
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string ReplaceAll(std::string s, std::string_view from, std::string_view to);
std::string Count(std::size_t n, std::string_view noun);  ///< "1 finding", "2 findings"
/// The whole text as a decimal number, without sign, blanks or overflow; nothing otherwise.
std::optional<std::int64_t> ParseInt(std::string_view s);

/// A shell-like glob over a '/'-separated path: `*` and `?` stop at '/', `**` does not. Linear in
/// pattern x text; no recursion.
bool GlobMatch(std::string_view pattern, std::string_view text);

/// Valid UTF-8: each bad sequence (also overlong forms and surrogates) becomes U+FFFD.
std::string ToValidUtf8(std::string_view bytes);
/// At most `max_bytes`, cut on a character boundary, with `ellipsis` (inside the bound) when cut.
std::string Truncate(std::string_view s, std::size_t max_bytes, std::string_view ellipsis = "…");
/// Removes ANSI/OSC escape sequences and control characters other than \n and \t; "\r\n" and "\r"
/// become "\n". For anything that a person will read (T47).
std::string StripControl(std::string_view s);
/// Removes zero-width, bidirectional and tag characters; bad UTF-8 becomes U+FFFD.
std::string StripInvisible(std::string_view s);
/// Removes what a reader cannot see and a model can: HTML comments, zero-width, bidirectional and
/// tag characters (T27).
std::string StripHidden(std::string_view s);

std::string HexEncode(std::string_view bytes);
std::optional<std::string> HexDecode(std::string_view hex);
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);
/// RFC 3986: everything but unreserved characters as %XX.
std::string PercentEncode(std::string_view s);
std::optional<std::string> PercentDecode(std::string_view s);

}  // namespace swage
