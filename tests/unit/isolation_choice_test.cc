// The choice of a level: the table of golden/isolation_choices.yml, that more evidence never lowers
// it, what is read from an issue's text, and how rules are written.
#include "pipeline/isolation/choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/base/files.h"
#include "config/base/text.h"
#include "config/isolation_table.h"
#include "config/yaml.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

using enum IsolationLevel;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const YamlNode& At(const YamlNode& map, std::string_view key) {
  static const YamlNode kNothing;
  for (const YamlEntry& entry : map.entries) {
    if (entry.key == key) return entry.value;
  }
  return kNothing;
}

std::vector<std::string> Texts(const YamlNode& list) {
  std::vector<std::string> texts;
  for (const YamlNode& item : list.items) texts.push_back(item.text);
  return texts;
}

Evidence EvidenceOf(const YamlNode& map) {
  Evidence evidence;
  for (const Author author : kAuthors) {
    if (Name(author) == At(map, "author").text) evidence.author = author;
  }
  evidence.reads_only = At(map, "reads_only").text == "true";
  evidence.asked = ParseIsolationLevel(At(map, "asked").text);
  evidence.paths = Texts(At(map, "paths"));
  evidence.touched = Texts(At(map, "touched"));
  evidence.text_bytes = static_cast<std::size_t>(ParseInt(At(map, "text_bytes").text).value_or(0));
  for (const std::string& name : Texts(At(map, "signs"))) {
    for (const Sign sign : kSigns) {
      if (Name(sign) == name) evidence.signs.insert(sign);
    }
  }
  return evidence;
}

/// As if it stood below `isolation` in a file.
template <class T>
T ReadBelowIsolation(const YamlNode& map, const std::vector<Setting<T>>& table,
                     std::string& faults_out) {
  YamlNode root;
  root.kind = YamlNode::Kind::kMap;
  root.entries.push_back({"isolation", map.line, map});
  Faults faults("rules");
  Reading reading{.faults = faults, .folder = {}, .redactor = nullptr, .lines = {}};
  T out;
  ReadSettings(root, table, "", out, reading);
  if (!faults.empty()) faults_out = faults.ToError().message;
  return out;
}

struct Rules {
  IsolationRules server;
  IsolationRules policy;
};

Rules RulesOf(const YamlNode& one) {
  Rules rules;
  std::string faults;
  rules.server =
      ReadBelowIsolation(At(one, "server"), ServerIsolationTable(), faults).isolation_rules;
  rules.policy = ReadBelowIsolation(At(one, "policy"), PolicyIsolationTable(), faults).isolation;
  EXPECT_EQ(faults, "");
  return rules;
}

const YamlNode& Cases() {
  static const YamlNode kCases = [] {
    const auto file = test::SourcePath() / "tests/unit/golden/isolation_choices.yml";
    Faults faults(file.string());
    const auto root = ParseYaml(ReadFile(file, 1 << 20).value(), faults);
    SWAGE_CHECK(root.has_value() && faults.empty());
    return *root;
  }();
  return kCases;
}

TEST(IsolationChoice, FollowsTheTable) {
  ASSERT_GT(Cases().items.size(), 30U);
  for (const YamlNode& one : Cases().items) {
    SCOPED_TRACE(At(one, "case").text);
    const Rules rules = RulesOf(one);
    const Choice choice = ChooseLevel(EvidenceOf(At(one, "evidence")), rules.server, rules.policy);
    EXPECT_EQ(Name(choice.level), At(one, "level").text);
    EXPECT_EQ(choice.reasons, Texts(At(one, "reasons")));
    EXPECT_EQ(choice.short_of, ParseIsolationLevel(At(one, "short_of").text));
    EXPECT_EQ(choice.refusal, At(one, "refusal").text);
  }
}

// The level of a task never falls, so neither may the answer while evidence comes in.
TEST(IsolationChoice, MoreEvidenceNeverLowersTheLevel) {
  for (const YamlNode& one : Cases().items) {
    const Rules rules = RulesOf(one);
    const Evidence before = EvidenceOf(At(one, "evidence"));
    const IsolationLevel level = ChooseLevel(before, rules.server, rules.policy).level;
    for (const YamlNode& other : Cases().items) {
      SCOPED_TRACE(At(one, "case").text + " + " + At(other, "case").text);
      const Evidence found = EvidenceOf(At(other, "evidence"));
      Evidence after = before;
      after.signs.insert(found.signs.begin(), found.signs.end());
      after.touched.insert(after.touched.end(), found.touched.begin(), found.touched.end());
      const Choice choice = ChooseLevel(after, rules.server, rules.policy);
      EXPECT_GE(choice.level, level);
      EXPECT_FALSE(choice.reasons.empty());
    }
  }
}

TEST(IsolationChoice, ReadsTheFrontMatterOfAnIssue) {
  const Directives asks = ReadDirectives(
      "---\nisolation: sandbox\nnetwork: [registry.example.com]\nscope: [src/**, Makefile]\n---\n"
      "Mend `src/a.cc`.");
  EXPECT_EQ(asks.isolation, kSandbox);
  EXPECT_TRUE(asks.network);
  EXPECT_THAT(asks.paths, ElementsAre("src/**", "Makefile", "src/a.cc"));
}

TEST(IsolationChoice, TakesOnlyFrontMatterThatIsOne) {
  for (const char* text :
       {"isolation: container\n", "Text\n---\nisolation: container\n---\n",
        "---\nisolation: container\nno end", "---\nisolation: [container\n---\n",
        "---\nisolation: prison\n---\n", "---\n&a isolation: container\nx: *a\n---\n",
        "----\nisolation: container\n---\n", "---\n---\n", "---\n", "---"}) {
    const Directives asks = ReadDirectives(text);
    EXPECT_EQ(asks.isolation, std::nullopt) << text;
    EXPECT_FALSE(asks.network) << text;
  }
  EXPECT_EQ(ReadDirectives("---\r\nisolation: container\r\n---\r\n").isolation, kContainer);
  const std::string long_one = "---\n" + std::string(100'000, 'x') + "\nisolation: container\n---";
  EXPECT_EQ(ReadDirectives(long_one).isolation, std::nullopt);
}

TEST(IsolationChoice, FindsTheFilesThatATextNames) {
  EXPECT_THAT(ReadDirectives("See src/lib/a.cc:12 and (`Makefile`), ./b.py. Not 1.2, e.g. or\n"
                             "https://example.com/x/y.html and /etc/passwd.")
                  .paths,
              ElementsAre("src/lib/a.cc", "Makefile", "b.py", "e.g"));
  EXPECT_THAT(ReadDirectives("nothing here").paths, IsEmpty());
  std::string many;
  for (int i = 0; i < 5'000; ++i) many += "a/" + std::to_string(i) + " ";
  EXPECT_EQ(ReadDirectives(many).paths.size(), 200U);
}

TEST(IsolationRules, TheBuiltInOnesAreWrittenLikeAnyOther) {
  EXPECT_GE(BuiltInRules().size(), 8U);
  for (const IsolationRule& rule : BuiltInRules()) {
    EXPECT_GE(rule.level, kSandbox) << rule.because;
    EXPECT_NE(rule.when, RuleWhen{}) << rule.because;
  }
}

TEST(IsolationRules, SayWhatIsWrongWithThem) {
  const auto faults_of = [](std::string_view text) {
    Faults faults("f");
    const auto map = ParseYaml(text, faults);
    std::string said;
    ReadBelowIsolation(*map, PolicyIsolationTable(), said);
    return said;
  };
  EXPECT_EQ(faults_of("rules: [{when: {author: outsider}, level: sandbox, because: x}]"), "");
  EXPECT_THAT(faults_of("floor: jail"), HasSubstr("is not one of worktree, sandbox, container"));
  EXPECT_THAT(faults_of("ceiling: shared"), HasSubstr("is not one of"));
  EXPECT_THAT(faults_of("built_in_rules: false"), HasSubstr("no such setting"));
  EXPECT_THAT(faults_of("rules: [{level: sandbox, because: x}]"), HasSubstr("has no condition"));
  EXPECT_THAT(faults_of("rules: [{when: {gate_network: true}, because: x}]"),
              HasSubstr("isolation.rules[0].level: is missing"));
  EXPECT_THAT(faults_of("rules: [{when: {gate_network: true}, level: sandbox}]"),
              HasSubstr("isolation.rules[0].because: is missing"));
  EXPECT_THAT(faults_of("rules: [{when: {author: friend}, level: sandbox, because: x}]"),
              HasSubstr("is not one of writer, outsider, bot"));
  EXPECT_THAT(faults_of("rules: [{when: {gate_network: false}, level: sandbox, because: x}]"),
              HasSubstr("is not one of true"));
  EXPECT_THAT(faults_of("rules: [{when: {touches: [../x]}, level: sandbox, because: x}]"),
              HasSubstr("is not a glob"));
  EXPECT_THAT(faults_of("rules: [{when: {files_over: -1}, level: sandbox, because: x}]"),
              HasSubstr("files_over"));
  EXPECT_THAT(faults_of("rules: [{wehn: {gate_network: true}, level: sandbox, because: x}]"),
              HasSubstr("did you mean when"));
}

}  // namespace
}  // namespace swage
