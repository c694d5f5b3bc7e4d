#include "bot/dashboard/pages.h"

#include <kainjow/mustache.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <utility>

#include "bot/assets/embedded.h"
#include "config/base/result.h"
#include "config/base/text.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

namespace ms = kainjow::mustache;

constexpr std::size_t kShownShaChars = 10;
constexpr std::size_t kShownBodyBytes = 64 << 10;
// Its leases are over then, whatever it does.
constexpr std::chrono::seconds kNodeIsLost{60};

std::string Template(std::string_view name) {
  const std::string_view text = bot_assets::EmbeddedFile(name);
  SWAGE_CHECK(!text.empty());
  return std::string(text);
}

/// A template's values by name; inner sections see those of outer ones, so a row sets all of its
/// own.
class Values {
 public:
  /// Text, and "has_NAME" for its section: an empty string counts as true in this engine.
  Values& Text(const std::string& name, std::string_view value) {
    data_.set(name, ms::data(ToValidUtf8(StripControl(value))));
    return Flag("has_" + name, !value.empty());
  }
  Values& Number(const std::string& name, std::int64_t value) {
    return Text(name, value == 0 ? "" : std::to_string(value));
  }
  Values& Flag(const std::string& name, bool value) {
    data_.set(name, ms::data(value));
    return *this;
  }
  Values& List(const std::string& name, std::vector<Values> rows) {
    ms::data list(ms::data::type::list);
    for (Values& row : rows) list.push_back(row.data_);
    data_.set(name, list);
    return Flag("has_" + name, !rows.empty());
  }
  Values& Partial(const std::string& name, std::string_view file) {
    data_.set(name, ms::data(ms::partial([text = Template(file)] { return text; })));
    return *this;
  }
  const ms::data& data() const { return data_; }

 private:
  ms::data data_;
};

std::string Render(std::string_view file, Values& values, std::string_view page_title,
                   std::string_view events) {
  values.Text("page_title", page_title).Text("events", events);
  values.Partial("head", "head.mustache").Partial("foot", "foot.mustache");
  ms::mustache page(Template(file));
  SWAGE_CHECK(page.is_valid());
  return page.render(values.data());
}

// An address of a forge; whatever else an API may have said becomes no link.
std::string_view Link(std::string_view url) {
  return url.starts_with("https://") || url.starts_with("http://") ? url : std::string_view();
}

std::string Age(WallTime then, WallTime now) {
  using std::chrono::duration_cast;
  const auto d = std::max(now - then, WallTime::duration::zero());
  if (d < std::chrono::minutes(1)) {
    return std::to_string(duration_cast<std::chrono::seconds>(d).count()) + " s";
  }
  if (d < std::chrono::hours(1)) {
    return std::to_string(duration_cast<std::chrono::minutes>(d).count()) + " min";
  }
  if (d < std::chrono::hours(48)) {
    return std::to_string(duration_cast<std::chrono::hours>(d).count()) + " h";
  }
  return std::to_string(duration_cast<std::chrono::hours>(d).count() / 24) + " days";
}

std::string Spaced(std::string_view name) {
  return ReplaceAll(std::string(name), "_", " ");
}

std::string ShortSha(const CommitSha& sha) {
  return sha.value.substr(0, kShownShaChars);
}

struct Look {
  std::string_view tone;
  std::string_view mark;
};

Look LookOf(std::string_view outcome, bool required) {
  if (outcome == "running") return {"busy", "…"};
  if (outcome == "passed" || outcome == "ok") return {"ok", "✓"};
  if (outcome == "skipped" || outcome == "interrupted") return {"", "–"};
  if (outcome == "flaky") return {"warn", "≈"};
  return {required ? "bad" : "warn", "✗"};
}

std::string Progress(const Task& task) {
  if (task.state != TaskState::kRunning) {
    return task.cycle == 0 ? ""
                           : std::to_string(task.cycle) + (task.cycle == 1 ? " cycle" : " cycles");
  }
  std::string text(Spaced(Name(task.stage)));
  if (task.cycle > 0) text += ", cycle " + std::to_string(task.cycle);
  return text;
}

// What the list and the task's own page have in common.
Values TaskValues(const Task& task, WallTime now) {
  Values v;
  v.Number("id", task.id.value).Text("key", TaskKey(task)).Text("title", task.text.title);
  v.Text("state", Name(task.state)).Text("state_text", Spaced(Name(task.state)));
  v.Text("progress", Progress(task)).Text("profile", task.profile).Text("reason", task.reason);
  v.Text("pr_url", Link(task.pr_url)).Number("pr_number", task.pr_number);
  v.Flag("has_pr", task.pr_number != 0 && !Link(task.pr_url).empty());
  v.Text("age", Age(task.updated, now)).Text("updated_iso", FormatUtc(task.updated));
  return v;
}

// The gates of the newest cycle that ran any.
std::vector<Values> GateBadges(const std::vector<Step>& steps) {
  int cycle = 0;
  for (const Step& step : steps) {
    if (step.kind == StepKind::kGate) cycle = std::max(cycle, step.cycle);
  }
  std::vector<Values> badges;
  for (const Step& step : steps) {
    if (step.kind != StepKind::kGate || step.cycle != cycle) continue;
    const Look look = LookOf(step.outcome, step.required);
    badges.emplace_back();
    badges.back().Text("name", step.name).Text("summary", step.summary);
    badges.back().Text("tone", look.tone).Text("mark", look.mark);
  }
  return badges;
}

Values GroupValues(const TaskGroup& group, WallTime now) {
  std::vector<Values> rows;
  for (const TaskRow& row : group.rows) {
    rows.push_back(TaskValues(row.task, now));
    rows.back().List("gates", GateBadges(row.steps));
  }
  Values v;
  v.Text("title", group.title).Text("hint", group.hint).Text("empty", group.empty);
  v.Text("count", std::to_string(rows.size()) + (group.cut ? "+" : ""));
  v.Flag("is_empty", rows.empty()).Flag("cut", group.cut);
  v.List("rows", std::move(rows));
  return v;
}

Values PausedValues(const PaceView& view, WallTime now) {
  const Pace& pace = view.pace;
  std::string headline = pace.scope + " is left alone";
  if (view.left.count() > 0) headline += " for " + FormatDuration(view.left);
  headline += "; this began " + Age(pace.since, now) + " ago";
  Values v;
  v.Text("headline", headline).Text("cause", pace.reason);
  v.Text("fix", messages::PaceFix(pace.cause));
  v.Text("tone", pace.cause == PauseCause::kRefused ? "bad" : "");
  return v;
}

std::vector<Values> DeadLetters(const std::vector<DeadLetter>& letters, WallTime now) {
  std::vector<Values> rows;
  for (const DeadLetter& letter : letters) {
    rows.emplace_back();
    rows.back().Text("what", letter.what).Text("why", letter.why);
    rows.back().Number("task", letter.task.value);
    rows.back().Text("age", Age(letter.at, now)).Text("at_iso", FormatUtc(letter.at));
  }
  return rows;
}

std::vector<Values> Stages(Stage now) {
  constexpr std::array kOrder = {Stage::kProvision, Stage::kAgent, Stage::kGates, Stage::kPublish};
  std::vector<Values> stages;
  bool passed = true;
  for (const Stage stage : kOrder) {
    if (stage == now) passed = false;
    stages.emplace_back();
    stages.back().Text("name", Name(stage));
    stages.back().Text("tone", stage == now ? "busy" : passed ? "ok" : "");
  }
  return stages;
}

Values StepValues(const TaskView& view, const Step& step, WallTime now) {
  const Look look = LookOf(step.outcome, step.required);
  const auto took = step.finished.value_or(now) - step.started;
  const std::string base = "/tasks/" + std::to_string(view.task.id.value);
  const std::string id = std::to_string(step.id);
  const bool handoff = view.with_handoff.contains(step.id);
  Values v;
  v.Text("id", id).Text("name", step.name.empty() ? Name(step.kind) : step.name);
  v.Text("outcome", Spaced(step.outcome)).Text("tone", look.tone).Text("mark", look.mark);
  v.Text("summary", step.summary).Text("commit", ShortSha(step.commit));
  v.Text("took", FormatDuration(std::chrono::duration_cast<std::chrono::milliseconds>(took)));
  const auto elsewhere = view.elsewhere.find(step.id);
  const bool here = elsewhere == view.elsewhere.end();
  const std::string_view node_url = here ? "" : Link(elsewhere->second);
  const bool linked = here || !node_url.empty();
  v.Text("log_url", std::string(node_url) + base + "/logs/" + id);
  v.Flag("has_log", !step.log_path.empty() && linked);
  v.Text("log_node", here || step.log_path.empty() ? "" : step.node);
  v.Text("handoff_url", base + "/handoff/" + id).Flag("has_handoff", handoff);
  v.Flag("is_optional", step.kind == StepKind::kGate && !step.required);
  return v;
}

Values CycleValues(const TaskView& view, int run, int cycle, const std::vector<const Step*>& steps,
                   WallTime now) {
  int bad = 0;
  bool running = false;
  std::vector<Values> rows;
  for (const Step* step : steps) {
    const std::string_view tone = LookOf(step->outcome, step->required).tone;
    bad += tone == "bad";
    running = running || tone == "busy";
    rows.push_back(StepValues(view, *step, now));
  }
  std::string name = cycle == 0 ? "Preparation" : "Cycle " + std::to_string(cycle);
  if (run > 1) name += " · run " + std::to_string(run);
  const std::string_view tone = running ? "busy" : bad > 0 ? "bad" : "ok";
  Values v;
  v.Text("name", name).Text("tone", tone);
  v.Text("verdict", running ? "running" : bad > 0 ? std::to_string(bad) + " failed" : "passed");
  v.List("steps", std::move(rows));
  return v;
}

// Newest first: what is of interest is at the top.
std::vector<Values> Cycles(const TaskView& view, WallTime now) {
  std::map<std::pair<int, int>, std::vector<const Step*>> by_cycle;
  for (const Step& step : view.steps) by_cycle[{step.run, step.cycle}].push_back(&step);
  std::vector<Values> cycles;
  for (auto it = by_cycle.rbegin(); it != by_cycle.rend(); ++it) {
    cycles.push_back(CycleValues(view, it->first.first, it->first.second, it->second, now));
  }
  return cycles;
}

Values FindingValues(const LedgerFinding& entry) {
  const Finding& finding = entry.finding;
  std::string where = finding.path.empty() ? "the whole change" : finding.path;
  if (finding.line > 0) where += ":" + std::to_string(finding.line);
  Values v;
  v.Text("gate", finding.gate).Text("where", where).Text("message", finding.message);
  v.Text("rule", finding.rule);
  v.Text("tone", entry.resolved ? "done" : finding.severity == Severity::kError ? "bad" : "warn");
  v.Text("review", entry.resolved ? "resolved" : entry.posted ? "posted" : "not posted");
  return v;
}

Values LevelValues(const LevelStep& step, bool first) {
  std::vector<Values> reasons;
  for (const std::string& reason : step.reasons) {
    reasons.emplace_back().Text("reason", reason);
  }
  std::string since = step.cycle > 0 ? "cycle " + std::to_string(step.cycle) : "the start";
  if (!first && step.cycle == 0) since = "run " + std::to_string(step.run);
  Values v;
  v.Text("level", Name(step.level)).Text("since", since);
  v.List("reasons", std::move(reasons));
  return v;
}

void SetIsolation(const TaskView& view, Values& v) {
  std::vector<Values> levels;
  for (const LevelStep& step : view.levels) levels.push_back(LevelValues(step, levels.empty()));
  v.List("levels", std::move(levels));
  std::vector<Values> blocked;
  for (const BlockedHost& host : view.blocked) {
    blocked.emplace_back().Text("host", host.host).Text("times", std::to_string(host.times));
  }
  v.Text("blocked_hosts", std::to_string(blocked.size()));
  v.Text("blocked_count", Count(blocked.size(), "host"));
  v.List("blocked", std::move(blocked));
  v.Text("level", view.task.level ? Name(*view.task.level) : std::string_view());
}

// What a node that runs tasks can give, and why not the rest.
void SetLevels(const NodeInfo& node, Values& row) {
  std::vector<Values> levels;
  for (const IsolationLevel level : kIsolationLevels) {
    if (node.levels.Empty()) break;
    const bool given = node.levels.Has(level);
    levels.emplace_back().Text("level", Name(level));
    levels.back().Text("tone", given ? "ok" : "").Text("mark", given ? "✓" : "–");
  }
  row.List("levels", std::move(levels));
  std::vector<Values> lacks;
  for (const std::string_view line : SplitLines(node.lacks)) {
    lacks.emplace_back().Text("line", line);
  }
  row.List("lacks", std::move(lacks));
}

std::vector<Values> Timeline(const std::vector<TimelineEntry>& entries) {
  std::vector<Values> rows;
  for (auto it = entries.rbegin(); it != entries.rend(); ++it) {
    const std::string iso = FormatUtc(it->at);
    rows.emplace_back();
    rows.back().Text("kind", it->kind).Text("detail", it->detail).Text("at_iso", iso);
    rows.back().Text("clock", iso.substr(0, 10) + " " + iso.substr(11, 8));
  }
  return rows;
}

}  // namespace

std::string RenderIndex(const IndexView& view, WallTime now) {
  std::vector<Values> paused;
  for (const PaceView& pace : view.paused) paused.push_back(PausedValues(pace, now));
  std::vector<Values> groups;
  for (const TaskGroup& group : view.groups) {
    if (group.rows.empty() && group.empty.empty()) continue;
    groups.push_back(GroupValues(group, now));
  }
  std::vector<Values> alarms;
  for (const std::string& alarm : view.alarms) {
    Values row;
    row.Text("alarm", alarm);
    alarms.push_back(std::move(row));
  }
  Values v;
  v.List("alarms", std::move(alarms));
  v.List("paused", std::move(paused));
  v.List("groups", std::move(groups));
  v.Text("letter_count", std::to_string(view.dead_letters.size()));
  v.List("letters", DeadLetters(view.dead_letters, now));
  return Render("index.mustache", v, "Swage", "/events?after=" + std::to_string(view.last_event));
}

std::string RenderTask(const TaskView& view, WallTime now) {
  const Task& task = view.task;
  Values v = TaskValues(task, now);
  v.Text("issue_url", Link(task.issue_url)).Number("issue_number", task.issue_number);
  v.Flag("has_issue", !Link(task.issue_url).empty());
  v.Text("requester", task.requester.login).Number("run", task.run);
  v.Number("attempt", task.attempt).Text("branch", task.branch);
  std::string base = task.base_branch;
  if (!task.base_sha.value.empty()) base += " at " + ShortSha(task.base_sha);
  v.Text("base", base).Text("checkpoint", ShortSha(task.checkpoint));
  v.Text("body", Truncate(task.text.body, kShownBodyBytes));
  v.Text("text_hash", std::string_view(task.text.hash).substr(0, kShownShaChars));
  const bool running = task.state == TaskState::kRunning && task.stage != Stage::kNone;
  v.List("stages", running ? Stages(task.stage) : std::vector<Values>());
  v.List("cycles", Cycles(view, now));
  std::vector<Values> findings;
  for (const LedgerFinding& finding : view.findings) findings.push_back(FindingValues(finding));
  SetIsolation(view, v);
  v.Text("finding_count", std::to_string(findings.size()));
  v.List("findings", std::move(findings));
  v.List("timeline", Timeline(view.timeline)).Flag("timeline_cut", view.timeline_cut);
  const std::int64_t last = view.timeline.empty() ? 0 : view.timeline.back().id;
  const std::string events =
      "/tasks/" + std::to_string(task.id.value) + "/events?after=" + std::to_string(last);
  return Render("task.mustache", v, task.text.title + " · Swage", events);
}

std::string RenderNodes(const std::vector<NodeInfo>& nodes, std::string_view self, WallTime now) {
  std::vector<Values> rows;
  for (const NodeInfo& node : nodes) {
    const bool lost = node.silent_for > kNodeIsLost;
    rows.emplace_back();
    Values& row = rows.back();
    row.Text("name", node.name).Flag("is_self", node.name == self).Text("host", node.host);
    row.Text("url", Link(node.url)).Text("roles", node.roles).Text("version", node.version);
    row.Text("running", std::to_string(node.running)).Text("tone", lost ? "bad" : "ok");
    row.Text("mark", lost ? "✗ silent" : "✓ alive");
    row.Text("silent", FormatDuration(node.silent_for));
    SetLevels(node, row);
    row.Text("age", Age(node.started, now)).Text("started_iso", FormatUtc(node.started));
  }
  Values v;
  v.Text("count", std::to_string(rows.size()));
  v.List("nodes", std::move(rows));
  return Render("nodes.mustache", v, "Nodes · Swage", "");
}

std::string RenderMessage(std::string_view title, std::string_view text) {
  Values v;
  v.Text("title", title).Text("text", text);
  return Render("message.mustache", v, title, "");
}

}  // namespace swage
