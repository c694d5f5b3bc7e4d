#include "config/secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "config/base/files.h"
#include "config/base/json.h"
#include "config/base/process.h"
#include "config/base/text.h"
#include "config/rules.h"
#include "config/settings.h"

namespace swage {
namespace {

constexpr std::string_view kEnv = "env:";
constexpr std::string_view kFile = "file:";
constexpr std::string_view kExec = "exec:";
constexpr std::size_t kMaxSecretBytes = 16 << 10;
constexpr std::size_t kMaxSecretWords = 50;
constexpr std::chrono::seconds kSecretCommandLimit{20};

std::string WithoutLineEnd(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

Result<std::string> FromVariable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value != nullptr) return std::string(value);
  return MakeError(ErrorCode::kNotFound,
                   fmt::format("the environment variable {} is not set", name));
}

Result<std::string> FromFile(const std::filesystem::path& file) {
  Result<std::string> bytes = ReadFile(file, kMaxSecretBytes);
  if (bytes.ok()) return WithoutLineEnd(*std::move(bytes));
  return bytes.error().With(fmt::format("cannot read the secret's file {}", file.string()));
}

Result<std::string> FromCommand(std::string_view text, const std::filesystem::path& folder) {
  ProcessSpec spec;
  SWAGE_ASSIGN_OR_RETURN(spec.argv, ParseSecretCommand(text));
  std::string& program = spec.argv.front();
  if (program.find('/') != std::string::npos) program = folder / program;
  const char* home = std::getenv("HOME");
  spec.env = {{"PATH", std::string(kCommandPath)},
              {"HOME", home == nullptr ? "/" : home},
              {"LANG", "C.UTF-8"}};
  spec.cwd = folder.empty() ? "/" : folder.string();
  spec.time_limit = kSecretCommandLimit;
  spec.merge_stderr = false;  // a prompt or a warning is no part of the secret
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  auto printed = RunAndCapture(*MakePosixProcessRunner(supervisor), spec, kMaxSecretBytes);
  if (printed.ok()) return WithoutLineEnd(*std::move(printed));
  return printed.error().With("cannot get the secret");
}

}  // namespace

bool IsSecretReference(std::string_view text) {
  return text.starts_with(kEnv) || text.starts_with(kFile) || text.starts_with(kExec);
}

Result<std::string> FetchSecret(std::string_view reference, const std::filesystem::path& folder) {
  const std::string rest(reference.substr(reference.find(':') + 1));
  if (reference.starts_with(kEnv)) {
    if (!IsEnvName(rest)) {
      return MakeError(ErrorCode::kInvalid, "env: needs a variable's name");
    }
    return FromVariable(rest);
  }
  if (reference.starts_with(kExec)) return FromCommand(rest, folder);
  return FromFile(folder / rest);
}

Result<std::vector<std::string>> ParseSecretCommand(std::string_view text) {
  std::vector<std::string> words;
  if (Trim(text).starts_with('[')) {
    const auto list = ParseJson(text);
    const bool good = list.ok() && list->is_array() &&
                      std::ranges::all_of(*list, [](const auto& word) { return word.is_string(); });
    if (!good) {
      return MakeError(ErrorCode::kInvalid,
                       "exec: needs a program and its arguments, or a JSON list of them");
    }
    for (const auto& word : *list) words.push_back(word.template get<std::string>());
  } else {
    for (const std::string_view word : Split(text, ' ')) {
      if (!word.empty()) words.emplace_back(word);
    }
  }
  if (words.empty() || words.front().empty()) {
    return MakeError(ErrorCode::kInvalid, "exec: needs the name of a program");
  }
  if (words.size() > kMaxSecretWords) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("exec: has more than {} words", kMaxSecretWords));
  }
  return words;
}

}  // namespace swage
