// Command: one line of ChatOps, parsed by a fixed grammar (G2, T19, T21).
//
//   /swage <verb> [text | @person | word]      or      @swage <verb> [text | @person | word]
//
// Only the first line that is not blank counts; never inside a quote, a code fence or a code span.
// The text after the verb is data: it goes into a prompt or a lookup, never near a shell. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/priority.h"

namespace swage {

enum class Verb {
  kHelp,
  kRun,
  kRetry,
  kStop,
  kClose,
  kStatus,
  kLogs,
  kFix,
  kGates,
  kRebase,
  kTakeover,
  kHold,
  kUnhold,
  kPriority,
  kDelegate,
  kUndelegate
};

enum class Argument { kNone, kText, kPerson, kMaybePerson, kPriority };

struct VerbInfo {
  Verb verb;
  std::string_view name;
  Argument takes = Argument::kNone;
  std::string_view argument;  ///< as help shows it: "", "<what to change>"
  std::string_view help;      ///< one sentence
};
/// Every verb, in the order in which help lists them.
const std::vector<VerbInfo>& Verbs();
const VerbInfo& InfoOf(Verb verb);

struct Command {
  Verb verb = Verb::kHelp;
  std::string
      text;  ///< the rest of the comment: at most kMaxCommandText bytes, hidden text stripped
  std::string person = {};  ///< a login without '@': [A-Za-z0-9._-], maybe with "[bot]" behind it
  Priority priority = Priority::kNormal;  ///< of kPriority
};

struct BadCommand {
  std::string what;        ///< one sentence: "unknown command `rnu`"
  std::string suggestion;  ///< the nearest verb, or empty
};

struct ParsedComment {
  std::optional<Command> command;
  std::optional<BadCommand> bad;  ///< it was meant for us but is not in the grammar
  /// With `bad`, of a mention that is no slip of the pen: what it asks for in plain words (A2).
  std::optional<std::string> request = {};
};

inline constexpr std::size_t kMaxCommandText = 8'000;

/// `prefix` is "/swage"; `self_login` enables the @mention form when not empty ("@swage" is not
/// "@swage-dev").
ParsedComment ParseComment(std::string_view body, std::string_view prefix,
                           std::string_view self_login);

/// Whether a line of the text, outside quotes and code, begins with "@login".
bool Mentions(std::string_view text, std::string_view login);

}  // namespace swage
