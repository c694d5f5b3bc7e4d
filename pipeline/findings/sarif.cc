// SARIF 2.1.0 (OASIS): runs[].results[], with the rules and artifacts that results point at by
// index.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "pipeline/findings/finding.h"
#include "pipeline/findings/text_rules.h"

namespace swage {
namespace {

using nlohmann::json;

const json& At(const json& array, std::int64_t index) {
  static const json kNull;
  if (!array.is_array() || index < 0 || index >= static_cast<std::int64_t>(array.size()))
    return kNull;
  return array[static_cast<std::size_t>(index)];
}

std::string RuleId(const json& result) {
  const std::string id = JsonString(result, "ruleId");
  return id.empty() ? JsonString(result, "rule/id") : id;
}

// Section 3.27.5 to 3.27.7: a result names its rule by index, by id, or not at all.
const json& FindRule(const json& run, const json& result) {
  const json& rules = JsonAt(run, "tool/driver/rules");
  const std::int64_t index = JsonInt(result, "ruleIndex", JsonInt(result, "rule/index", -1));
  if (index >= 0) return At(rules, index);
  constexpr std::int64_t kMaxSearchedRules = 1'000;
  const std::string id = RuleId(result);
  const auto limit = rules.is_array() ? std::min<std::int64_t>(rules.size(), kMaxSearchedRules) : 0;
  for (std::int64_t i = 0; i < limit && !id.empty(); ++i) {
    if (JsonString(At(rules, i), "id") == id) return At(rules, i);
  }
  return At(rules, -1);
}

Severity Level(const json& result, const json& rule) {
  const std::string level =
      JsonString(result, "level", JsonString(rule, "defaultConfiguration/level", "warning"));
  if (level == "none") return Severity::kNote;
  return ParseSeverity(level).value_or(Severity::kWarning);
}

std::string Message(const json& result, const json& rule) {
  std::string text = JsonString(result, "message/text");
  if (!text.empty()) return text;
  const std::string id = JsonString(result, "message/id");
  const json& strings = JsonAt(rule, "messageStrings");
  if (!id.empty() && strings.is_object() && strings.contains(id))
    text = JsonString(strings[id], "text");
  const json& arguments = JsonAt(result, "message/arguments");
  constexpr std::int64_t kMaxArguments = 10;
  for (std::int64_t i = 0; i < kMaxArguments && At(arguments, i).is_string(); ++i) {
    const auto& value = At(arguments, i).get_ref<const std::string&>();
    text = Truncate(
        ReplaceAll(std::move(text), fmt::format("{{{}}}", i), value.substr(0, kMaxMessageBytes)),
        4 * kMaxMessageBytes);
  }
  if (!text.empty()) return text;
  return JsonString(rule, "shortDescription/text", JsonString(rule, "fullDescription/text"));
}

std::string Uri(const json& run, const json& artifact) {
  std::string uri = JsonString(artifact, "uri");
  if (uri.empty()) {
    uri = JsonString(At(JsonAt(run, "artifacts"), JsonInt(artifact, "index", -1)), "location/uri");
  }
  return PercentDecode(uri).value_or(uri);
}

// Only what is open counts: not what passed, was suppressed, or is gone since the tool's own
// baseline.
bool Counts(const json& result) {
  const std::string kind = JsonString(result, "kind", "fail");
  const json& suppressions = JsonAt(result, "suppressions");
  return result.is_object() && (kind == "fail" || kind == "open" || kind == "review") &&
         !(suppressions.is_array() && !suppressions.empty()) &&
         JsonString(result, "baselineState") != "absent";
}

Finding ReadResult(const json& run, const json& result) {
  const json& rule = FindRule(run, result);
  const json& place = JsonAt(At(JsonAt(result, "locations"), 0), "physicalLocation");
  Finding finding;
  finding.rule = RuleId(result);
  if (finding.rule.empty()) finding.rule = JsonString(rule, "id");
  finding.severity = Level(result, rule);
  finding.message = Message(result, rule);
  finding.path = Uri(run, JsonAt(place, "artifactLocation"));
  finding.line = ParseLineNumber(std::to_string(JsonInt(place, "region/startLine")));
  return finding;
}

std::size_t CountNodes(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return c == ',' || c == '[' || c == '{'; }));
}

}  // namespace

Result<ParsedReport> ParseSarif(std::string_view text) {
  if (CountNodes(text) > kMaxReportNodes) {
    return MakeError(ErrorCode::kTooLarge,
                     fmt::format("the JSON has more than {} values", kMaxReportNodes));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  SWAGE_ASSIGN_OR_RETURN(const json document, ParseJson(text));
  const json& runs = JsonAt(document, "runs");
  if (!runs.is_array())
    return MakeError(ErrorCode::kInvalid, "not SARIF: there is no array of runs");
  ParsedReport report;
  for (const json& run : runs) {
    const json& results = JsonAt(run, "results");
    if (!results.is_array()) continue;
    for (const json& result : results) {
      if (!Counts(result)) continue;
      if (report.findings.size() >= kMaxFindings) {
        report.truncated = true;
        return report;
      }
      report.findings.push_back(ReadResult(run, result));
    }
  }
  return report;
}

}  // namespace swage
