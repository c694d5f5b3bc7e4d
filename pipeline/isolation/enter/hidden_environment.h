// How a command's environment travels through the programs that enclose it.
#pragma once

namespace swage {

/// Before the name of every variable on its way.
inline constexpr const char* kHiddenVariable = "SWAGE-INSIDE-";

}  // namespace swage
