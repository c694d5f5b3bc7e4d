#include "config/profile_rule.h"

#include "config/setting.h"

namespace swage {
namespace {

TextRule Instructions() {
  return {.kind = "text", .max_bytes = 16'000, .multiline = true};
}

const std::vector<Setting<Profile>>& ProfileTable() {
  static const std::vector<Setting<Profile>> kTable = {
      Declare<Profile>(
          {.path = "instructions",
           .manual = "Added to the prompt.",
           .example = "Answer the question with file names and lines."},
          Instructions(), [](auto& p) -> auto& { return p.instructions; }),
      Declare<Profile>(
          {.path = "reads_only",
           .manual = "The agent answers and changes nothing.",
           .example = "true"},
          BoolRule{}, [](auto& p) -> auto& { return p.reads_only; }),
  };
  return kTable;
}

}  // namespace

std::optional<Profile> ProfileRule::Read(const YamlNode& node, const Spot& spot) const {
  Profile profile;
  if (node.kind == YamlNode::Kind::kMap) {
    ReadSettings(node, ProfileTable(), spot.setting + ".", profile, spot.reading);
    return profile;
  }
  auto text = Instructions().Read(node, spot);
  if (!text) return std::nullopt;
  profile.instructions = *std::move(text);
  return profile;
}

}  // namespace swage
