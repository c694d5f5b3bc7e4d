#include "config/gate_spec.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <set>

#include "config/base/text.h"

namespace swage {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::size_t kMaxMatcherBytes = 2'000;
constexpr std::int64_t kMatcherMemory = 8 << 20;

constexpr std::array kFormats = {ReportFormat::kJUnit, ReportFormat::kSarif, ReportFormat::kTap,
                                 ReportFormat::kGcc, ReportFormat::kMatcher};

std::vector<std::string> FormatNames() {
  std::vector<std::string> names;
  for (const ReportFormat format : kFormats) names.emplace_back(Name(format));
  return names;
}

bool IsGateEnvName(std::string_view s) {
  return IsEnvName(s) && !s.starts_with("SWAGE_");
}

void CheckMatcher(const std::string& pattern, const Spot& spot) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMatcherMemory);
  const RE2 matcher(pattern, options);
  if (!matcher.ok()) {
    spot.Say(fmt::format("is not a regular expression (RE2): {}", Truncate(matcher.error(), 120)));
    return;
  }
  const std::vector<std::string> known = {"file", "line", "message", "rule", "severity"};
  for (const auto& [group, index] : matcher.NamedCapturingGroups()) {
    if (std::ranges::find(known, group) != known.end()) continue;
    const std::string near = NearestWord(group, known);
    spot.Say(fmt::format("has the group {}; known are {}{}", Quoted(group), Join(known, ", "),
                         near.empty() ? "" : fmt::format("; did you mean {}?", near)));
  }
  const auto& groups = matcher.NamedCapturingGroups();
  if (!groups.contains("message") && !groups.contains("file")) {
    spot.Fault("names neither of the groups message and file, so it can say nothing");
  }
}

void SettleReport(GateDraft& draft, const Spot& gate, Reading& reading) {
  const auto at = [&](std::string_view name, std::string_view example) {
    const std::string setting = fmt::format("{}.{}", gate.setting, name);
    return Spot{setting, reading.LineOf(setting, gate.line), example, reading};
  };
  GateSpec& spec = draft.spec;
  if (draft.format.empty() && !spec.matcher.empty()) draft.format = Name(ReportFormat::kMatcher);
  for (const ReportFormat format : kFormats) {
    if (draft.format == Name(format)) spec.format = format;
  }
  if (spec.format == ReportFormat::kNone && !spec.report.empty()) {
    at("report.path", "").Say("names a file, but report.format does not say how to read it");
  }
  if (spec.format == ReportFormat::kMatcher && spec.matcher.empty()) {
    at("report.format", "matcher: '(?P<file>[^:]+):(?P<line>\\d+): (?P<message>.*)'")
        .Fault("is matcher, but there is no matcher");
  }
  if (spec.format != ReportFormat::kMatcher && !spec.matcher.empty()) {
    at("matcher", "").Say(fmt::format("has no effect: report.format is {}", draft.format));
  }
  if (!spec.matcher.empty()) CheckMatcher(spec.matcher, at("matcher", "(?P<message>.*)"));
}

}  // namespace

std::string_view Name(ReportFormat format) {
  switch (format) {
    case ReportFormat::kNone:
      return "none";
    case ReportFormat::kJUnit:
      return "junit";
    case ReportFormat::kSarif:
      return "sarif";
    case ReportFormat::kTap:
      return "tap";
    case ReportFormat::kGcc:
      return "gcc";
    case ReportFormat::kMatcher:
      return "matcher";
  }
  return "none";
}

const std::vector<Setting<GateDraft>>& GateTable() {
  static const std::vector<Setting<GateDraft>> kTable = {
      Declare<GateDraft>(
          {.path = "name",
           .manual = "What people read in tables and statuses. Each gate has its own.",
           .example = "unit-tests",
           .required = true},
          TextRule{.kind = "a name of a-z, 0-9, - and _", .max_bytes = 40, .valid = IsGateName},
          [](auto& g) -> auto& { return g.spec.name; }),
      DeclareRun<GateDraft>(
          {.path = "run",
           .manual = "The command. No shell sees it unless `shell` asks for one. It passes when it "
                     "exits with 0.",
           .example = "[ctest, --test-dir, build]",
           .required = true},
          [](auto& g) -> auto& { return g.command; }),
      Declare<GateDraft>(
          {.path = "shell", .manual = "`run` is one text for `/bin/sh -c`.", .example = "true"},
          BoolRule{}, [](auto& g) -> auto& { return g.command.shell; }),
      Declare<GateDraft>(
          {.path = "timeout",
           .manual = "The whole process tree is killed after this time and the gate has "
                     "failed.",
           .example = "10m"},
          DurationRule{milliseconds(100), hours(6)},
          [](auto& g) -> auto& { return g.spec.timeout; }),
      Declare<GateDraft>(
          {.path = "required",
           .manual = "`false` makes it advisory: reported, never in the way.",
           .example = "true"},
          BoolRule{}, [](auto& g) -> auto& { return g.spec.required; }),
      Declare<GateDraft>(
          {.path = "rerun",
           .manual =
               "A gate that fails is run once more on the same commit. When it passes then, it "
               "counts as passed and is marked as flaky wherever it is shown. `false` spares "
               "the second run.",
           .example = "false"},
          BoolRule{}, [](auto& g) -> auto& { return g.spec.rerun; }),
      Declare<GateDraft>(
          {.path = "report.format",
           .manual = "How to find the single complaints in what the gate says; they become "
                     "line comments. Without it the gate speaks as a whole.",
           .example = "junit",
           .fallback = "`matcher` if there is one"},
          ChoiceRule{FormatNames()}, [](auto& g) -> auto& { return g.format; }),
      Declare<GateDraft>(
          {.path = "report.path",
           .manual = "The file that the gate writes its report to, below the workspace. "
                     "Without it the command's output is the report.",
           .example = "build/results.xml"},
          TextRule{.kind = "a path below the workspace", .max_bytes = 500, .valid = IsRelativePath},
          [](auto& g) -> auto& { return g.spec.report; }),
      Declare<GateDraft>(
          {.path = "matcher",
           .manual = "A regular expression (RE2) for one line of the output, with the named "
                     "groups `file`, `line`, `message`, `rule` and `severity`.",
           .example = "'(?P<file>[^:]+):(?P<line>\\d+): (?P<message>.*)'"},
          TextRule{.kind = "a regular expression", .max_bytes = kMaxMatcherBytes},
          [](auto& g) -> auto& { return g.spec.matcher; }),
      Declare<GateDraft>(
          {.path = "paths",
           .manual = "Run only when the change touches one of these globs (`**` crosses "
                     "folders).",
           .example = "[src/**, CMakeLists.txt]",
           .fallback = "every change"},
          ListRule{{.kind = "a glob", .max_bytes = 500}, 100},
          [](auto& g) -> auto& { return g.spec.paths; }),
      Declare<GateDraft>(
          {.path = "env",
           .manual = "Variables for the command, beside HOME, PATH, TMPDIR, LANG and "
                     "`SWAGE_*`.",
           .example = "{CTEST_OUTPUT_ON_FAILURE: \"1\"}"},
          MapRule<TextRule>{
              .key = {.kind = "a variable's name (SWAGE_* is taken)", .valid = IsGateEnvName},
              .inner = {.kind = "text", .max_bytes = 4'000, .may_be_empty = true},
              .value_example = "\"1\""},
          [](auto& g) -> auto& { return g.spec.env; }),
      Declare<GateDraft>(
          {.path = "secrets",
           .manual = "Secrets that the gate needs as variables, by name. It gets what the server's "
                     "`secrets` grant to a gate of this name; a name that is not granted ends the "
                     "task with the reason.",
           .example = "[REGISTRY_TOKEN]"},
          ListRule{{.kind = "a variable's name", .valid = IsEnvName}, 20},
          [](auto& g) -> auto& { return g.spec.secrets; }),
      Declare<GateDraft>(
          {.path = "network",
           .manual = "The gate may reach the hosts that the agent may (`egress.allow`). Without it "
                     "a gate has no network, where its level can keep it away.",
           .example = "true"},
          BoolRule{}, [](auto& g) -> auto& { return g.spec.network; }),
  };
  return kTable;
}

std::optional<std::vector<GateSpec>> GatesRule::Read(const YamlNode& node, const Spot& spot) const {
  if (!IsListOrNull(node, kMaxGates, spot)) return std::nullopt;
  Value gates;
  std::set<std::string> names;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& item = node.items[i];
    const Spot gate{fmt::format("{}[{}]", spot.setting, i), item.line, spot.example, spot.reading};
    GateDraft draft;
    ReadSettings(item, GateTable(), gate.setting + ".", draft, spot.reading);
    draft.spec.run = SettleCommand(std::move(draft.command), gate);
    SettleReport(draft, gate, spot.reading);
    if (!draft.spec.name.empty() && !names.insert(draft.spec.name).second) {
      spot.reading.faults.Add(spot.reading.LineOf(gate.setting + ".name", item.line),
                              gate.setting + ".name",
                              fmt::format("{} is taken by another gate", Quoted(draft.spec.name)));
    }
    gates.push_back(std::move(draft.spec));
  }
  return gates;
}

}  // namespace swage
