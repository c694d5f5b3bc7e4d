// Which lines of a file a diff shows: only those can carry a line comment. Pure.
#pragma once

#include <map>
#include <string_view>

namespace swage {

struct PatchLine {
  int old_line = 0;  ///< 0 = the line is new
};

/// The lines of the head version that stand in the hunks of a unified diff (with or without its
/// file headers), by number. A diff that ends early or lies about its counts gives what can be
/// read.
std::map<int, PatchLine> HeadLines(std::string_view patch);

}  // namespace swage
