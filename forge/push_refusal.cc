#include "forge/push_refusal.h"

#include <array>
#include <string>

#include "config/base/text.h"

namespace swage {
namespace {

struct Phrase {
  std::string_view text;  // lower case
  PushRefusal means;
};

// The first that occurs decides. An answer about signatures also says that the branch is protected,
// and every answer ends with a hook that declined.
constexpr std::array kPhrases = {
    Phrase{"verified signature", PushRefusal::kUnsigned},
    Phrase{"must be signed", PushRefusal::kUnsigned},
    Phrase{"unverified commit", PushRefusal::kUnsigned},
    Phrase{"signed commits", PushRefusal::kUnsigned},
    Phrase{"protected branch", PushRefusal::kProtectedBranch},
    Phrase{"creations being restricted", PushRefusal::kProtectedBranch},
    Phrase{"rule violations", PushRefusal::kRule},
    Phrase{"hook declined", PushRefusal::kRule},
};

}  // namespace

std::optional<PushRefusal> ReadPushRefusal(std::string_view said) {
  const std::string text = ToLower(said);
  for (const Phrase& phrase : kPhrases) {
    if (text.find(phrase.text) != std::string::npos) return phrase.means;
  }
  return std::nullopt;
}

}  // namespace swage
