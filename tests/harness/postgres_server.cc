#include "tests/harness/postgres_server.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <optional>
#include <sstream>

#include "tests/harness/paths.h"

namespace swage::test {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPackageUser = "postgres";
constexpr const char* kVersions = "/usr/lib/postgresql";
constexpr auto kProbe = std::chrono::milliseconds(5);
constexpr std::chrono::milliseconds kLimit{60'000};  // only a broken machine reaches it
constexpr std::size_t kLogBytes = 1 << 20;
constexpr int kMaxSessions = 200;
// Lines of postmaster.pid, from 0: see PostgreSQL's pidfile.h.
constexpr std::size_t kPidLine = 0;
constexpr std::size_t kSharedMemoryLine = 6;
constexpr std::size_t kStatusLine = 7;

// The folder with the newest version's programs.
std::optional<fs::path> Programs() {
  std::optional<fs::path> found;
  int newest = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(kVersions, error)) {
    const std::string name = entry.path().filename();
    int version = 0;
    std::from_chars(name.data(), name.data() + name.size(), version);
    const fs::path bin = entry.path() / "bin";
    if (version <= newest || !fs::exists(bin / "initdb", error)) continue;
    if (!fs::exists(bin / "postgres", error) || !fs::exists(bin / "psql", error)) continue;
    newest = version;
    found = bin;
  }
  return found;
}

// Root hands the command over to the package's user.
std::vector<std::string> AsServerUser(std::vector<std::string> command) {
  if (geteuid() != 0) return command;
  std::vector<std::string> argv = {"setpriv", fmt::format("--reuid={}", kPackageUser),
                                   fmt::format("--regid={}", kPackageUser), "--clear-groups", "--"};
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

void GiveToServerUser(const fs::path& path) {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam(kPackageUser);
  SWAGE_CHECK(user != nullptr);
  SWAGE_CHECK(chown(path.c_str(), user->pw_uid, user->pw_gid) == 0);
}

std::unique_ptr<ProcessRunner> Runner() {
  return MakePosixProcessRunner(Program("swage-supervise"));
}

ProcessSpec Spec(std::vector<std::string> argv, const fs::path& cwd) {
  ProcessSpec spec;
  spec.argv = std::move(argv);
  spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LC_ALL", "C"}, {"TZ", "UTC"}};
  spec.cwd = cwd;
  return spec;
}

// A cluster that no server runs on; each server gets a copy, which is quicker than initdb.
class Template {
 public:
  Template() {
    GiveToServerUser(dir_.path());
    made_ = Make();
  }
  const Result<void>& made() const { return made_; }
  fs::path data() const { return dir_.path() / "data"; }

 private:
  Result<void> Make() const {
    const auto bin = Programs();
    if (!bin) return MakeError(ErrorCode::kNotFound, "Debian's package postgresql is missing");
    ProcessSpec spec = Spec(
        AsServerUser({*bin / "initdb", "--no-sync", "--auth=trust", "--encoding=UTF8",
                      "--no-locale", fmt::format("--username={}", kPackageUser), "-D", data()}),
        dir_.path());
    spec.time_limit = kLimit;
    const auto runner = Runner();
    SWAGE_ASSIGN_OR_RETURN(const std::string said, RunAndCapture(*runner, std::move(spec)));
    return Ok();
  }

  const TempDir dir_{"swage-pg-template-"};
  Result<void> made_ = Ok();
};

const Template& TheTemplate() {
  static const Template made;
  return made;
}

// The line of postmaster.pid; empty when there is none yet.
std::string PidFileLine(const fs::path& data, std::size_t wanted) {
  const auto text = ReadFile(data / "postmaster.pid", 4096);
  if (!text.ok()) return "";
  std::istringstream lines(*text);
  std::string line;
  for (std::size_t i = 0; i <= wanted; ++i) {
    if (!std::getline(lines, line)) return "";
  }
  return line;
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  const auto file = fmt::format("/proc/{}/task/{}/children", parent, parent);
  std::vector<pid_t> children;
  std::istringstream text;
  if (const auto read = ReadFile(file); read.ok()) text.str(*read);
  for (pid_t child = 0; text >> child;) children.push_back(child);
  return children;
}

}  // namespace

bool PostgresServer::Installed() {
  return Programs().has_value();
}

Result<std::unique_ptr<PostgresServer>> PostgresServer::Make(PostgresOptions options) {
  SWAGE_ASSIGN_OR_RETURN(demo::ReservedPort port, demo::ReservedPort::Take());
  std::unique_ptr<PostgresServer> server(new PostgresServer(std::move(options), std::move(port)));
  SWAGE_RETURN_IF_ERROR(server->CopyTemplate());
  SWAGE_RETURN_IF_ERROR(server->Start());
  SWAGE_ASSIGN_OR_RETURN(
      const std::string said,
      server->Query(server->AdminUrl(), fmt::format("CREATE ROLE {} LOGIN", kRole)));
  return server;
}

PostgresServer& PostgresServer::Shared() {
  static const std::unique_ptr<PostgresServer> shared = [] {
    (void)TheTemplate();  // made first, so that it goes last
    auto made = Make({.fsync = false, .settings = {}});
    if (!made.ok()) fmt::print(stderr, "{}\n", made.error().message);
    SWAGE_CHECK(made.ok());
    return std::move(made).value();
  }();
  return *shared;
}

PostgresServer::PostgresServer(PostgresOptions options, demo::ReservedPort port)
    : options_(std::move(options)), port_(std::move(port)), runner_(Runner()) {}

PostgresServer::~PostgresServer() {
  Kill();
}

Result<void> PostgresServer::CopyTemplate() {
  SWAGE_RETURN_IF_ERROR(TheTemplate().made());
  GiveToServerUser(dir_.path());
  ProcessSpec spec =
      Spec(AsServerUser({"cp", "-r", TheTemplate().data(), data_}), TheTemplate().data());
  spec.time_limit = kLimit;
  SWAGE_ASSIGN_OR_RETURN(const std::string said, RunAndCapture(*runner_, std::move(spec)));
  return Ok();
}

std::vector<std::string> PostgresServer::Command() const {
  std::vector<std::string> settings = {
      fmt::format("port={}", port()),
      "listen_addresses=127.0.0.1",
      fmt::format("unix_socket_directories={}", socket_dir().string()),
      "shared_buffers=16MB",
      "dynamic_shared_memory_type=mmap",  // in the data directory: nothing stays in /dev/shm
      fmt::format("max_connections={}", kMaxSessions),
      fmt::format("fsync={}", options_.fsync ? "on" : "off"),
  };
  settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
  std::vector<std::string> command = {Programs().value() / "postgres", "-D", data_};
  for (const std::string& setting : settings) command.insert(command.end(), {"-c", setting});
  return AsServerUser(std::move(command));
}

Result<void> PostgresServer::Start() {
  SWAGE_CHECK(!run_.joinable());
  // Left by Kill, and nobody of it lives: with it the next server would look alive before it is.
  std::error_code ignored;
  fs::remove(data_ / "postmaster.pid", ignored);
  ended_ = false;
  run_ = std::jthread([this](const std::stop_token& stop) {
    ProcessSpec spec = Spec(Command(), dir_.path());
    spec.output_cap = std::size_t{1} << 40;
    const auto result = runner_->Run(
        spec,
        [this](std::string_view bytes) {
          const std::lock_guard lock(log_mutex_);
          log_.append(bytes);
          if (log_.size() > 2 * kLogBytes) log_.erase(0, log_.size() - kLogBytes);
        },
        stop);
    const std::lock_guard lock(log_mutex_);
    log_ += result.ok() ? result->Describe() + "\n" : result.error().message + "\n";
    ended_ = true;
  });
  return WaitUntilReady();
}

Result<void> PostgresServer::WaitUntilReady() {
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (!PidFileLine(data_, kStatusLine).starts_with("ready")) {
    if (ended_ || std::chrono::steady_clock::now() > deadline) {
      Kill();
      return MakeError(ErrorCode::kUnavailable, "PostgreSQL does not start:\n" + Log());
    }
    std::this_thread::sleep_for(kProbe);
  }
  pid_ = std::stoi(PidFileLine(data_, kPidLine));
  return Ok();
}

void PostgresServer::Stop() {
  if (pid_ > 0 && !ended_) kill(pid_, SIGINT);
  AwaitEnd();
}

void PostgresServer::Kill() {
  // Stopped first: while its children die it must neither notice nor make new ones.
  if (pid_ > 0 && !ended_) {
    kill(pid_, SIGSTOP);
    for (const pid_t child : ChildrenOf(pid_)) kill(child, SIGKILL);
    kill(pid_, SIGKILL);
  }
  run_.request_stop();  // the supervisor ends what has not come far enough to be named above
  AwaitEnd();
  RemoveSharedMemory(data_);
}

void PostgresServer::AwaitEnd() {
  if (run_.joinable()) run_.join();
  run_ = {};
  pid_ = -1;
}

void RemoveSharedMemory(const fs::path& data) {
  std::istringstream line(PidFileLine(data, kSharedMemoryLine));
  std::int64_t key = 0;
  int id = 0;
  if (line >> key >> id) shmctl(id, IPC_RMID, nullptr);
}

Result<std::string> PostgresServer::NewDatabase() {
  const std::string name = fmt::format("test_{}", ++databases_);
  SWAGE_ASSIGN_OR_RETURN(
      const std::string said,
      Query(AdminUrl(), fmt::format("CREATE DATABASE {} OWNER {}", name, kRole)));
  return Url(kRole, name);
}

std::string PostgresServer::AdminUrl(std::string_view database) const {
  return Url(kPackageUser, database);
}

std::string PostgresServer::Url(std::string_view role, std::string_view database) const {
  return fmt::format("postgresql://{}@127.0.0.1:{}/{}", role, port(), database);
}

Result<std::string> PostgresServer::Query(const std::string& url, const std::string& sql) const {
  const auto bin = Programs();
  if (!bin) return MakeError(ErrorCode::kNotFound, "Debian's package postgresql is missing");
  ProcessSpec spec =
      Spec({*bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url}, "/");
  spec.stdin_bytes = sql + ";\n";
  spec.time_limit = kLimit;
  SWAGE_ASSIGN_OR_RETURN(std::string rows, RunAndCapture(*runner_, std::move(spec)));
  while (rows.ends_with('\n')) rows.pop_back();
  return rows;
}

std::string PostgresServer::Log() const {
  const std::lock_guard lock(log_mutex_);
  return log_;
}

}  // namespace swage::test
