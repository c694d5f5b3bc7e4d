// A profile as written: a text, or a map with more to say.
#pragma once

#include <optional>
#include <string>

#include "config/repo_policy.h"
#include "config/rules.h"

namespace swage {

struct ProfileRule {
  using Value = Profile;
  std::string Describe() const { return "text, or a map of instructions and reads_only"; }
  std::string Show(const Profile&) const { return ""; }
  std::optional<Profile> Read(const YamlNode& node, const Spot& spot) const;
};

}  // namespace swage
