// What a node needs on its machine is what its roles need.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/wait.h>

#include <csignal>

#include "tests/harness/box.h"
#include "tests/harness/paths.h"
#include "tests/harness/serve_process.h"

namespace swage::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Roles : public testing::Test {
 protected:
  Roles() {
    for (const char* name : {"swage", "swage-supervise"}) {
      std::error_code other_disk;
      fs::create_hard_link(Program(name), programs_.path() / name, other_disk);
      if (other_disk) fs::copy_file(Program(name), programs_.path() / name);
    }
  }

  // `swage serve` where nothing of what encloses tasks is installed. Its exit code; it is asked to
  // end once it serves.
  int ServeOnce(const std::string& roles) {
    BoxOptions options;
    options.files = AnswerRepo();
    options.extra_config = "node: {name: front, roles: [" + roles + "]}\n";
    options.start = false;
    Box box(options);
    const pid_t pid = SpawnServe({.config = box.dir() / "swage.yml",
                                  .log = box.dir() / "server.log",
                                  .home = box.dir(),
                                  .program = programs_.path() / "swage"});
    int status = 0;
    bool ended = false;
    served_ = false;
    box.WaitFor([&] {
      ended = waitpid(pid, &status, WNOHANG) == pid;
      served_ = !ended && httplib::Client("127.0.0.1", box.hooks_port()).Get("/healthz");
      return ended || served_;
    });
    if (!ended) {
      kill(pid, served_ ? SIGTERM : SIGKILL);
      waitpid(pid, &status, 0);
    }
    log_ = box.ServerLog();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  const TempDir programs_{"swage-programs-"};
  bool served_ = false;
  std::string log_;
};

TEST_F(Roles, OnlyAWorkerNeedsWhatEnclosesTasks) {
  EXPECT_EQ(ServeOnce("web, publisher, housekeeping"), 0) << log_;
  EXPECT_TRUE(served_);
  EXPECT_NE(ServeOnce("web, publisher, worker, housekeeping"), 0);
  EXPECT_FALSE(served_);
  EXPECT_THAT(log_, HasSubstr("swage-enter is neither in "));
}

}  // namespace
}  // namespace swage::test
