#include <algorithm>

#include "pipeline/isolation/isolation.h"

namespace swage {

std::string_view Describe(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::kNoWriteOutside:
      return "write outside of the workspace";
    case Guarantee::kNoReadOtherTasks:
      return "read files of other tasks";
    case Guarantee::kNoReadBot:
      return "read the bot's memory";
    case Guarantee::kNoNetwork:
      return "reach the network";
    case Guarantee::kNoBotPorts:
      return "reach the bot's ports";
    case Guarantee::kNoSurvivors:
      return "outlive the task";
    case Guarantee::kMemoryLimit:
      return "exceed the memory limit";
    case Guarantee::kProcessLimit:
      return "exceed the process limit";
    case Guarantee::kDiskLimit:
      return "exceed the disk limit";
  }
  return "";
}

bool Ability::Gives(Guarantee guarantee) const {
  return std::ranges::find(guarantees, guarantee) != guarantees.end();
}

}  // namespace swage
