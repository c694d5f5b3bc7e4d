// deploy/RUNBOOK.md tells what to do about each line that the log calls an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <filesystem>
#include <set>
#include <string>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/harness/paths.h"
#include "tests/harness/source_rules.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = test::SourcePath();

// The messages of log.Error(...): every string before the fields.
void AddErrors(const std::string& code, std::set<std::string>& errors) {
  static const RE2 kCall(R"(log_?(?:\.|->)Error\(([^{;]*))");
  static const RE2 kString(R"re("([^"]*)")re");
  std::string before_fields;
  for (re2::StringPiece rest(code); RE2::FindAndConsume(&rest, kCall, &before_fields);) {
    std::string message;
    for (re2::StringPiece words(before_fields); RE2::FindAndConsume(&words, kString, &message);) {
      errors.insert(message);
    }
  }
}

std::set<std::string> ErrorsOfTheProgram() {
  std::set<std::string> errors;
  for (const char* folder : {"config", "forge", "pipeline", "bot"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (entry.path().extension() != ".cc") continue;
      AddErrors(test::WithoutComments(ReadFile(entry).value()), errors);
    }
  }
  return errors;
}

// The first cells of the table of alarms.
std::set<std::string> AlarmsOfTheRunbook() {
  static const RE2 kRow("^\\| `([^`]+)` \\|.*\\|.*\\|$");
  std::set<std::string> alarms;
  bool inside = false;
  const std::string runbook = ReadFile(kRoot / "deploy/RUNBOOK.md").value();
  for (const std::string_view line : SplitLines(runbook)) {
    if (line.starts_with("## ")) inside = line == "## Alarms";
    std::string message;
    if (inside && RE2::FullMatch(re2::StringPiece(line.data(), line.size()), kRow, &message)) {
      alarms.insert(message);
    }
  }
  return alarms;
}

TEST(RunbookTest, FindsTheMessagesOfErrors) {
  std::set<std::string> errors;
  AddErrors(
      "log_.Error(again ? \"one\" : \"two\", {{\"field\", x}}); log.Error(\"three\");\n"
      "context_.log->Error(\n    \"four\",\n {}); log.Warn(\"five\"); dialect.Error(\"six\");",
      errors);
  EXPECT_THAT(errors, testing::ElementsAre("four", "one", "three", "two"));
}

TEST(RunbookTest, TellsWhatToDoAboutEveryErrorOfTheLog) {
  const std::set<std::string> errors = ErrorsOfTheProgram();
  const std::set<std::string> alarms = AlarmsOfTheRunbook();
  EXPECT_FALSE(errors.empty());
  for (const std::string& error : errors) {
    EXPECT_TRUE(alarms.contains(error)) << "deploy/RUNBOOK.md lacks a row for: " << error;
  }
}

}  // namespace
}  // namespace swage
