// Bodies of comments: cut to a forge's limit, and found again by their markers. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "forge/model.h"

namespace swage {

/// `body`, cut at a line end with a visible mark (T46); an open fence is closed first. Keeps the
/// start, where markers stand.
std::string FitBody(std::string_view body, std::size_t max_bytes);

/// `body` with `marker` in front, unless it is there already, cut to `max_bytes`.
std::string MarkedBody(std::string_view marker, std::string_view body, std::size_t max_bytes);

/// The part of a pull request's text that is the bot's: `text` between two marks.
std::string OwnBlock(std::string_view key, std::string_view text);
/// `current` with its block of `wanted`'s key replaced by `wanted`, an OwnBlock, cut to fit. What
/// people wrote around it stays; without the block everything is theirs and stays. A `wanted` that
/// is no OwnBlock takes the whole text.
std::string WithOwnBlock(std::string_view current, std::string_view wanted, std::size_t max_bytes);
/// `block` cut to `max_bytes`, its end mark kept.
std::string FitOwnBlock(std::string_view block, std::size_t max_bytes);

/// Marks a line comment with its fingerprint.
std::string FindingMarker(std::string_view fingerprint);
std::string FindingBody(const LineComment& comment, std::size_t max_bytes);
/// The finding markers in a text, as FindingMarker writes them.
std::vector<std::string> FindingMarkersIn(std::string_view body);
/// Marks a comment whose finding is gone, where the forge cannot resolve its thread.
std::string GoneMarker();

/// Adds the remarks that found no line to a review's text, each with its place and its mark.
std::string WithUnplaced(std::string_view body, const std::vector<const LineComment*>& unplaced);

/// Line ends as forges store them do not count as a difference.
bool SameText(std::string_view a, std::string_view b);

}  // namespace swage
