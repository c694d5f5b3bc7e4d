// Text that strangers wrote, made safe to post under the bot's name.
//
// An agent's summary, a test's output and an issue's title reach comments, reviews and commit
// messages. Nothing in them may notify people, close issues, run GitLab quick actions, load images
// or break out of the frame around it (T41 to T47). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace swage {

/// Prose kept as prose, made inert: mentions (@x, @org/team, @all, GitLab's ~label !1 %1 keep their
/// look), closing keywords before an issue reference, a leading '/' on a line, HTML, images and
/// remote links, control characters. `max_bytes` bounds the result.
std::string InertProse(std::string_view text, std::size_t max_bytes);
/// One line of InertProse, for titles and table cells (also escapes '|').
std::string InertLine(std::string_view text, std::size_t max_bytes);
/// A fenced block whose fence is longer than any run of backticks inside; control characters
/// stripped.
std::string Fence(std::string_view text, std::string_view info, std::size_t max_bytes);
/// A code span that no content can leave.
std::string CodeSpan(std::string_view text, std::size_t max_bytes);
/// For commit messages: as InertProse, without Markdown's escapes.
std::string InertPlain(std::string_view text, std::size_t max_bytes);

/// "<!-- swage:KIND KEY -->": hidden, searched for by Ensure* calls. Bytes of KEY other than
/// [A-Za-z0-9:._/#-] become '~' and their hex value, so that no key can end the comment.
std::string Marker(std::string_view kind, std::string_view key);

}  // namespace swage
