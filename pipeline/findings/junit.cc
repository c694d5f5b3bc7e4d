// JUnit XML, in the flavours of CTest (--output-junit), GoogleTest, pytest and their like.
//
// They agree on testsuite/testcase/failure and on little else: CTest puts the only useful text into
// system-out, GoogleTest repeats the message in the body, pytest hides the line in a traceback.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <pugixml.hpp>

#include "config/base/text.h"
#include "pipeline/findings/finding.h"
#include "pipeline/findings/text_rules.h"

namespace swage {
namespace {

constexpr int kMaxXmlDepth = 64;
constexpr std::size_t kMaxShownOutput = 1'500;

bool Is(const pugi::xml_node& node, const char* name) {
  return std::strcmp(node.name(), name) == 0;
}

std::string TestName(const pugi::xml_node& test) {
  const std::string_view name = test.attribute("name").value();
  const std::string_view group = test.attribute("classname").value();
  if (group.empty() || group == name || name.starts_with(group)) return std::string(name);
  return fmt::format("{}.{}", group, name);
}

// A long output is shown from the line that names the failure's place, else its end.
std::string_view InterestingPart(std::string_view output,
                                 const std::optional<SourceLocation>& place) {
  if (output.size() <= kMaxShownOutput) return output;
  if (place) {
    const std::size_t at = output.find(fmt::format("{}:{}", place->path, place->line));
    if (at != std::string_view::npos) return output.substr(at, kMaxShownOutput);
  }
  return output.substr(output.size() - kMaxShownOutput);
}

std::string FailureMessage(std::string_view attribute, std::string_view body,
                           std::string_view output) {
  const std::string_view title = Trim(attribute);
  const std::string_view text = Trim(body.empty() ? output : body);
  if (text.empty() || title.substr(0, text.size()) == text) return std::string(title);
  // CTest's own title says "Failed" and no more.
  if (title.empty() || EqualsIgnoreCase(title, "failed") || text.starts_with(title)) {
    return std::string(text);
  }
  return fmt::format("{}\n{}", title, text);
}

Finding FailureFinding(const pugi::xml_node& test, const pugi::xml_node& failure) {
  const std::string_view attribute = failure.attribute("message").value();
  const std::string_view body = failure.child_value();
  const std::string_view output = test.child_value("system-out");

  std::optional<SourceLocation> place;
  for (const std::string_view text : {body, attribute, output}) {
    if (!place) place = FindLocation(text.substr(0, kMaxReportLine * 16));
  }
  for (const pugi::xml_node& node : {failure, test}) {
    const std::string_view file = node.attribute("file").value();
    if (!place && !file.empty()) {
      place = SourceLocation{std::string(file), ParseLineNumber(node.attribute("line").value())};
    }
  }
  Finding finding;
  finding.rule = TestName(test);
  finding.message = FailureMessage(attribute, body, InterestingPart(output, place));
  if (place) {
    finding.path = std::move(place->path);
    finding.line = place->line;
  }
  return finding;
}

// CTest files a test whose program was not built under "skipped", and fails the run for it.
bool CouldNotStart(const pugi::xml_node& test) {
  const std::string_view why = test.child("skipped").attribute("message").value();
  return std::string_view(test.attribute("status").value()) == "notrun" &&
         (why.starts_with("Unable to find") || why.starts_with("Could not find"));
}

bool WasSkipped(const pugi::xml_node& test) {
  const std::string_view status = test.attribute("status").value();
  return test.child("skipped") || status == "disabled" || status == "notrun";
}

void ReadTest(const pugi::xml_node& test, ParsedReport& report) {
  const bool could_not_start = CouldNotStart(test);
  if (!could_not_start && WasSkipped(test)) return;
  ++report.tests_total;
  bool failed = false;
  for (const pugi::xml_node& child : test.children()) {
    const bool tells_why =
        Is(child, "failure") || Is(child, "error") || (could_not_start && Is(child, "skipped"));
    if (!tells_why) continue;
    failed = true;
    if (report.findings.size() >= kMaxFindings) {
      report.truncated = true;
    } else {
      report.findings.push_back(FailureFinding(test, child));
    }
  }
  if (failed) ++report.tests_failed;
}

// Walks without recursion, in document order; refuses what is nested deeper than any real report.
Result<ParsedReport> Walk(const pugi::xml_node& root) {
  ParsedReport report;
  pugi::xml_node node = root;
  int depth = 0;
  while (node) {
    const bool is_test = Is(node, "testcase");
    if (is_test) ReadTest(node, report);
    if (!is_test && node.first_child()) {
      node = node.first_child();
      if (++depth > kMaxXmlDepth) {
        return MakeError(ErrorCode::kTooLarge,
                         fmt::format("the XML is nested deeper than {} levels", kMaxXmlDepth));
      }
      continue;
    }
    while (node != root && !node.next_sibling()) {
      node = node.parent();
      --depth;
    }
    node = node == root ? pugi::xml_node() : node.next_sibling();
  }
  return report;
}

}  // namespace

Result<ParsedReport> ParseJUnit(std::string_view xml) {
  if (static_cast<std::size_t>(std::count(xml.begin(), xml.end(), '<')) > kMaxReportNodes) {
    return MakeError(ErrorCode::kTooLarge,
                     fmt::format("the XML has more than {} elements", kMaxReportNodes));
  }
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  if (!parsed) {
    return MakeError(ErrorCode::kInvalid, fmt::format("not well-formed XML at byte {}: {}",
                                                      parsed.offset, parsed.description()));
  }
  const pugi::xml_node root = document.document_element();
  if (!Is(root, "testsuites") && !Is(root, "testsuite")) {
    return MakeError(ErrorCode::kInvalid,
                     "not JUnit XML: the root element is neither testsuites nor testsuite");
  }
  return Walk(root);
}

}  // namespace swage
