// The inside of SandboxForge: how requests, events and the C++ functions meet at the one lock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "forge/sandbox/dialect.h"
#include "forge/sandbox/git_http.h"
#include "forge/sandbox/sandbox_forge.h"
#include "forge/sandbox/server.h"
#include "forge/sandbox/webhooks.h"

namespace swage::sandbox {

/// Makes `branch` at the tip of the default one, unless it exists.
Result<void> StartBranch(const Repo& repo, std::string_view branch);

struct SandboxForge::State {
  static constexpr std::size_t kMaxBody = 32 << 20;

  explicit State(SandboxOptions given);
  ~State();

  Result<void> Listen();
  void Stop();

  // --- the C++ side: run `action` with the lock, then wake whoever waits for a change ---
  template <class Action>
  auto Change(const Action& action) {
    const std::lock_guard lock(mutex);
    const Waker wake{changed};
    return action(world);
  }
  template <class Action>
  auto In(std::string_view path, const Action& action) {
    return Change([&](World& in) {
      Repo* repo = in.FindRepo(path);
      SWAGE_CHECK(repo != nullptr);
      return action(in, *repo);
    });
  }
  template <class Action>
  auto In(std::string_view path, std::string_view login, const Action& action) {
    return In(path, [&](World& in, Repo& repo) {
      User* user = in.FindUser(login);
      SWAGE_CHECK(user != nullptr);
      return action(in, repo, *user);
    });
  }
  template <class Action>
  auto OnIssue(std::string_view path, std::string_view login, std::int64_t number,
               const Action& action) {
    return In(path, login, [&](World& in, Repo& repo, User& user) {
      Issue* issue = in.FindEither(repo, number);
      SWAGE_CHECK(issue != nullptr);
      return action(in, repo, user, *issue);
    });
  }
  template <class Action>
  auto OnPull(std::string_view path, std::string_view login, std::int64_t number,
              const Action& action) {
    return In(path, login, [&](World& in, Repo& repo, User& user) {
      Pull* pull = in.FindPull(repo, number);
      SWAGE_CHECK(pull != nullptr);
      return action(in, repo, user, *pull);
    });
  }

  // --- the HTTP side ---
  Answer Handle(Request& request, const BodyReader& body);
  Answer Dispatch(Request& request, const BodyReader& body);
  Answer AnswerApi(Request& request, const BodyReader& body);
  Reply Route(const Request& request, std::string& login);
  std::optional<Reply> Control(const Request& request);
  void Deliver(const Event& event);
  void DeliverToApp(const Event& event, const Repo& repo);
  /// What the App alone hears; `repo` may be null.
  void TellApp(std::string_view event, std::string_view action, const Installation& installation,
               Id sender_id, const Repo* repo, nlohmann::json body);
  void WebhookDone(const Delivery& delivery);
  bool Pause(std::chrono::milliseconds duration);

  struct Waker {
    std::condition_variable& changed;
    ~Waker() { changed.notify_all(); }
  };

  const SandboxOptions options;
  const SystemClock clock;
  Faults faults;
  std::mutex mutex;  ///< guards world
  std::condition_variable changed;
  bool stopping = false;  ///< guarded by mutex
  World world;
  const std::unique_ptr<ApiDialect> dialect;
  Router api_routes;
  Router page_routes;  ///< apart, because the page answers any path
  std::unique_ptr<WebhookSender> sender;
  GitHttp git;
  std::string base;
  std::unique_ptr<HttpServer> server;
};

}  // namespace swage::sandbox
