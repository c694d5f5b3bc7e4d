#include "bot/webhook/webhook_server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "bot/http/http_server.h"
#include "bot/webhook/delivery_batcher.h"
#include "bot/webhook/json_depth.h"
#include "config/address.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "config/repo_allow.h"
#include "pipeline/manual_request.h"

namespace swage {
namespace {

constexpr std::string_view kHookPrefix = "/hooks/";
// GitHub sends at most 25 MB; GitLab's hooks stay far below.
constexpr std::size_t kMaxBodyBytes = 25 << 20;
// Threads only compute (the batcher waits for the disk): one for each processor, within reason.
constexpr unsigned kMinThreads = 4;
constexpr unsigned kMaxThreads = 16;
constexpr std::chrono::seconds kRefusalLineEvery{1};

HttpServerOptions ServerOptions() {
  HttpServerOptions options;
  options.threads =
      static_cast<int>(std::clamp(std::thread::hardware_concurrency(), kMinThreads, kMaxThreads));
  options.limits.body_bytes = kMaxBodyBytes;
  return options;
}

/// One configured forge, as deliveries need it.
struct Door {
  const ForgeSettings* settings;
  const WebhookDialect* dialect;
};

}  // namespace

struct WebhookServer::State final : HttpHandler {
  State(const Settings& s, const std::map<std::string, const WebhookDialect*>& dialects, Store& st,
        Health& h, const Clock& c, Log& l, std::function<void()> stored);

  std::optional<WebResponse> Screen(const WebRequest& head) override;
  WebResponse Handle(WebRequest& request) override;

 private:
  const Door* FindDoor(std::string_view path) const;
  static const std::string& ChooseSecret(const Door& door, std::string_view body);
  WebResponse Receive(const Door& door, WebRequest& request);
  void LogRefusal(std::string_view forge, std::string_view from, std::string_view why);

 public:
  const Settings& settings;
  Health& health;
  const Clock& clock;
  Log& log;
  std::map<std::string, Door, std::less<>> doors;

  std::atomic<std::int64_t> next_refusal_line{0};  // ticks of the monotonic clock
  std::atomic<std::int64_t> refusals_unsaid{0};

  DeliveryBatcher batcher;
  HttpServer server;  // ends before the batcher, which answers what the server waits for
};

WebhookServer::State::State(const Settings& s,
                            const std::map<std::string, const WebhookDialect*>& dialects, Store& st,
                            Health& h, const Clock& c, Log& l, std::function<void()> stored)
    : settings(s),
      health(h),
      clock(c),
      log(l),
      batcher(st, l, std::move(stored)),
      server(ServerOptions(), *this, c, l) {
  if (settings.intake == "poll") return;  // nobody is expected to call
  for (const ForgeSettings& forge : settings.forges) {
    const auto dialect = dialects.find(forge.name);
    if (dialect == dialects.end()) continue;
    doors.emplace(forge.name, Door{&forge, dialect->second});
  }
}

const Door* WebhookServer::State::FindDoor(std::string_view path) const {
  if (!path.starts_with(kHookPrefix)) return nullptr;
  const auto found = doors.find(path.substr(kHookPrefix.size()));
  return found == doors.end() ? nullptr : &found->second;
}

// What can be refused without reading the body is refused here.
std::optional<WebResponse> WebhookServer::State::Screen(const WebRequest& head) {
  if (Health::Answers(head.path)) {
    if (head.method == "GET" || head.method == "HEAD") return std::nullopt;
    return TextResponse(405, "GET only");
  }
  if (FindDoor(head.path) == nullptr) return TextResponse(404, "no such page");
  if (head.method != "POST") return TextResponse(405, "POST only");
  // The signature covers the bytes that were sent; nobody here inflates anything.
  const std::string coding = ToLower(head.Header("content-encoding"));
  if (!coding.empty() && coding != "identity")
    return TextResponse(415, "no Content-Encoding, please");
  return std::nullopt;
}

WebResponse WebhookServer::State::Handle(WebRequest& request) {
  const Door* door = FindDoor(request.path);
  return door == nullptr ? health.Answer(request.path) : Receive(*door, request);
}

// The body is looked into before its signature is known only where the answer matters.
const std::string& WebhookServer::State::ChooseSecret(const Door& door, std::string_view body) {
  const ForgeSettings& forge = *door.settings;
  if (forge.repo_webhook_secrets.empty()) return forge.webhook_secret.value;
  return WebhookSecretFor(forge, door.dialect->PeekRepoPath(body)).value;
}

WebResponse WebhookServer::State::Receive(const Door& door, WebRequest& request) {
  const std::string& forge = door.settings->name;
  const std::string& secret = ChooseSecret(door, request.body);
  if (secret.empty()) {
    LogRefusal(forge, request.remote_address, "no webhook secret is configured");
    return TextResponse(401, "no webhook secret is configured");
  }
  Result<DeliveryInfo> info =
      door.dialect->Verify(request.headers, request.body, secret, clock.Now());
  if (!info.ok()) {
    const bool forged = info.error().code == ErrorCode::kUnauthenticated;
    LogRefusal(forge, request.remote_address, info.error().message);
    return TextResponse(forged ? 401 : 400, info.error().message);
  }
  if (info->event.starts_with(kOwnEvents)) {
    LogRefusal(forge, request.remote_address, "an event name that only Swage uses");
    return TextResponse(400, "no such event");
  }
  if (NestsDeeperThan(request.body, kMaxJsonDepth)) {
    LogRefusal(forge, request.remote_address, "nested too deep");
    return TextResponse(400, "the body is nested too deep");
  }
  // B1: only a row on disk is answered with 2xx.
  NewDelivery delivery{forge, std::move(info->key), std::move(info->event),
                       std::move(request.body)};
  WebResponse response;
  response.later = [this, delivery = std::move(delivery)](WebAnswer answer) mutable {
    batcher.Add(std::move(delivery), std::move(answer));
  };
  return response;
}

// A line a second at most: strangers decide how often this is called.
void WebhookServer::State::LogRefusal(std::string_view forge, std::string_view from,
                                      std::string_view why) {
  const MonotonicTime now = clock.Monotonic();
  std::int64_t due = next_refusal_line;
  const std::int64_t next = (now + kRefusalLineEvery).time_since_epoch().count();
  if (now.time_since_epoch().count() < due ||
      !next_refusal_line.compare_exchange_strong(due, next)) {
    ++refusals_unsaid;
    return;
  }
  log.Warn("delivery refused", {{"forge", forge},
                                {"from", from},
                                {"error", why},
                                {"unsaid_before", refusals_unsaid.exchange(0)}});
}

WebhookServer::WebhookServer(const Settings& settings,
                             std::map<std::string, const WebhookDialect*> dialects, Store& store,
                             Health& health, const Clock& clock, Log& log,
                             std::function<void()> on_stored)
    : state_(std::make_unique<State>(settings, dialects, store, health, clock, log,
                                     std::move(on_stored))) {}

WebhookServer::~WebhookServer() = default;

Result<void> WebhookServer::Start() {
  SWAGE_ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(state_->settings.listen));
  SWAGE_ASSIGN_OR_RETURN(Listener listener, Listen(address));
  return state_->server.Start(std::move(listener));
}

int WebhookServer::Port() const {
  return state_->server.Port();
}

void WebhookServer::Stop() {
  state_->server.Stop();
}

}  // namespace swage
