#include "bot/dashboard/dashboard.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "bot/assets/embedded.h"
#include "bot/dashboard/api.h"
#include "bot/dashboard/live_events.h"
#include "bot/dashboard/log_tail.h"
#include "bot/dashboard/pages.h"
#include "bot/http/http_server.h"
#include "config/address.h"
#include "config/base/files.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr int kMaxAlarms = 20;
constexpr int kPageThreads = 4;
constexpr int kMaxStreams = 32;
constexpr int kMaxStreamsPerAddress = 16;
constexpr int kMaxConnections = 256;
constexpr std::chrono::milliseconds kStreamTick{400};
constexpr int kRowsPerState = 50;
constexpr int kDeadLetters = 20;
constexpr int kTimelinePage = 200;
constexpr int kMaxTimeline = 1'000;
constexpr std::size_t kMaxLogBytes = 4 << 20;
constexpr std::size_t kMaxHandoffBytes = 4 << 20;

// No inline script or style, nothing from elsewhere, no frames, no forms (T55).
constexpr const char* kContentSecurityPolicy =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'";

HttpServerOptions ServerOptions() {
  HttpServerOptions options;
  options.threads = kPageThreads + kMaxStreams;
  options.max_connections = kMaxConnections;
  options.max_streams = kMaxStreams;
  options.max_streams_per_address = kMaxStreamsPerAddress;
  options.stream_tick = kStreamTick;
  options.limits.body_bytes = Api::kMaxBodyBytes;
  return options;
}

// "localhost:8421" -> "localhost", "[::1]:80" -> "[::1]".
std::string HostName(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon != host.npos && host.find(']', colon) == host.npos) host = host.substr(0, colon);
  return ToLower(host);
}

std::string HostOfUrl(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == url.npos) return "";
  url.remove_prefix(scheme + 3);
  return HostName(url.substr(0, url.find('/')));
}

WebResponse Page(int status, std::string html) {
  WebResponse response;
  response.status = status;
  response.body = std::move(html);
  response.content_type = "text/html; charset=utf-8";
  return response;
}

WebResponse ErrorPage(const Error& error) {
  if (error.code == ErrorCode::kNotFound) {
    return Page(404, RenderMessage("Not found", "There is nothing at this address."));
  }
  return Page(503, RenderMessage("Not now", "The database did not answer. Reload in a moment."));
}

std::optional<WebResponse> Asset(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, const char*>, 3> kTypes = {
      {{".css", "text/css; charset=utf-8"},
       {".js", "text/javascript; charset=utf-8"},
       {".svg", "image/svg+xml"}}};
  for (const auto& [suffix, type] : kTypes) {
    if (!name.ends_with(suffix)) continue;
    const std::string_view bytes = bot_assets::EmbeddedFile(name);
    if (bytes.empty()) return std::nullopt;
    WebResponse response;
    response.body = bytes;
    response.content_type = type;
    return response;
  }
  return std::nullopt;
}

// "after" of the query, or where a browser that reconnects says it was.
std::optional<std::int64_t> After(const WebRequest& request) {
  if (const auto id = ParseInt(request.Header("last-event-id"))) return id;
  for (const std::string_view pair : Split(request.query, '&')) {
    if (pair.starts_with("after=")) return ParseInt(pair.substr(6));
  }
  return std::nullopt;
}

// The loop keeps what an agent was handed beside its log: "run1-cycle2-agent.log" has a
// "run1-cycle2-prompt.log" and a "run1-cycle2-task.log". "" for anything that is no agent's log.
std::string HandoffPath(const Step& step, std::string_view what) {
  constexpr std::string_view kEnd = "-agent.log";
  std::string_view path = step.log_path;
  if (step.kind != StepKind::kAgent || !path.ends_with(kEnd)) return "";
  if (what != "prompt" && what != "task") return "";
  path.remove_suffix(kEnd.size());
  return std::string(path) + "-" + std::string(what) + ".log";
}

}  // namespace

struct Dashboard::State final : HttpHandler {
  State(const Settings& s, std::string n, Store& st, const Clock& c, Log& l,
        std::function<void()> on_stored)
      : settings(s),
        node(std::move(n)),
        store(st),
        clock(c),
        api(s, st, std::move(on_stored)),
        server(ServerOptions(), *this, c, l) {
    hosts = {"localhost", "127.0.0.1", "[::1]", HostName(s.dashboard)};
    if (!s.public_url.empty()) hosts.push_back(HostOfUrl(s.public_url));
  }

  std::optional<WebResponse> Screen(const WebRequest& head) override;
  WebResponse Handle(WebRequest& request) override;

  const Settings& settings;
  const std::string node;
  Store& store;
  const Clock& clock;
  Api api;
  std::vector<std::string> hosts;  ///< names by which people reach it, lower case
  HttpServer server;

 private:
  WebResponse Route(const WebRequest& request);
  WebResponse RouteTask(const WebRequest& request, const std::vector<std::string_view>& parts);
  Result<std::string> Index();
  Result<TaskGroup> Group(TaskGroup group, std::initializer_list<TaskState> states,
                          bool with_gates);
  Result<std::vector<DeadLetter>> DeadLetters();
  Result<std::string> TaskPage(TaskId id);
  Result<void> LoadTimeline(TaskView& view);
  Result<void> FindElsewhere(TaskView& view);
  Result<std::string> Nodes();
  Result<Step> FindStep(TaskId task, std::int64_t id);
  WebResponse StepLog(TaskId task, std::int64_t step);
  WebResponse Handoff(TaskId task, std::int64_t step, std::string_view what);
  WebResponse Events(const WebRequest& request, TaskId task);
};

// T53: a name that somebody else's DNS points here is not one of ours.
std::optional<WebResponse> Dashboard::State::Screen(const WebRequest& head) {
  const std::string host = HostName(head.Header("host"));
  if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) {
    return TextResponse(421, "this name is not served here; set public_url to use it");
  }
  if (Api::Answers(head)) return api.Screen(head);
  if (head.method != "GET" && head.method != "HEAD") return TextResponse(405, "GET only");
  return std::nullopt;
}

WebResponse Dashboard::State::Handle(WebRequest& request) {
  WebResponse response = Api::Answers(request) ? api.Handle(request) : Route(request);
  response.headers = {
      {"Content-Security-Policy", kContentSecurityPolicy},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", request.path.starts_with("/assets/") ? "no-cache" : "no-store"}};
  return response;
}

WebResponse Dashboard::State::Route(const WebRequest& request) {
  const std::vector<std::string_view> parts = Split(std::string_view(request.path).substr(1), '/');
  if (request.path == "/") {
    Result<std::string> html = Index();
    return html.ok() ? Page(200, std::move(*html)) : ErrorPage(html.error());
  }
  if (request.path == "/nodes") {
    Result<std::string> html = Nodes();
    return html.ok() ? Page(200, std::move(*html)) : ErrorPage(html.error());
  }
  if (request.path == "/events") return Events(request, TaskId{0});
  if (parts.size() == 2 && parts[0] == "assets") {
    if (std::optional<WebResponse> asset = Asset(parts[1])) return *std::move(asset);
  }
  if (parts.size() >= 2 && parts[0] == "tasks") return RouteTask(request, parts);
  return ErrorPage(MakeError(ErrorCode::kNotFound, ""));
}

WebResponse Dashboard::State::RouteTask(const WebRequest& request,
                                        const std::vector<std::string_view>& parts) {
  const WebResponse nothing = ErrorPage(MakeError(ErrorCode::kNotFound, ""));
  const std::optional<std::int64_t> number = ParseInt(parts[1]);
  if (!number || *number == 0) return nothing;
  const TaskId id{*number};
  if (parts.size() == 2) {
    Result<std::string> html = TaskPage(id);
    return html.ok() ? Page(200, std::move(*html)) : ErrorPage(html.error());
  }
  if (parts.size() == 3 && parts[2] == "events") return Events(request, id);
  const std::optional<std::int64_t> step = parts.size() > 3 ? ParseInt(parts[3]) : std::nullopt;
  if (!step) return nothing;
  if (parts.size() == 4 && parts[2] == "logs") return StepLog(id, *step);
  if (parts.size() == 5 && parts[2] == "handoff") return Handoff(id, *step, parts[4]);
  return nothing;
}

// --- pages
// -----------------------------------------------------------------------------------------------

Result<std::string> Dashboard::State::Index() {
  IndexView view;
  // Taken first: what happens while the rows are read is announced again, rather than lost.
  SWAGE_ASSIGN_OR_RETURN(view.last_event, NewestTimelineId(store, TaskId{0}));
  SWAGE_ASSIGN_OR_RETURN(
      TaskGroup human,
      Group({"Needs a human",
             "Review the pull request, or answer what it waits for.",
             "Nothing waits for you.",
             {},
             false},
            {TaskState::kWaiting, TaskState::kFailed, TaskState::kInReview}, true));
  SWAGE_ASSIGN_OR_RETURN(TaskGroup working,
                         Group({"Working",
                                "Nothing to do: Swage is at it.",
                                "No task is queued or running. Label an issue \"" +
                                    settings.trigger_label + "\" to begin one.",
                                {},
                                false},
                               {TaskState::kRunning, TaskState::kQueued}, true));
  SWAGE_ASSIGN_OR_RETURN(
      TaskGroup done,
      Group({"Done", "Merged, closed or cancelled.", "", {}, false},
            {TaskState::kMerged, TaskState::kClosed, TaskState::kCancelled}, false));
  std::sort(done.rows.begin(), done.rows.end(),
            [](const TaskRow& a, const TaskRow& b) { return a.task.updated > b.task.updated; });
  SWAGE_ASSIGN_OR_RETURN(view.paused, store.ListPaces());
  // A page without its alarms is better than none.
  if (const auto alarms = store.ListPolls(kAlarmPrefix, kMaxAlarms); alarms.ok()) {
    for (const PollMark& alarm : *alarms) view.alarms.push_back(alarm.etag);
  }
  view.groups = {std::move(human), std::move(working), std::move(done)};
  SWAGE_ASSIGN_OR_RETURN(view.dead_letters, DeadLetters());
  return RenderIndex(view, clock.Now());
}

Result<std::vector<DeadLetter>> Dashboard::State::DeadLetters() {
  std::vector<DeadLetter> letters;
  SWAGE_ASSIGN_OR_RETURN(const auto deliveries, store.ListParkedDeliveries(kDeadLetters));
  for (const ParkedDelivery& d : deliveries) {
    letters.push_back(
        {"delivery " + std::to_string(d.id.value) + " of " + d.forge + " (" + d.event + ")",
         d.outcome, TaskId{0}, d.received});
  }
  SWAGE_ASSIGN_OR_RETURN(const auto effects, store.ListFailedEffects(kDeadLetters));
  for (const FailedEffect& e : effects) {
    letters.push_back(
        {std::string(Name(e.kind)) + " for " + e.repo_path, e.error, e.task, e.failed});
  }
  std::sort(letters.begin(), letters.end(),
            [](const DeadLetter& a, const DeadLetter& b) { return a.at > b.at; });
  if (letters.size() > kDeadLetters) letters.resize(kDeadLetters);
  return letters;
}

Result<TaskGroup> Dashboard::State::Group(TaskGroup group, std::initializer_list<TaskState> states,
                                          bool with_gates) {
  for (const TaskState state : states) {
    TaskFilter filter;
    filter.state = state;
    filter.limit = kRowsPerState + 1;
    SWAGE_ASSIGN_OR_RETURN(std::vector<Task> tasks, store.ListTasks(filter));
    if (tasks.size() > kRowsPerState) {
      tasks.resize(kRowsPerState);
      group.cut = true;
    }
    for (Task& task : tasks) {
      TaskRow row{std::move(task), {}};
      if (with_gates) {
        SWAGE_ASSIGN_OR_RETURN(row.steps, store.ListSteps(row.task.id));
      }
      group.rows.push_back(std::move(row));
    }
  }
  return group;
}

Result<std::string> Dashboard::State::TaskPage(TaskId id) {
  TaskView view;
  SWAGE_ASSIGN_OR_RETURN(view.task, store.GetTask(id));
  SWAGE_RETURN_IF_ERROR(LoadTimeline(view));
  SWAGE_ASSIGN_OR_RETURN(view.steps, store.ListSteps(id));
  SWAGE_ASSIGN_OR_RETURN(view.findings, store.ListFindings(id));
  SWAGE_ASSIGN_OR_RETURN(view.levels, store.ListLevels(id));
  SWAGE_ASSIGN_OR_RETURN(view.blocked, store.ListBlockedHosts(id));
  for (const Step& step : view.steps) {
    const std::string prompt = HandoffPath(step, "prompt");
    if (!prompt.empty() && OpenBeneath(settings.data_dir, prompt).ok()) {
      view.with_handoff.insert(step.id);
    }
  }
  SWAGE_RETURN_IF_ERROR(FindElsewhere(view));
  return RenderTask(view, clock.Now());
}

Result<std::string> Dashboard::State::Nodes() {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<NodeInfo> nodes, store.ListNodes());
  return RenderNodes(nodes, node, clock.Now());
}

// Nodes may also share a disk, or one address behind a balancer: then there is nothing to link.
Result<void> Dashboard::State::FindElsewhere(TaskView& view) {
  std::optional<std::vector<NodeInfo>> nodes;
  for (const Step& step : view.steps) {
    if (step.log_path.empty() || step.node.empty() || step.node == node) continue;
    if (OpenBeneath(settings.data_dir, step.log_path).ok()) continue;
    if (!nodes) {
      SWAGE_ASSIGN_OR_RETURN(nodes, store.ListNodes());
    }
    std::string& url = view.elsewhere[step.id];
    for (const NodeInfo& other : *nodes) {
      if (other.name == step.node && other.url != settings.public_url) url = other.url;
    }
  }
  return Ok();
}

// The newest entries, at most kMaxTimeline of them.
Result<void> Dashboard::State::LoadTimeline(TaskView& view) {
  std::int64_t after = 0;
  for (;;) {
    SWAGE_ASSIGN_OR_RETURN(auto entries, store.ListTimeline(view.task.id, after, kTimelinePage));
    if (entries.empty()) return Ok();
    after = entries.back().id;
    view.timeline.insert(view.timeline.end(), entries.begin(), entries.end());
    if (view.timeline.size() <= kMaxTimeline) continue;
    view.timeline.erase(view.timeline.begin(), view.timeline.end() - kMaxTimeline);
    view.timeline_cut = true;
  }
}

// --- files
// -----------------------------------------------------------------------------------------------

Result<Step> Dashboard::State::FindStep(TaskId task, std::int64_t id) {
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Step> steps, store.ListSteps(task));
  for (const Step& step : steps) {
    if (step.id == id && !step.log_path.empty()) return step;
  }
  return MakeError(ErrorCode::kNotFound, "no such step");
}

WebResponse Dashboard::State::StepLog(TaskId task, std::int64_t step_id) {
  const Result<Step> step = FindStep(task, step_id);
  if (!step.ok()) return ErrorPage(step.error());
  Result<std::string> text = ReadLogTail(settings.data_dir, step->log_path, kMaxLogBytes);
  return text.ok() ? TextResponse(200, std::move(*text)) : ErrorPage(text.error());
}

WebResponse Dashboard::State::Handoff(TaskId task, std::int64_t step_id, std::string_view what) {
  const Result<Step> step = FindStep(task, step_id);
  if (!step.ok()) return ErrorPage(step.error());
  const std::string path = HandoffPath(*step, what);
  if (path.empty()) return ErrorPage(MakeError(ErrorCode::kNotFound, ""));
  Result<std::string> text = ReadLogTail(settings.data_dir, path, kMaxHandoffBytes);
  return text.ok() ? TextResponse(200, std::move(*text)) : ErrorPage(text.error());
}

// --- live
// ------------------------------------------------------------------------------------------------

WebResponse Dashboard::State::Events(const WebRequest& request, TaskId task) {
  if (task.value != 0) {
    if (const Result<Task> known = store.GetTask(task); !known.ok()) {
      return ErrorPage(known.error());
    }
  }
  std::optional<std::int64_t> after = After(request);
  if (!after) {
    const Result<std::int64_t> newest = NewestTimelineId(store, task);
    if (!newest.ok()) return ErrorPage(newest.error());
    after = *newest;
  }
  auto events = std::make_shared<LiveEvents>(store, clock, settings.data_dir, task, *after);
  WebResponse response;
  response.content_type = "text/event-stream";
  response.body = "retry: 2000\n\n";
  response.stream = [events](std::string& out) { return events->Write(out); };
  return response;
}

Dashboard::Dashboard(const Settings& settings, std::string node, Store& store, const Clock& clock,
                     Log& log, std::function<void()> on_stored)
    : state_(std::make_unique<State>(settings, std::move(node), store, clock, log,
                                     std::move(on_stored))) {}

Dashboard::~Dashboard() = default;

Result<void> Dashboard::Start() {
  SWAGE_ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(state_->settings.dashboard));
  SWAGE_ASSIGN_OR_RETURN(Listener listener, Listen(address));
  if (!listener.loopback) {
    return MakeError(ErrorCode::kInvalid,
                     "dashboard: " + state_->settings.dashboard +
                         " can be reached from other machines, and nobody logs in here; use "
                         "127.0.0.1 and an authenticating reverse proxy");
  }
  SWAGE_RETURN_IF_ERROR(state_->api.Start());
  return state_->server.Start(std::move(listener));
}

int Dashboard::Port() const {
  return state_->server.Port();
}

void Dashboard::Stop() {
  state_->server.Stop();
}

}  // namespace swage
