#include "bot/demo/scene.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "bot/demo/source_repo.h"
#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/json.h"
#include "config/base/process.h"
#include "config/base/text.h"

namespace swage::demo {
namespace fs = std::filesystem;
namespace {

// Beside the sources while developing, in ../share/swage once installed.
Result<fs::path> FindMaterial() {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  for (const char* candidate : {"../share/swage/demo", "../../deploy/demo"}) {
    const fs::path dir = here / candidate;
    if (fs::exists(dir / "make-repo")) return fs::canonical(dir);
  }
  return MakeError(
      ErrorCode::kNotFound,
      fmt::format("the demo's material (make-repo, scripted-agent) is neither in {} nor in "
                  "../share/swage/demo; install it or run from the source tree",
                  (here / "../../deploy/demo").lexically_normal().string()));
}

// The port of the pages: the one that is asked for, or with 0 any.
Result<ReservedPort> PagesPort(int wanted) {
  auto port = ReservedPort::Take(wanted);
  if (port.ok() || wanted == 0) return port;
  return MakeError(
      ErrorCode::kUnavailable,
      fmt::format("--port: {}; choose another port, or leave --port out to get a free one",
                  port.error().message));
}

sandbox::Dialect DialectOf(std::string_view forge) {
  if (forge == "gitlab") return sandbox::Dialect::kGitLab;
  return forge == "gitea" ? sandbox::Dialect::kGitea : sandbox::Dialect::kGitHub;
}

// YAML reads JSON strings, so quoting is JSON's.
std::string Quoted(std::string_view text) {
  return DumpJson(nlohmann::json(std::string(text)));
}

Result<fs::path> MakeDemoRepo(const fs::path& material, const fs::path& dir) {
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  const auto runner = MakePosixProcessRunner(supervisor);
  const fs::path source = dir / "tempo";
  ProcessSpec spec;
  spec.argv = {"/bin/bash", (material / "make-repo").string(), source.string()};
  spec.env = {
      {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"HOME", dir.string()}, {"LANG", "C.UTF-8"}};
  spec.cwd = dir.string();
  spec.time_limit = std::chrono::minutes(1);
  SWAGE_ASSIGN_OR_RETURN(const std::string head, RunAndCapture(*runner, spec));
  return source;
}

std::string RepoName(const fs::path& repo) {
  std::string name;
  for (const char c : fs::canonical(repo).filename().string()) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
    name += plain ? c : '-';
  }
  return name.empty() || name.front() == '.' ? "repo" : name;
}

}  // namespace

Result<DemoIssue> ReadIssueFile(const fs::path& file) {
  SWAGE_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, 1 << 20));
  std::string_view rest = Trim(text);
  const std::size_t end = rest.find('\n');
  std::string_view title = rest.substr(0, end);
  while (title.starts_with('#')) title.remove_prefix(1);
  title = Trim(title);
  if (title.empty()) {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format("{} is empty; its first line is the issue's title, the rest its text",
                    file.string()));
  }
  const std::string_view body = end == std::string_view::npos ? "" : Trim(rest.substr(end));
  return DemoIssue{std::string(title), std::string(body)};
}

Result<std::unique_ptr<Scene>> Scene::Set(const DemoOptions& options, const fs::path& dir) {
  std::unique_ptr<Scene> scene(new Scene());
  SWAGE_RETURN_IF_ERROR(scene->LookAtMaterial(options));
  sandbox::SandboxOptions forge;
  forge.dialect = DialectOf(options.forge);
  forge.data_dir = dir / "forge";
  SWAGE_ASSIGN_OR_RETURN(scene->forge_, sandbox::SandboxForge::Start(forge));
  scene->forge_->CreateUser(kPerson);
  const std::string token = scene->forge_->CreateUser(kBot, true);
  SWAGE_RETURN_IF_ERROR(scene->MakeRepo(options, dir));
  scene->forge_->SetMember(scene->repo_, kPerson, Role::kMaintain);
  scene->forge_->SetMember(scene->repo_, kBot, Role::kWrite);
  SWAGE_ASSIGN_OR_RETURN(scene->hooks_port_, ReservedPort::Take());
  SWAGE_ASSIGN_OR_RETURN(scene->dashboard_port_, PagesPort(options.port));
  const std::string secret = RandomHex(20);
  SWAGE_RETURN_IF_ERROR(scene->WriteConfig(options, dir, token, secret));
  scene->forge_->AddWebhook(
      scene->repo_, fmt::format("http://127.0.0.1:{}/hooks/sandbox", scene->hooks_port()), secret);
  return scene;
}

// What can be wrong with what the user brings is said before anything is started.
Result<void> Scene::LookAtMaterial(const DemoOptions& options) {
  SWAGE_ASSIGN_OR_RETURN(material_, FindMaterial());
  SWAGE_ASSIGN_OR_RETURN(agent_, ChooseAgent(options.agent, material_));
  notes_ = agent_.notes;
  SWAGE_ASSIGN_OR_RETURN(
      issue_, ReadIssueFile(options.issue.empty() ? material_ / "issue.md" : options.issue));
  if (options.repo.empty()) return Ok();
  SWAGE_ASSIGN_OR_RETURN(const SourceRepo found, LookAtRepo(options.repo, options.gates));
  notes_.insert(notes_.end(), found.notes.begin(), found.notes.end());
  return Ok();
}

Result<void> Scene::MakeRepo(const DemoOptions& options, const fs::path& dir) {
  fs::path source = options.repo;
  if (source.empty()) {
    SWAGE_ASSIGN_OR_RETURN(source, MakeDemoRepo(material_, dir));
  }
  repo_ = "demo/" + RepoName(source);
  return forge_->CreateRepoFromGit(repo_, source);
}

Result<void> Scene::WriteConfig(const DemoOptions& options, const fs::path& dir,
                                const std::string& token, const std::string& secret) {
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(dir / "token", token));
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(dir / "webhook-secret", secret));
  std::string yaml = fmt::format(
      "# Written by `swage demo`; an ordinary configuration for `swage serve`.\n"
      "data_dir: {}\ndrain_limit: 0s\nintake: webhook\nlisten: 127.0.0.1:{}\ndashboard: "
      "127.0.0.1:{}\n"
      "public_url: http://127.0.0.1:{}\n"
      "forges:\n  - name: sandbox\n    kind: {}\n    api_url: {}\n    git_url: {}\n"
      "    token: file:{}\n    webhook_secret: file:{}\n    repos: [\"demo/*\"]\n"
      "    write_interval: 0s\n",
      Quoted((dir / "swage").string()), hooks_port(), dashboard_port(), dashboard_port(),
      options.forge, forge_->ApiUrl(), forge_->Url(), (dir / "token").string(),
      (dir / "webhook-secret").string());
  yaml += agent_.yaml;
  if (!options.gates.empty()) {
    yaml += "policy_gates: false\ngates:\n";
    for (const DemoGate& gate : options.gates) {
      yaml += fmt::format("  - name: {}\n    run: {}\n    shell: true\n", Quoted(gate.name),
                          Quoted(gate.command));
    }
  }
  config_ = dir / "swage.yml";
  return WriteFileAtomic(config_, yaml);
}

}  // namespace swage::demo
