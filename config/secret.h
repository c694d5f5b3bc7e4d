// A secret by reference: the settings name where it is kept, never the value itself.
//
//   env:NAME                a variable of the server, wiped once it is read (T26)
//   file:PATH               a file; the line break at its end does not count
//   exec:PROGRAM ARGUMENT   what a program prints: a password manager, a vault's client. Words are
//                           split at blanks and no shell sees them; exec:["PROGRAM", "an argument"]
//                           is for those that hold blanks
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"

namespace swage {

struct SecretValue {
  std::string reference;
  std::string value;
};

bool IsSecretReference(std::string_view text);

/// Reads it; relative paths count from `folder`. An exec: program has a few seconds, the server's
/// HOME and the usual PATH, and its output is in no message. Blocks. Errors: kNotFound, kInvalid,
/// kTooLarge, kTimeout, kInternal.
Result<std::string> FetchSecret(std::string_view reference, const std::filesystem::path& folder);

/// The words of what follows "exec:". Errors: kInvalid. Pure.
Result<std::vector<std::string>> ParseSecretCommand(std::string_view text);

}  // namespace swage
