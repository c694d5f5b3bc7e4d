#include "config/isolation_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kMaxFilesOver = 100'000;
constexpr int kMaxTextOver = 1 << 20;

// No option of the engine's command line.
bool IsImage(std::string_view s) {
  return s.front() != '-' && s.find(' ') == s.npos;
}

// "glob" takes names that stand alone as well as paths.
bool IsGlob(std::string_view s) {
  return s.front() != '/' && s.find("..") == s.npos;
}

ListRule Globs() {
  return ListRule{{.kind = "a glob", .max_bytes = 500, .valid = IsGlob}, 200};
}

struct AuthorsRule {
  using Value = std::set<Author>;
  std::string Describe() const { return "one or a list of writer, outsider, bot"; }
  std::string Show(const Value&) const { return ""; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const {
    ChoiceRule one;
    for (const Author author : kAuthors) one.choices.emplace_back(Name(author));
    YamlNode list = node;
    if (node.kind != YamlNode::Kind::kList) {
      list = YamlNode{.kind = YamlNode::Kind::kList,
                      .line = node.line,
                      .text = {},
                      .items = {node},
                      .entries = {}};
    }
    if (!IsListOrNull(list, std::size(kAuthors), spot)) return std::nullopt;
    Value authors;
    for (const YamlNode& item : list.items) {
      const auto name = one.Read(item, spot);
      if (!name) return std::nullopt;
      for (const Author author : kAuthors) {
        if (Name(author) == *name) authors.insert(author);
      }
    }
    return authors;
  }
};

struct CountRule {
  using Value = std::optional<int>;
  IntRule count;
  std::string Describe() const { return count.Describe(); }
  std::string Show(const Value&) const { return ""; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const {
    const auto value = count.Read(node, spot);
    if (!value) return std::nullopt;
    return std::optional<Value>(Value(*value));
  }
};

std::string_view Manual(Sign sign) {
  switch (sign) {
    case Sign::kAsksNetwork:
      return "`true`: the issue's front matter says `network: true`, or names hosts.";
    case Sign::kGateNetwork:
      return "`true`: a gate needs the network.";
    case Sign::kGateImage:
      return "`true`: the policy names a container image.";
    case Sign::kNetworkBlocked:
      return "`true`: commands of the task were kept from a host.";
    case Sign::kLimitHit:
      return "`true`: commands of the task ran into a limit of memory, processes or disk.";
  }
  return "";
}

const std::string& WhenPath(Sign sign) {
  static const auto kPaths = [] {
    std::vector<std::string> paths;
    for (const Sign each : kSigns) paths.push_back(fmt::format("when.{}", Name(each)));
    return paths;
  }();
  return kPaths[static_cast<std::size_t>(sign)];
}

// `false` would say "where it is not so", which lowers nothing: a rule without it says the same.
Setting<IsolationRule> DeclareSign(Sign sign) {
  const ChoiceRule only_true{{"true"}};
  return {{.path = WhenPath(sign), .manual = Manual(sign), .example = "true"},
          only_true.Describe(),
          "",
          [=](const YamlNode& node, IsolationRule& out, const Spot& spot) {
            if (only_true.Read(node, spot)) out.when.signs.insert(sign);
          }};
}

bool SaysNothing(const RuleWhen& when) {
  return when == RuleWhen{};
}

LevelRule AboveShared() {
  return {{IsolationLevel::kWorktree, IsolationLevel::kSandbox, IsolationLevel::kContainer}};
}

}  // namespace

std::string LevelRule::Describe() const {
  std::vector<std::string> names;
  for (const IsolationLevel level : choices) names.emplace_back(Name(level));
  return Join(names, ", ");
}

std::string LevelRule::Show(const Value& value) const {
  return value ? std::string(Name(*value)) : "";
}

std::optional<LevelRule::Value> LevelRule::Read(const YamlNode& node, const Spot& spot) const {
  ChoiceRule rule;
  for (const IsolationLevel level : choices) rule.choices.emplace_back(Name(level));
  const auto name = rule.Read(node, spot);
  if (!name) return std::nullopt;
  return std::optional<Value>(ParseIsolationLevel(*name));
}

std::string LevelsRule::Show(const LevelSet& value) const {
  return "[" + ReplaceAll(Names(value), " ", ", ") + "]";
}

std::optional<LevelSet> LevelsRule::Read(const YamlNode& node, const Spot& spot) const {
  if (!IsListOrNull(node, std::size(kIsolationLevels), spot)) return std::nullopt;
  LevelSet levels;
  for (const YamlNode& item : node.items) {
    const auto level = LevelRule{}.Read(item, spot);
    if (!level) return std::nullopt;
    levels.Add(**level);
  }
  if (levels.Empty()) {
    spot.Fault("names no level");
    return std::nullopt;
  }
  return levels;
}

const std::vector<Setting<IsolationRule>>& IsolationRuleTable() {
  static const auto kTable = [] {
    std::vector<Setting<IsolationRule>> table = {
        Declare<IsolationRule>(
            {.path = "when.author",
             .manual = "Who wrote the issue: a `writer` of the repository, an `outsider` who may "
                       "not write to it, or a `bot`. Whoever asked for the work may always write.",
             .example = "outsider",
             .fallback = "whoever"},
            AuthorsRule{}, [](auto& r) -> auto& { return r.when.author; }),
        Declare<IsolationRule>(
            {.path = "when.paths",
             .manual = "The issue names a file like one of these globs (`**` crosses folders): in "
                       "its text, or as `scope` in its front matter.",
             .example = "[deploy/**]",
             .fallback = "whatever it names"},
            Globs(), [](auto& r) -> auto& { return r.when.paths; }),
        Declare<IsolationRule>(
            {.path = "when.touches",
             .manual = "The change touches a file like one of these globs. Found while the task "
                       "runs; it then goes on at the level from its last checkpoint.",
             .example = "[\"**/package-lock.json\"]",
             .fallback = "whatever it touches"},
            Globs(), [](auto& r) -> auto& { return r.when.touches; }),
    };
    for (const Sign sign : kSigns) table.push_back(DeclareSign(sign));
    std::vector<Setting<IsolationRule>> rest = {
        Declare<IsolationRule>(
            {.path = "when.files_over",
             .manual = "The change touches more files than that.",
             .example = "100"},
            CountRule{{0, kMaxFilesOver}}, [](auto& r) -> auto& { return r.when.files_over; }),
        Declare<IsolationRule>(
            {.path = "when.text_over",
             .manual = "The issue's text is longer than that, in bytes.",
             .example = "20000"},
            CountRule{{0, kMaxTextOver}}, [](auto& r) -> auto& { return r.when.text_over; }),
        Setting<IsolationRule>{{.path = "level",
                                .manual = "The least that the task then runs at.",
                                .example = "sandbox",
                                .required = true},
                               LevelRule{}.Describe(),
                               "",
                               [](const YamlNode& node, IsolationRule& out, const Spot& spot) {
                                 if (const auto level = LevelRule{}.Read(node, spot))
                                   out.level = **level;
                               }},
        Declare<IsolationRule>(
            {.path = "require",
             .manual = "Where the ceiling is lower, `true` makes the task wait; otherwise it goes "
                       "on at the ceiling and says so.",
             .example = "true"},
            BoolRule{}, [](auto& r) -> auto& { return r.require; }),
        Declare<IsolationRule>(
            {.path = "because",
             .manual = "The reason, as pull requests and pages tell it.",
             .example = "the deployment scripts hold credentials",
             .required = true},
            TextRule{.kind = "a reason", .max_bytes = 200},
            [](auto& r) -> auto& { return r.because; }),
    };
    std::ranges::move(rest, std::back_inserter(table));
    return table;
  }();
  return kTable;
}

std::optional<std::vector<IsolationRule>> IsolationRulesRule::Read(const YamlNode& node,
                                                                   const Spot& spot) const {
  if (!IsListOrNull(node, kMaxIsolationRules, spot)) return std::nullopt;
  Value rules;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Spot at{fmt::format("{}[{}]", spot.setting, i), node.items[i].line, spot.example,
                  spot.reading};
    IsolationRule rule;
    ReadSettings(node.items[i], IsolationRuleTable(), at.setting + ".", rule, spot.reading);
    if (SaysNothing(rule.when)) {
      at.Say("has no condition; to hold for every task, write isolation.floor");
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::vector<Setting<Settings>> ServerIsolationTable() {
  return {
      Declare<Settings>(
          {.path = "node.levels",
           .manual = "At which levels of isolation tasks may run on this node, of those that its "
                     "machine gives. Tasks that need another are left to other nodes.",
           .example = "[worktree, sandbox]"},
          LevelsRule{}, [](auto& s) -> auto& { return s.node.levels; }),
      Declare<Settings>(
          {.path = "isolation.floor",
           .manual = "No task runs below this level. `worktree` has files, HOME and processes of "
                     "its own, `sandbox` sees nothing else of the machine, `container` is one.",
           .example = "sandbox",
           .fallback = "`worktree`, and `shared` for profiles that only read"},
          LevelRule{}, [](auto& s) -> auto& { return s.isolation_rules.floor; }),
      Declare<Settings>(
          {.path = "isolation.ceiling",
           .manual = "No task goes above this level, whatever asks for it.",
           .example = "sandbox",
           .fallback = "`container`"},
          AboveShared(), [](auto& s) -> auto& { return s.isolation_rules.ceiling; }),
      Declare<Settings>(
          {.path = "isolation.rules",
           .manual = "When a task needs more; see Levels of isolation below. They come on top of "
                     "the built-in ones.",
           .example = "[{when: {paths: [deploy/**]}, level: container, because: deployment}]"},
          IsolationRulesRule{}, [](auto& s) -> auto& { return s.isolation_rules.rules; }),
      Declare<Settings>(
          {.path = "isolation.built_in_rules",
           .manual = "Whether the built-in rules hold. Without them only `isolation.floor` and "
                     "your own rules ask for a level.",
           .example = "true"},
          BoolRule{}, [](auto& s) -> auto& { return s.isolation_rules.built_in; }),
  };
}

std::vector<Setting<RepoPolicy>> PolicyIsolationTable() {
  return {
      Declare<RepoPolicy>(
          {.path = "isolation.floor",
           .manual = "No task of this repository runs below this level. A server whose ceiling is "
                     "lower leaves its tasks waiting.",
           .example = "sandbox",
           .fallback = "the server's"},
          AboveShared(), [](auto& p) -> auto& { return p.isolation.floor; }),
      Declare<RepoPolicy>(
          {.path = "isolation.ceiling",
           .manual = "None goes above this level; never below the server's floor.",
           .example = "sandbox",
           .fallback = "the server's"},
          AboveShared(), [](auto& p) -> auto& { return p.isolation.ceiling; }),
      Declare<RepoPolicy>(
          {.path = "isolation.rules",
           .manual = "When a task needs more; they come on top of the server's.",
           .example = "[{when: {touches: [schema/**]}, level: sandbox, because: migrations run}]"},
          IsolationRulesRule{}, [](auto& p) -> auto& { return p.isolation.rules; }),
      Declare<RepoPolicy>(
          {.path = "isolation.image",
           .manual =
               "The image of its containers, which must be on the machine that runs the task. "
               "Naming one asks for level `container`.",
           .example = "localhost/toolchain:12",
           .fallback = "the server's"},
          TextRule{.kind = "an image", .max_bytes = 300, .valid = IsImage},
          [](auto& p) -> auto& { return p.isolation.image; }),
  };
}

}  // namespace swage
