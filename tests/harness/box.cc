#include "tests/harness/box.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <spawn.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "forge/body.h"
#include "tests/harness/paths.h"
#include "tests/harness/wait.h"

namespace swage::test {
namespace fs = std::filesystem;
namespace {

demo::ReservedPort AnyPort() {
  auto port = demo::ReservedPort::Take();
  SWAGE_CHECK(port.ok());
  return std::move(port).value();
}

// What tests/run tells the sanitizers holds for the server too.
std::vector<std::string> SanitizerOptions() {
  std::vector<std::string> options;
  for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) options.push_back(fmt::format("{}={}", name, value));
  }
  return options;
}

void Write(const fs::path& path, std::string_view text, unsigned mode = 0600) {
  SWAGE_CHECK(WriteFileAtomic(path, text, mode).ok());
}

}  // namespace

std::string_view NameOf(sandbox::Dialect dialect) {
  switch (dialect) {
    case sandbox::Dialect::kGitHub:
      return "GitHub";
    case sandbox::Dialect::kGitLab:
      return "GitLab";
    case sandbox::Dialect::kGitea:
      return "Gitea";
  }
  return "";
}

std::string KindOf(sandbox::Dialect dialect) {
  return ToLower(NameOf(dialect));
}

std::map<std::string, std::string> AnswerRepo() {
  return {
      {"README.md", "The answer is in answer.txt.\n"},
      {"answer.txt", "0\n"},
      {"check.sh",
       "grep -qx 42 answer.txt && exit 0\n"
       "echo \"answer.txt:1: error: the answer is $(cat answer.txt), not 42\"\nexit 1\n"},
      {"style.sh",
       "out=$(grep -n TODO ./*.txt | sed 's|^./||; s/:\\([0-9]*\\):.*/:\\1: warning: a TODO is "
       "left/')\n"
       "[ -z \"$out\" ] || { echo \"$out\"; exit 1; }\n"},
      {".swage.yml",
       "gates:\n"
       "  - name: tests\n    run: [sh, check.sh]\n    report: {format: gcc}\n"
       "  - name: style\n    run: [sh, style.sh]\n    required: false\n    report: {format: "
       "gcc}\n"},
  };
}

std::string TwoCycleAgent() {
  return "if grep -q 'not 42' \"$1\"; then echo 42 > answer.txt; else echo 41 > answer.txt; fi\n"
         "echo 'TODO: explain' > notes.txt\n"
         "echo 'I wrote the answer.'\n";
}

Box::Box(BoxOptions options)
    : options_(std::move(options)), hooks_port_(AnyPort()), dashboard_port_(AnyPort()) {
  SWAGE_CHECK(MakeDirs(meeting_).ok());
  sandbox::SandboxOptions forge;
  forge.dialect = options_.dialect;
  forge.data_dir = dir() / "forge";
  auto started = sandbox::SandboxForge::Start(forge);
  SWAGE_CHECK(started.ok());
  forge_ = std::move(started).value();
  forge_->CreateUser("ada");
  forge_->CreateUser("eve");
  if (options_.app) {
    app_ = forge_->CreateApp(bot_);
    bot_ = app_.bot;
  } else {
    bot_token_ = forge_->CreateUser(bot_, true);
  }
  const auto made = forge_->CreateRepoFromFiles(options_.repo, options_.files);
  SWAGE_CHECK(made.ok());
  forge_->SetMember(options_.repo, "ada", Role::kMaintain);
  forge_->SetMember(options_.repo, "eve", Role::kRead);
  if (options_.app) {
    forge_->InstallApp(options_.repo.substr(0, options_.repo.find('/')));
  } else {
    forge_->SetMember(options_.repo, bot_, Role::kWrite);
  }
  secret_ = options_.webhook_secret.empty() ? "hook-" + RandomHex(16) : options_.webhook_secret;
  WriteConfig();
  if (options_.start) StartServer();
  if (options_.webhook && options_.app) {
    forge_->SetAppWebhook(HooksUrl(), secret_);
  } else if (options_.webhook) {
    forge_->AddWebhook(options_.repo, HooksUrl(), secret_);
  }
}

Box::~Box() {
  // Politely, so that every test also shows that the server comes to its end, and without a leak
  // where it was built to tell.
  const int code = pid_ > 0 ? StopServer() : 0;
  EXPECT_EQ(code, 0) << "the server's exit code";
  EXPECT_EQ(ServerLog().find("Sanitizer: "), std::string::npos) << "a sanitizer's report";
  if (testing::Test::HasFailure()) {
    std::fprintf(stderr, "--- server log ---\n%s---\n", ServerLog().c_str());
  }
}

// Whatever else the test says about isolation.
std::string Box::ExtraConfig() const {
  if (!options_.agents_meet) return options_.extra_config;
  const std::string write = fmt::format("write: [{}]", dir().string());
  std::string config = "\n" + options_.extra_config;
  const std::string_view section = "\nisolation:";
  const std::size_t at = config.find(section);
  if (at == config.npos) return options_.extra_config + fmt::format("isolation: {{{}}}\n", write);
  const std::size_t behind = at + section.size();
  const bool flow = config.compare(behind, 2, " {") == 0;
  config.insert(flow ? behind + 2 : behind, flow ? write + ", " : "\n  " + write);
  return config.substr(1);
}

std::string Box::HooksUrl() const {
  return fmt::format("http://127.0.0.1:{}/hooks/box", hooks_port());
}

void Box::WriteConfig() {
  const auto either = [](const std::string& given, const std::string& real) {
    return given.empty() ? real : given;
  };
  Write(dir() / "token", options_.app ? app_.private_key : either(options_.token, bot_token_));
  Write(dir() / "secret", secret_);
  SetAgent(options_.agent);
  std::string yaml = fmt::format(
      "data_dir: {}\nlisten: 127.0.0.1:{}\ndashboard: \"{}:{}\"\n"
      "public_url: http://127.0.0.1:{}\nlog: {{level: debug}}\n"
      "forges:\n  - name: box\n    kind: {}\n    api_url: {}\n    git_url: \"{}\"\n"
      "    {}: file:{}\n    webhook_secret: file:{}\n    repos: [\"{}/*\"]\n{}{}"
      "agent:\n  command: [/bin/bash, {}, {}]\n",
      data_dir().string(), hooks_port(), options_.dashboard_host, dashboard_port(),
      dashboard_port(), KindOf(options_.dialect), either(options_.api_url, forge_->ApiUrl()),
      either(options_.git_url, forge_->Url()),
      options_.app ? "app_id: \"" + app_.id + "\"\n    private_key" : "token",
      (dir() / "token").string(), (dir() / "secret").string(),
      options_.repo.substr(0, options_.repo.find('/')),
      options_.write_interval.empty() ? ""
                                      : "    write_interval: " + options_.write_interval + "\n",
      options_.forge_config, (dir() / "agent.sh").string(), options_.agent_arguments);
  // Most tests end servers that have work in hand, and are about something else.
  if (options_.extra_config.find("drain_limit:") == std::string::npos) yaml += "drain_limit: 0s\n";
  yaml += fmt::format("intake: {}\npoll_interval: 300ms\n", options_.intake);
  Write(dir() / "swage.yml", yaml + ExtraConfig());
}

void Box::EditConfig(std::string_view what, std::string_view with) {
  std::string config = ReadFile(dir() / "swage.yml").value();
  const std::size_t at = config.find(what);
  SWAGE_CHECK(at != config.npos);
  Write(dir() / "swage.yml", config.replace(at, what.size(), with));
}

void Box::SetAgent(const std::string& script) {
  Write(dir() / "agent.sh", script, 0755);  // sandboxes run it as somebody else
}

pid_t Box::SpawnSwage(std::vector<std::string> arguments, const std::string& out,
                      const std::string& err, const std::map<std::string, std::string>& extra_env) {
  const std::string binary = Program("swage").string();
  arguments.insert(arguments.begin(), binary);
  arguments.insert(arguments.end(), {"--config", (dir() / "swage.yml").string()});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::string path = "PATH=" + options_.path;
  std::string home = "HOME=" + dir().string();
  std::vector<std::string> variables = SanitizerOptions();
  for (const auto& [name, value] : extra_env) variables.push_back(name + "=" + value);
  std::vector<char*> env = {path.data(), home.data()};
  for (std::string& variable : variables) env.push_back(variable.data());
  env.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), kAppend, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), kAppend, 0600);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, binary.c_str(), &actions, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  SWAGE_CHECK(error == 0);
  return pid;
}

void Box::Spawn(const std::map<std::string, std::string>& extra_env) {
  SWAGE_CHECK(pid_ < 0);
  const std::string log = (dir() / "server.log").string();
  pid_ = SpawnSwage({"serve"}, log, log, extra_env);
}

Box::Ran Box::Run(std::vector<std::string> arguments) {
  const TempDir files("swage-run-");
  const fs::path out = files.path() / "out";
  const fs::path err = files.path() / "err";
  const pid_t pid = SpawnSwage(std::move(arguments), out.string(), err.string());
  int status = 0;
  waitpid(pid, &status, 0);
  Ran ran;
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ran.out = ReadFile(out, 64 << 20).value();
  ran.err = ReadFile(err).value();
  return ran;
}

bool Box::Healthy() const {
  httplib::Client client("127.0.0.1", hooks_port());
  const auto response = client.Get("/healthz");
  return response && response->status == 200;
}

void Box::StartServer() {
  Spawn();
  ASSERT_TRUE(WaitFor([&] { return Healthy(); })) << ServerLog();
}

void Box::StartServerWith(std::map<std::string, std::string> env) {
  Spawn(env);
  EXPECT_TRUE(WaitFor([&] { return ServerEnded() || Healthy(); })) << ServerLog();
}

bool Box::ServerEnded() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ < 0;
}

void Box::KillServer() {
  SWAGE_CHECK(pid_ > 0);
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  EXPECT_TRUE(WIFSIGNALED(status)) << "the server had ended before it was killed";
}

void Box::Signal(int signal) {
  SWAGE_CHECK(pid_ > 0);
  kill(pid_, signal);
}

int Box::StopServer() {
  Signal(SIGTERM);
  return AwaitExit();
}

int Box::AwaitExit() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int Box::ServeToExit() {
  Spawn();
  int status = 0;
  if (WaitFor([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) {
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  KillServer();
  return -1;
}

void Box::Freeze() {
  kill(pid_, SIGSTOP);
}

void Box::Thaw() {
  kill(pid_, SIGCONT);
}

std::string Box::ServerLog() const {
  const auto log = ReadFile(dir() / "server.log", 64 << 20);
  return log.ok() ? *log : "";
}

std::string Box::AllLogs() const {
  std::string all = ServerLog();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data_dir() / "logs")) {
    if (entry.is_regular_file()) all += ReadFile(entry.path()).value();
  }
  return all;
}

std::int64_t Box::LabelledIssue(std::string_view title, std::string_view body) {
  const std::int64_t issue = forge_->CreateIssue(repo(), "ada", title, body);
  forge_->AddLabel(repo(), "ada", issue, "swage");
  return issue;
}

void Box::CommentOnPull(std::string_view login, std::int64_t number, std::string_view body) {
  forge_->CommentOnPull(repo(), login, number, body);
}

bool Box::WaitFor(const std::function<bool()>& condition) {
  return test::WaitFor(condition);
}

std::optional<sandbox::Pull> Box::WaitForPull(
    std::int64_t issue, const std::function<bool(const sandbox::Pull&)>& ready) {
  std::optional<sandbox::Pull> found;
  const std::string prefix = fmt::format("swage/{}-", issue);
  WaitFor([&] {
    for (const sandbox::Pull& pull : Pulls()) {
      if (!pull.head_ref.starts_with(prefix) || !ready(pull)) continue;
      found = pull;
      return true;
    }
    return false;
  });
  return found;
}

bool Box::WaitForSticky(std::int64_t issue, std::string_view text) {
  return WaitFor([&] { return Sticky(issue).find(text) != std::string::npos; });
}

bool Box::WaitForFile(const fs::path& path) {
  return WaitFor([&] { return fs::exists(path); });
}

bool Box::Settle() {
  return forge_->WaitForWebhooks() && WaitFor([&] {
           return Query("SELECT count(*) FROM deliveries WHERE state = 'pending'") == "0";
         });
}

bool Box::WaitForLog(std::string_view text) {
  return WaitFor([&] { return ServerLog().find(text) != std::string::npos; });
}

std::vector<sandbox::Note> Box::NotesBy(std::string_view login, std::int64_t issue) {
  std::vector<sandbox::Note> notes;
  const auto found = forge_->GetIssue(repo(), issue);
  if (!found) return notes;
  for (const sandbox::Note& note : found->notes) {
    if (!note.system && forge_->LoginOf(note.author) == login) notes.push_back(note);
  }
  return notes;
}

std::string Box::Sticky(std::int64_t issue) {
  std::string body;
  for (const sandbox::Note& note : NotesBy(bot_, issue)) {
    if (note.body.find("swage:sticky") == std::string::npos) continue;
    EXPECT_TRUE(body.empty()) << "two sticky comments on issue " << issue;
    body = note.body;
  }
  return body;
}

std::vector<std::string> Box::ReviewBodies(const sandbox::Pull& pull) {
  std::vector<std::string> bodies;
  for (const sandbox::Review& review : pull.reviews) {
    if (review.body.find("swage:review") != std::string::npos) bodies.push_back(review.body);
  }
  for (const sandbox::Note& note : pull.notes) {
    if (note.body.find("swage:review") != std::string::npos) bodies.push_back(note.body);
  }
  return bodies;
}

std::vector<std::string> Box::OpenLineComments(const sandbox::Pull& pull) {
  std::vector<std::string> bodies;
  for (const sandbox::Discussion& discussion : pull.discussions) {
    const std::string& said = discussion.notes.front().body;
    // Where conversations cannot be resolved, the remark says that its finding is gone.
    const bool gone = discussion.resolved || said.find(GoneMarker()) != std::string::npos;
    if (gone || !discussion.position) continue;
    bodies.push_back(discussion.notes.front().body);
  }
  return bodies;
}

std::vector<std::string> Box::BotTextsIn(std::string_view repo) {
  std::vector<std::string> texts;
  forge_->With([&](sandbox::World& world) {
    const sandbox::Id self = world.FindUser(bot_)->id;
    const auto add = [&](const sandbox::Note& note) {
      if (note.author == self && !note.system) texts.push_back(note.body);
    };
    const sandbox::Repo& in = *world.FindRepo(repo);
    for (const auto& [number, issue] : in.issues) {
      for (const sandbox::Note& note : issue.notes) add(note);
    }
    for (const auto& [number, pull] : in.pulls) {
      if (pull.author == self) texts.insert(texts.end(), {pull.title, pull.body});
      for (const sandbox::Note& note : pull.notes) add(note);
      for (const sandbox::Review& review : pull.reviews) texts.push_back(review.body);
      for (const sandbox::Discussion& discussion : pull.discussions) {
        for (const sandbox::DiffNote& note : discussion.notes) add(note);
      }
    }
    for (const sandbox::Status& status : in.statuses) texts.push_back(status.description);
    for (const sandbox::CheckRun& run : in.check_runs) texts.push_back(run.summary + run.text);
  });
  return texts;
}

std::string Box::Query(const std::string& sql) {
  sqlite3* db = nullptr;
  const std::string file = "file:" + (data_dir() / "swage.db").string() + "?mode=ro";
  SWAGE_CHECK(sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr) ==
              SQLITE_OK);
  std::string rows;
  const auto collect = [](void* out, int columns, char** values, char**) {
    std::string row;
    for (int i = 0; i < columns; ++i) {
      row += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "" : values[i]);
    }
    auto& text = *static_cast<std::string*>(out);
    text += (text.empty() ? "" : "\n") + row;
    return 0;
  };
  char* error = nullptr;
  sqlite3_exec(db, sql.c_str(), collect, &rows, &error);
  EXPECT_EQ(error, nullptr) << sql << ": " << (error == nullptr ? "" : error);
  sqlite3_free(error);
  sqlite3_close(db);
  return rows;
}

}  // namespace swage::test
