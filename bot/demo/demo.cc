#include "bot/demo/demo.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <thread>

#include "bot/demo/scene.h"
#include "bot/demo/server_process.h"
#include "bot/demo/timeline.h"
#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

using demo::Scene;
using demo::TimelineEvent;
using Steady = std::chrono::steady_clock;

void Say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

std::map<std::string, std::string> ServerEnvironment() {
  std::map<std::string, std::string> env = {{"LANG", "C.UTF-8"}};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos) {
      env[std::string(pair.substr(0, equals))] = std::string(pair.substr(equals + 1));
    }
  }
  return env;
}

// Where a finished task is, in the words of the forge's own pages.
class Pages {
 public:
  explicit Pages(Scene& scene) : scene_(scene) {}
  std::string Issue(std::int64_t n) const { return Page("issues", n); }
  std::string Pull(std::int64_t n) const { return Page("pulls", n); }
  std::string Dashboard() const {
    return fmt::format("http://127.0.0.1:{}/", scene_.dashboard_port());
  }

 private:
  std::string Page(std::string_view kind, std::int64_t n) const {
    return fmt::format("{}/{}/{}/{}", scene_.forge().Url(), scene_.repo(), kind, n);
  }
  Scene& scene_;
};

struct Outcome {
  bool ended = false;
  bool green = false;
};

// What the forge itself shows is what counts, not what the server says of itself.
bool IsGreen(Scene& scene) {
  const auto pulls = scene.forge().Pulls(scene.repo());
  if (pulls.size() != 1 || !pulls.front().open || pulls.front().draft) return false;
  for (const auto& status : scene.forge().Statuses(scene.repo(), pulls.front().head_sha)) {
    if (status.state == "failure" || status.state == "failed" || status.state == "error")
      return false;
  }
  return true;
}

void ShowPlaces(Scene& scene, std::int64_t issue) {
  const Pages pages(scene);
  Say("");
  Say("  issue          " + pages.Issue(issue));
  for (const auto& pull : scene.forge().Pulls(scene.repo())) {
    Say("  pull request   " + pages.Pull(pull.number));
  }
  Say("  dashboard      " + pages.Dashboard());
}

Outcome Watch(Scene& scene, std::int64_t issue, Steady::time_point begun, bool forever,
              std::stop_token stop) {
  Outcome outcome;
  const auto show = [&](const TimelineEvent& e) {
    const std::chrono::duration<double> since = Steady::now() - begun;
    Say(fmt::format("{:7.2f} s  {:<12} {}", since.count(), e.kind, StripControl(e.detail)));
    const bool done = e.kind == "in_review" || e.kind == "failed" || e.kind == "cancelled";
    if (done && !outcome.ended) {
      outcome.ended = true;
      outcome.green = e.kind == "in_review" && IsGreen(scene);
      ShowPlaces(scene, issue);
      if (!forever) return false;
      Say("\nNow comment `/swage fix add a line to the changelog` under the pull request, or "
          "`/swage help`.\n"
          "Ctrl-C ends everything.\n");
    }
    return true;
  };
  demo::FollowTimeline(scene.dashboard_port(), show, stop);
  return outcome;
}

Result<int> Play(const DemoOptions& options, const std::filesystem::path& dir, sigset_t ends) {
  SWAGE_ASSIGN_OR_RETURN(const auto scene, Scene::Set(options, dir));
  SWAGE_ASSIGN_OR_RETURN(const auto server,
                         demo::ServerProcess::Start(scene->config(), dir / "swage.log",
                                                    scene->hooks_port(), ServerEnvironment()));
  const Pages pages(*scene);
  Say(fmt::format("sandbox forge ({} dialect)   {}/{}", options.forge, scene->forge().Url(),
                  scene->repo()));
  Say("dashboard                    " + pages.Dashboard());
  Say("configuration                " + scene->config().string());
  Say("server's log                 " + (dir / "swage.log").string());
  if (options.agent.empty()) {
    Say("agent                        a SCRIPTED stand-in (no model); --agent NAME uses a real "
        "one");
  } else {
    Say("agent                        " + options.agent);
  }
  Say("");

  const Steady::time_point begun = Steady::now();
  const std::int64_t issue = scene->forge().CreateIssue(scene->repo(), demo::kPerson,
                                                        scene->issue().title, scene->issue().body);
  Say(fmt::format("   0.00 s  {:<12} {} labels issue #{} `swage`: {}", "label", demo::kPerson,
                  issue, scene->issue().title));
  scene->forge().AddLabel(scene->repo(), demo::kPerson, issue, "swage");

  std::optional<Outcome> outcome;
  std::jthread watcher([&](std::stop_token stop) {
    outcome = Watch(*scene, issue, begun, !options.once, stop);
    if (options.once) kill(getpid(), SIGTERM);  // wakes the wait below
  });
  if (!options.once) {
    Say("(stop with Ctrl-C; comment `/swage help` under the issue or the pull request at any "
        "time)");
  }
  int signal = 0;
  sigwait(&ends, &signal);
  watcher.request_stop();
  watcher.join();
  if (outcome && outcome->green) {
    Say("\nThe pull request is open, reviewed and green.");
    return 0;
  }
  Say(outcome && outcome->ended ? "\nThe task ended without a green pull request; see the log."
                                : "\nStopped before the task was done.");
  return 1;
}

}  // namespace

int RunDemo(const DemoOptions& options) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  if (!options.repo.empty() && options.issue.empty()) {
    std::fprintf(
        stderr,
        "swage demo: --repo needs --issue FILE.md: first line the title, the rest the text\n");
    return kExitUsage;
  }
  std::optional<TempDir> temporary;
  std::filesystem::path dir = options.data;
  if (dir.empty()) {
    temporary.emplace("swage-demo-");
    dir = temporary->path();
  } else if (auto made = MakeDirs(dir); !made.ok()) {
    std::fprintf(stderr, "swage demo: %s\n", made.error().message.c_str());
    return kExitFailed;
  }
  const auto played = Play(options, std::filesystem::absolute(dir), ends);
  if (!played.ok()) {
    std::fprintf(stderr, "swage demo: %s\n", played.error().message.c_str());
    return kExitFailed;
  }
  return *played;
}

}  // namespace swage
