#include "pipeline/priority.h"

#include "config/base/text.h"

namespace swage {

std::string_view Name(Priority p) {
  switch (p) {
    case Priority::kHigh:
      return "high";
    case Priority::kNormal:
      return "normal";
    case Priority::kLow:
      return "low";
  }
  return "";
}

std::optional<Priority> ParsePriority(std::string_view s) {
  for (const Priority p : {Priority::kHigh, Priority::kNormal, Priority::kLow}) {
    if (EqualsIgnoreCase(s, Name(p))) return p;
  }
  return std::nullopt;
}

}  // namespace swage
