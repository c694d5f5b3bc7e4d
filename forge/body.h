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
