// GitHub-flavoured Markdown, as both real forges read it (cmark-gfm). Pure; input is capped.
#pragma once

#include <string>
#include <string_view>

namespace swage::sandbox {

inline constexpr std::size_t kMaxMarkdown = 1 << 20;  ///< bytes; the rest is cut off

/// Safe HTML: raw HTML and dangerous links of the text are left out, images become links.
std::string RenderMarkdown(std::string_view text);

/// What a reader sees as plain words: no code, no HTML, no link labels. Removed spans leave U+0001,
/// so that words on both sides of one do not join. Mentions and closing keywords are looked for in
/// here.
std::string VisibleWords(std::string_view text);

}  // namespace swage::sandbox
