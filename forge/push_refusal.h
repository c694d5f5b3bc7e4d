// PushRefusal: why a forge's rules took no push, read from what git relayed of its answer.
//
// A rule is no missing right: asking again helps nothing until somebody changes the rule or what is
// pushed, so it is told apart. Pure.
#pragma once

#include <optional>
#include <string_view>

namespace swage {

enum class PushRefusal {
  kProtectedBranch,  ///< branches of this name are not for this account
  kUnsigned,         ///< commits must carry signatures that the forge can verify
  kRule,             ///< a hook or rule of the repository's own
};

/// Nothing: it was refused for something else, such as a missing right.
std::optional<PushRefusal> ReadPushRefusal(std::string_view said);

}  // namespace swage
