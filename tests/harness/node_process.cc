#include "tests/harness/node_process.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/wait.h>

#include <array>
#include <csignal>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/harness/serve_process.h"

namespace swage::test {
namespace {

demo::ReservedPort AnyPort() {
  auto port = demo::ReservedPort::Take();
  SWAGE_CHECK(port.ok());
  return std::move(port).value();
}

// Lines of the box's settings that are each node's own.
bool IsOwn(std::string_view line, bool other_store) {
  constexpr std::array<std::string_view, 5> kOwn = {
      "data_dir:", "listen:", "dashboard:", "public_url:", "node:"};
  for (const std::string_view own : kOwn) {
    if (line.starts_with(own)) return true;
  }
  return other_store && line.starts_with("store:");
}

}  // namespace

NodeProcess::NodeProcess(Box& box, NodeOptions options)
    : box_(box),
      options_(std::move(options)),
      dir_(box.dir() / (options_.folder.empty() ? "node-" + options_.name : options_.folder)),
      hooks_port_(AnyPort()),
      pages_port_(AnyPort()) {
  SWAGE_CHECK(MakeDirs(dir_).ok());
  WriteConfig();
}

NodeProcess::~NodeProcess() {
  if (pid_ > 0) {
    Thaw();
    EXPECT_EQ(Stop(), 0) << "exit code of node " << name();
  }
  EXPECT_EQ(Log().find("Sanitizer: "), std::string::npos) << "a sanitizer's report";
  if (testing::Test::HasFailure()) {
    std::fprintf(stderr, "--- log of node %s ---\n%s---\n", name().c_str(), Log().c_str());
  }
}

void NodeProcess::WriteConfig() const {
  const std::string theirs = ReadFile(box_.dir() / "swage.yml").value();
  std::string yaml = fmt::format(
      "data_dir: {}\nlisten: 127.0.0.1:{}\ndashboard: 127.0.0.1:{}\n"
      "public_url: http://127.0.0.1:{}\nnode: {{name: {}, roles: [{}], lease: {}{}}}\n",
      data_dir().string(), hooks_port(), pages_port(), pages_port(), options_.name, options_.roles,
      options_.lease,
      options_.levels.empty() ? "" : fmt::format(", levels: [{}]", options_.levels));
  if (!options_.store.empty()) yaml += fmt::format("store: \"{}\"\n", options_.store);
  for (const std::string_view line : SplitLines(theirs)) {
    if (!IsOwn(line, !options_.store.empty())) yaml += std::string(line) + "\n";
  }
  SWAGE_CHECK(WriteFileAtomic(dir_ / "swage.yml", yaml).ok());
}

void NodeProcess::Spawn() {
  SWAGE_CHECK(pid_ < 0);
  pid_ = SpawnServe({dir_ / "swage.yml", dir_ / "server.log", box_.dir(), options_.env});
}

void NodeProcess::Start() {
  Spawn();
  ASSERT_TRUE(WaitUntilWell()) << Log();
}

void NodeProcess::Launch() {
  Spawn();
}

bool NodeProcess::WaitUntilWell() {
  return box_.WaitFor([&] { return !Get(hooks_port(), "/healthz").empty(); });
}

void NodeProcess::Kill() {
  SWAGE_CHECK(pid_ > 0);
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
      << "node " << name() << " had ended before it was killed, with status " << status;
}

int NodeProcess::Stop() {
  SWAGE_CHECK(pid_ > 0);
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int NodeProcess::ServeToExit() {
  Spawn();
  int status = 0;
  if (box_.WaitFor([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) {
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  Kill();
  return -1;
}

void NodeProcess::Freeze() const {
  kill(pid_, SIGSTOP);
}

void NodeProcess::Thaw() const {
  kill(pid_, SIGCONT);
}

std::string NodeProcess::Log() const {
  const auto log = ReadFile(dir_ / "server.log", 64 << 20);
  return log.ok() ? *log : "";
}

bool NodeProcess::WaitForLog(std::string_view text) {
  return box_.WaitFor([&] { return Log().find(text) != std::string::npos; });
}

std::string NodeProcess::Get(int port, const std::string& path) const {
  httplib::Client client("127.0.0.1", port);
  const auto response = client.Get(path);
  return response ? response->body : "";
}

}  // namespace swage::test
