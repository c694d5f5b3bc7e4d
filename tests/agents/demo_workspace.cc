#include "tests/agents/demo_workspace.h"

#include <cstdio>
#include <cstdlib>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "config/repo_policy.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

const fs::path kDemo = test::SourcePath("deploy/demo");

// Tests may stop on the first thing that is not as it must be.
template <class T>
T Must(Result<T> result) {
  if (!result.ok()) std::fprintf(stderr, "%s\n", result.error().message.c_str());
  SWAGE_CHECK(result.ok());
  return std::move(result).value();
}

}  // namespace

DemoWorkspace::DemoWorkspace(const fs::path& parent)
    : root_(parent / ("demo-" + RandomHex(4))),
      work_(root_ / "work"),
      home_(root_ / "home"),
      tmp_(root_ / "tmp"),
      handoff_(root_ / "handoff"),
      processes_(MakePosixProcessRunner(Must(FindSupervisor()))) {
  for (const fs::path& dir : {home_, tmp_, handoff_}) SWAGE_CHECK(MakeDirs(dir).ok());
  const char* path = std::getenv("PATH");
  context_.workspace = work_;
  context_.env = {{"PATH", path != nullptr ? path : "/usr/bin:/bin"},
                  {"HOME", home_.string()},
                  {"TMPDIR", tmp_.string()},
                  {"LANG", "C.UTF-8"}};
  ProcessSpec make;
  make.argv = {(kDemo / "make-repo").string(), work_.string()};
  make.env = context_.env;
  make.cwd = root_.string();
  Must(RunAndCapture(*processes_, make));
  RepoPolicy policy = Must(ParseRepoPolicy(Read(".swage.yml"), ".swage.yml"));
  gates_ = std::move(policy.gates);
  instructions_ = std::move(policy.instructions);
}

DemoWorkspace::~DemoWorkspace() {
  (void)RemoveTree(root_).ok();
}

HandOff DemoWorkspace::MakeHandOff(const std::string& issue_file) const {
  const std::string text = Must(ReadFile(kDemo / issue_file));
  const std::size_t end = text.find('\n');
  SWAGE_CHECK(text.starts_with("# ") && end != std::string::npos);
  HandOff handoff;
  handoff.task.repo = {"sandbox", "1", "demo/tempo"};
  handoff.task.issue_number = 1;
  handoff.task.text = {text.substr(2, end - 2), text.substr(end + 1), {}};
  handoff.gates = gates_;
  handoff.repo_instructions = instructions_;
  return handoff;
}

Result<AgentResult> DemoWorkspace::RunAgent(const AgentSettings& settings, const HandOff& handoff,
                                            ProcessRunner& runner) {
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(handoff_ / "task.json", RenderTaskJson(handoff)));
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(handoff_ / "prompt.md", RenderPrompt(handoff)));
  SWAGE_ASSIGN_OR_RETURN(const std::unique_ptr<Agent> agent, MakeAgent(settings));
  log_.clear();
  return agent->Run(runner, context_, handoff_, [&](std::string_view bytes) { log_ += bytes; }, {});
}

Cell DemoWorkspace::MakeCell() const {
  Cell cell;
  cell.name = root_.filename().string();
  cell.workspace = work_;
  cell.home = home_;
  cell.tmp = tmp_;
  cell.shares = {{handoff_}};
  return cell;
}

std::vector<GateVerdict> DemoWorkspace::RunGates() {
  std::vector<GateVerdict> verdicts;
  const std::vector<std::string> changed = ChangedPaths();
  const CommitSha head{std::string(Trim(Git({"rev-parse", "HEAD"})))};
  GateRunner runner(*processes_);
  for (const GateSpec& gate : gates_) {
    verdicts.push_back(Must(runner.Run(gate, context_, changed, head, {}, {})));
  }
  return verdicts;
}

std::vector<std::string> DemoWorkspace::ChangedPaths() {
  const std::string out = Git({"diff", "--name-only"});
  std::vector<std::string> paths;
  for (const std::string_view line : SplitLines(out)) paths.emplace_back(line);
  return paths;
}

std::string DemoWorkspace::Read(const std::string& path) const {
  return Must(ReadFileBeneath(work_, path));
}

std::string DemoWorkspace::Git(std::vector<std::string> arguments) {
  ProcessSpec spec;
  spec.argv = std::move(arguments);
  spec.argv.insert(spec.argv.begin(), "git");
  spec.env = context_.env;
  spec.cwd = work_.string();
  return Must(RunAndCapture(*processes_, spec));
}

const GateVerdict& VerdictOf(const std::vector<GateVerdict>& verdicts, const std::string& name) {
  for (const GateVerdict& v : verdicts) {
    if (v.gate == name) return v;
  }
  SWAGE_CHECK(false && "no such gate");
  return verdicts.front();
}

}  // namespace swage
