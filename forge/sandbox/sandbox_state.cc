#include "forge/sandbox/sandbox_state.h"
#include "forge/http_date.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/git_repo.h"

namespace swage::sandbox {
namespace {

constexpr std::string_view kControl = "/_sandbox/";
// GitLab's rule for failing hooks: four in a row pause it for a minute, doubling up to a day; forty
// end it.
constexpr int kFailuresToPause = 4;
constexpr int kFailuresToEnd = 40;
constexpr std::chrono::minutes kFirstPause{1};
constexpr std::chrono::minutes kLongestPause{24 * 60};

std::unique_ptr<ApiDialect> MakeDialect(Dialect dialect) {
  switch (dialect) {
    case Dialect::kGitHub:
      return MakeGitHubDialect();
    case Dialect::kGitLab:
      return MakeGitLabDialect();
    case Dialect::kGitea:
      return MakeGiteaDialect();
  }
  return nullptr;
}

/// JSON, or a form as an object of strings. Null when there is no body.
Result<nlohmann::json> ParseBody(const Request& request) {
  if (Trim(request.body).empty()) return nlohmann::json();
  if (!request.Header("content-type").starts_with("application/x-www-form-urlencoded")) {
    return ParseJson(request.body);
  }
  nlohmann::json form = nlohmann::json::object();
  for (const auto& [name, value] : ParseForm(request.body)) form[name] = ToValidUtf8(value);
  return form;
}

bool Wants(const Hook& hook, const Payload& payload) {
  return hook.events.empty() || hook.events.contains("*") || hook.events.contains(payload.kind);
}

/// The three ways in which a forge says "later".
Reply LimitReply(const ApiDialect& dialect, const FaultRule& rule, WallTime now) {
  if (rule.action == FaultAction::kPrimaryLimit) {
    const auto reset = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count() +
                       rule.retry_after_s;
    Reply reply = dialect.Error(403, "API rate limit exceeded for user.");
    reply.headers["X-RateLimit-Limit"] = "5000";
    reply.headers["X-RateLimit-Remaining"] = "0";
    reply.headers["X-RateLimit-Reset"] = std::to_string(reset);
    return reply;
  }
  Reply reply = rule.action == FaultAction::kSecondaryLimit
                    ? dialect.Error(403,
                                    "You have exceeded a secondary rate limit. Please wait a few "
                                    "minutes before you try again.")
                    : dialect.Error(429, "Too Many Requests");
  if (rule.retry_after_s > 0) reply.headers["Retry-After"] = std::to_string(rule.retry_after_s);
  return reply;
}

nlohmann::json Describe(const LoggedRequest& request) {
  return {{"method", request.method}, {"target", request.target}, {"actor", request.actor},
          {"body", request.body},     {"status", request.status}, {"at", FormatUtc(request.at)}};
}

nlohmann::json Describe(const Delivery& delivery) {
  return {{"id", delivery.id},           {"hook", delivery.hook},
          {"guid", delivery.guid},       {"event", delivery.event},
          {"action", delivery.action},   {"done", delivery.done},
          {"dropped", delivery.dropped}, {"redelivery", delivery.redelivery},
          {"status", delivery.status},   {"payload", delivery.payload}};
}

std::string WithInstallation(const std::string& payload, Id installation) {
  nlohmann::json body = *ParseJson(payload);
  body["installation"] = {{"id", installation}};
  return DumpJson(body);
}

template <class List>
Reply ListReply(const List& list) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& item : list) out.push_back(Describe(item));
  return Reply::Json(200, out);
}

}  // namespace

Result<void> StartBranch(const Repo& repo, std::string_view branch) {
  const std::string ref = fmt::format("refs/heads/{}", branch);
  if (ReadRef(repo.git_dir, ref).ok()) return Ok();
  const Result<std::string> tip = ReadRef(repo.git_dir, "refs/heads/" + repo.default_branch);
  if (!tip.ok()) return Ok();  // an empty repository: the commit makes the branch
  return WriteRef(repo.git_dir, ref, *tip, false);
}

SandboxForge::State::State(SandboxOptions given)
    : options(std::move(given)),
      world(options.dialect, options.data_dir, clock),
      dialect(MakeDialect(options.dialect)),
      git(world, mutex, options.data_dir) {
  sender =
      std::make_unique<WebhookSender>(*dialect, faults, clock, options.webhook_delay,
                                      [this](const Delivery& delivery) { WebhookDone(delivery); });
  world.OnEvent([this](const Event& event) { Deliver(event); });
  dialect->Mount(api_routes, *sender);
  MountPage(page_routes, *sender);
}

SandboxForge::State::~State() {
  Stop();
}

Result<void> SandboxForge::State::Listen() {
  // Requests may come before `base` is known to them; the lock makes them wait for it.
  const std::lock_guard lock(mutex);
  SWAGE_ASSIGN_OR_RETURN(server,
                         HttpServer::Start({options.address, options.port, options.threads},
                                           [this](Request& request, const BodyReader& body) {
                                             return Handle(request, body);
                                           }));
  base = fmt::format("http://{}:{}", options.address, server->Port());
  return Ok();
}

void SandboxForge::State::Stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
    changed.notify_all();
  }
  if (server != nullptr) server->Stop();
  if (sender != nullptr) sender->Stop();
}

bool SandboxForge::State::Pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(mutex);
  return !changed.wait_for(lock, duration, [this] { return stopping; });
}

Answer SandboxForge::State::Handle(Request& request, const BodyReader& body) {
  if (request.path.starts_with(kControl)) {
    return AnswerApi(request, body);
  }
  const std::optional<FaultRule> fault = faults.TakeForRequest(request.method, request.target);
  if (!fault.has_value()) return Dispatch(request, body);
  Answer answer;
  switch (fault->action) {
    case FaultAction::kDelay:
      Pause(std::chrono::milliseconds(fault->delay_ms));
      return Dispatch(request, body);
    case FaultAction::kResetAfter:
      answer = Dispatch(request, body);
      answer.reset = true;
      return answer;
    case FaultAction::kResetBefore:
      answer.reset = true;
      break;
    case FaultAction::kStatus:
      answer.reply = dialect->Error(fault->status, "Fault injected by the sandbox");
      break;
    case FaultAction::kRateLimit:
    case FaultAction::kPrimaryLimit:
    case FaultAction::kSecondaryLimit:
      answer.reply = LimitReply(*dialect, *fault, clock.Now());
      break;
    case FaultAction::kWebhookDrop:
    case FaultAction::kWebhookDuplicate:
    case FaultAction::kWebhookReorder:
      return Dispatch(request, body);
  }
  // Unread bytes would turn the reply into a reset.
  body([](std::string_view) { return true; });
  Change([&](World& in) {
    in.LogRequest({request.method, request.target, "", "", answer.reset ? 0 : answer.reply.status,
                   clock.Now()});
  });
  return answer;
}

Answer SandboxForge::State::Dispatch(Request& request, const BodyReader& body) {
  if (!GitHttp::Owns(request.path)) return AnswerApi(request, body);
  std::string login;
  Answer answer = git.Serve(request, body, login);
  Change([&](World& in) {
    in.LogRequest({request.method, request.target, login, "", answer.reply.status, clock.Now()});
  });
  return answer;
}

Answer SandboxForge::State::AnswerApi(Request& request, const BodyReader& body) {
  Answer answer;
  const bool complete = body([&](std::string_view bytes) {
    request.body += bytes;
    return request.body.size() <= kMaxBody;
  });
  if (!complete) {
    answer.reply = dialect->Error(413, "Payload too large");
    return answer;
  }
  if (request.path.starts_with(kControl)) {
    const std::optional<Reply> reply = Control(request);
    answer.reply = reply.value_or(Reply::Text(404, "text/plain", "no such control\n"));
    return answer;
  }
  const std::lock_guard lock(mutex);
  const Waker wake{changed};
  std::string login;
  answer.reply = Route(request, login);
  world.LogRequest({request.method, request.target, login,
                    request.body.substr(0, World::kLoggedBody), answer.reply.status, clock.Now()});
  return answer;
}

Reply SandboxForge::State::Route(const Request& request, std::string& login) {
  const bool api = dialect->Owns(request.path);
  const auto finish = [&](Reply reply) {
    reply.headers["Date"] = FormatHttpDate(world.Now());
    if (api) dialect->Finish(request, reply);
    return reply;
  };
  const std::string token = dialect->TokenOf(request);
  User* const actor = world.FindUserByToken(token);
  if (actor != nullptr) login = actor->login;
  if (api) {
    if (auto refused = dialect->RefuseCredential(world, request, token, actor)) {
      return finish(std::move(*refused));
    }
  }
  const Router::Match match =
      api ? api_routes.Find(request.method, dialect->MountedPath(request.path))
          : page_routes.Find(request.method, request.path);
  if (match.handler == nullptr && !api) return Reply::Text(404, "text/plain", "not found\n");
  if (match.handler == nullptr) {
    return finish(dialect->Error(match.path_known ? 405 : 404, "Not Found"));
  }
  const Result<nlohmann::json> body = ParseBody(request);
  if (!body.ok()) return finish(dialect->Error(400, "Problems parsing JSON"));
  return finish((*match.handler)(Call{request, match.params, *body, world, actor, base}));
}

std::optional<Reply> SandboxForge::State::Control(const Request& request) {
  const std::string_view what = std::string_view(request.path).substr(kControl.size());
  if (what == "faults" && request.method == "GET") {
    return Reply::Text(200, "application/json", faults.ToJson());
  }
  if (what == "faults" && request.method == "POST") {
    const Result<void> added = faults.AddJson(request.body);
    return added.ok() ? Reply::Empty(204) : Reply::Json(422, {{"message", added.error().message}});
  }
  if (what == "faults" && request.method == "DELETE") {
    faults.Clear();
    return Reply::Empty(204);
  }
  if (what == "requests" && request.method == "GET") {
    return Change([](World& in) { return ListReply(in.log()); });
  }
  if (what == "requests" && request.method == "DELETE") {
    Change([](World& in) { in.ClearLog(); });
    return Reply::Empty(204);
  }
  if (what == "deliveries" && request.method == "GET") return ListReply(sender->Deliveries());
  return std::nullopt;
}

void SandboxForge::State::Deliver(const Event& event) {
  const Repo* repo = world.FindRepo(event.repo);
  if (repo == nullptr) return;
  if (event.what != Happening::kPing) DeliverToApp(event, *repo);
  if (repo->hooks.empty()) return;
  const std::vector<Payload> payloads = dialect->Describe(world, event, base);
  for (const Payload& payload : payloads) {
    for (const Hook& hook : repo->hooks) {
      const bool ping = event.what == Happening::kPing;
      if (ping ? hook.id != event.hook : !Wants(hook, payload)) continue;
      if (!hook.active || (hook.disabled_until && *hook.disabled_until > clock.Now())) continue;
      sender->Send(hook, repo->id, payload);
    }
  }
}

// An App hears of the repositories that its installations cover, while they are not suspended.
void SandboxForge::State::DeliverToApp(const Event& event, const Repo& repo) {
  const Apps& apps = world.apps();
  const Installation* const installation = world.apps().InstallationOf(repo);
  if (installation == nullptr || installation->suspended_at || apps.app->hook.url.empty()) return;
  for (Payload& payload : dialect->Describe(world, event, base)) {
    if (!apps.app->events.contains(payload.kind)) continue;
    payload.body = WithInstallation(payload.body, installation->id);
    sender->Send(apps.app->hook, repo.id, payload);
  }
}

void SandboxForge::State::WebhookDone(const Delivery& delivery) {
  Change([&](World& in) {
    Repo* repo = in.FindRepo(delivery.repo);
    Hook* hook = repo == nullptr ? nullptr : in.FindHook(*repo, delivery.hook);
    if (hook == nullptr || options.dialect != Dialect::kGitLab) return;
    if (delivery.status >= 200 && delivery.status < 300) {
      hook->failures_in_a_row = 0;
      hook->disabled_until.reset();
      return;
    }
    const int failures = ++hook->failures_in_a_row;
    if (failures >= kFailuresToEnd) {
      hook->active = false;
    } else if (failures >= kFailuresToPause) {
      const int doublings = std::min(failures - kFailuresToPause, 11);
      hook->disabled_until = clock.Now() + std::min(kFirstPause * (1 << doublings), kLongestPause);
    }
  });
}

}  // namespace swage::sandbox
