#include "bot/demo/demo.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
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

// A copy of the repository, a workspace and what its gates build.
constexpr std::uintmax_t kMinFreeMiB = 200;
constexpr auto kDeliveryLimit = std::chrono::seconds(2);

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
  const auto statuses = scene.forge().Statuses(scene.repo(), pulls.front().head_sha);
  for (const auto& status : statuses) {
    if (status.state == "failure" || status.state == "failed" || status.state == "error")
      return false;
  }
  return !statuses.empty();
}

// A server that did not take the label's webhook would be waited for in vain. `sent_before`: what
// the forge sent until then, when nobody listened yet.
Result<void> CheckDelivered(Scene& scene, std::size_t sent_before) {
  scene.forge().WaitForWebhooks(kDeliveryLimit);
  const auto deliveries = scene.forge().Deliveries();
  for (std::size_t i = sent_before; i < deliveries.size(); ++i) {
    const auto& delivery = deliveries[i];
    if (!delivery.done || delivery.status / 100 == 2) continue;
    return MakeError(ErrorCode::kUnavailable,
                     fmt::format("the server did not take the webhook `{}`: {} {}", delivery.event,
                                 delivery.status, StripControl(Truncate(delivery.response, 200))));
  }
  return Ok();
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

// Ends Play's wait for a signal.
void WakeUp() {
  kill(getpid(), SIGTERM);
}

Result<Outcome> Play(const DemoOptions& options, const std::filesystem::path& dir, sigset_t ends) {
  SWAGE_ASSIGN_OR_RETURN(const auto scene, Scene::Set(options, dir));
  SWAGE_ASSIGN_OR_RETURN(const auto server, demo::ServerProcess::Start(
                                                scene->config(), dir / "swage.log",
                                                scene->hooks_port(), ServerEnvironment(), WakeUp));
  const Pages pages(*scene);
  Say(fmt::format("sandbox forge ({} dialect)   {}/{}", options.forge, scene->forge().Url(),
                  scene->repo()));
  Say("dashboard                    " + pages.Dashboard());
  Say("configuration                " + scene->config().string());
  Say("server's log                 " + (dir / "swage.log").string());
  Say("agent                        " + scene->agent());
  for (const std::string& note : scene->notes()) Say("note                         " + note);
  Say("");

  const Steady::time_point begun = Steady::now();
  const std::size_t sent_before = scene->forge().Deliveries().size();
  const std::int64_t issue = scene->forge().CreateIssue(scene->repo(), demo::kPerson,
                                                        scene->issue().title, scene->issue().body);
  Say(fmt::format("   0.00 s  {:<12} {} labels issue #{} `swage`: {}", "label", demo::kPerson,
                  issue, scene->issue().title));
  scene->forge().AddLabel(scene->repo(), demo::kPerson, issue, "swage");

  SWAGE_RETURN_IF_ERROR(CheckDelivered(*scene, sent_before));

  std::optional<Outcome> outcome;
  std::jthread watcher([&](std::stop_token stop) {
    outcome = Watch(*scene, issue, begun, !options.once, stop);
    if (options.once) WakeUp();
  });
  if (!options.once) {
    Say("(stop with Ctrl-C; comment `/swage help` under the issue or the pull request at any "
        "time)");
  }
  int signal = 0;
  sigwait(&ends, &signal);
  watcher.request_stop();
  watcher.join();
  if (!server->Running()) {
    return MakeError(ErrorCode::kInternal,
                     "the server ended by itself; its last words:\n" + server->LastWords());
  }
  return outcome.value_or(Outcome{});
}

Result<void> CheckFree(const std::filesystem::path& dir) {
  std::error_code error;
  const std::uintmax_t free = std::filesystem::space(dir, error).available >> 20;
  if (error || free >= kMinFreeMiB) return Ok();
  return MakeError(
      ErrorCode::kInternal,
      fmt::format("only {} MiB are free in {}, the demo needs {}; make room, or name a "
                  "folder elsewhere with --data",
                  free, dir.string(), kMinFreeMiB));
}

// Where the demo lives: the user's folder, which stays, or a temporary one, which goes.
class Place {
 public:
  static Result<Place> Make(const std::filesystem::path& wanted) {
    if (wanted.empty()) {
      SWAGE_ASSIGN_OR_RETURN(std::filesystem::path made, MakeTempDir("swage-demo-"));
      Place place(std::move(made), true);
      SWAGE_RETURN_IF_ERROR(CheckFree(place.dir()));
      return place;
    }
    // A server's state from an earlier run knows nothing of a new forge.
    SWAGE_RETURN_IF_ERROR(MakeDirs(wanted));
    std::error_code error;
    if (!std::filesystem::is_empty(wanted, error) || error) {
      return MakeError(ErrorCode::kConflict,
                       fmt::format("--data: {} is not empty; name a new folder", wanted.string()));
    }
    SWAGE_RETURN_IF_ERROR(CheckFree(wanted));
    return Place(std::filesystem::absolute(wanted), false);
  }
  Place(Place&& other) noexcept : dir_(std::move(other.dir_)), goes_(other.goes_) {
    other.goes_ = false;
  }
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (goes_) (void)RemoveTree(dir_).ok();
  }
  const std::filesystem::path& dir() const { return dir_; }
  void Keep() { goes_ = false; }

 private:
  Place(std::filesystem::path dir, bool goes) : dir_(std::move(dir)), goes_(goes) {}
  std::filesystem::path dir_;
  bool goes_;
};

int Fail(const std::string& message) {
  std::fprintf(stderr, "swage demo: %s\n", message.c_str());
  return kExitFailed;
}

}  // namespace

int RunDemo(const DemoOptions& options) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto place = Place::Make(options.data);
  if (!place.ok()) return Fail(place.error().message);
  const auto outcome = Play(options, place->dir(), ends);
  if (!outcome.ok()) return Fail(outcome.error().message);
  if (outcome->green) {
    Say("\nThe pull request is open, reviewed and green.");
    return kExitOk;
  }
  if (!outcome->ended) return Fail("stopped before the task was done");
  // The pages go with this process; what explains the failure stays.
  if (options.once) place->Keep();
  Say(fmt::format("\nThe task ended without a green pull request.{}",
                  options.once ? " Its logs are kept: " + place->dir().string() : ""));
  return kExitFailed;
}

}  // namespace swage
