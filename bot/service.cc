#include "bot/service.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "config/base/crypto.h"
#include "config/base/files.h"

namespace swage {
namespace {

// Retries become due by the clock alone, and a worker announces only the end of its run: a status
// comment is late by at most this.
constexpr std::chrono::milliseconds kPublisherPoll{500};
constexpr std::chrono::milliseconds kIntakePoll{1'000};
constexpr std::chrono::milliseconds kDrainPoll{1'000};
constexpr std::chrono::seconds kDrainWord{10};

LogLevel ParseLevel(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warn") return LogLevel::kWarn;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

// Unique per process, so that a lease of the same host's earlier process is never mistaken for
// ours.
std::string NodeName() {
  char host[256] = "node";
  gethostname(host, sizeof host - 1);
  return fmt::format("{}-{}-{}", host, getpid(), RandomHex(4));
}

std::vector<std::int64_t> Values(const std::vector<TaskId>& tasks) {
  std::vector<std::int64_t> values;
  for (const TaskId task : tasks) values.push_back(task.value);
  return values;
}

}  // namespace

Service::Service(Settings settings, Redactor& redactor, Log& log)
    : settings_(std::move(settings)), redactor_(redactor), log_(log) {}

Service::~Service() {
  Stop();
}

Result<std::unique_ptr<Service>> Service::Create(Settings settings, const Concretes& concretes,
                                                 Redactor& redactor, Log& log) {
  std::unique_ptr<Service> service(new Service(std::move(settings), redactor, log));
  SWAGE_RETURN_IF_ERROR(service->Build(concretes));
  return service;
}

Forge* Service::FindForge(std::string_view name) {
  const auto it = forges_.find(name);
  return it == forges_.end() ? nullptr : it->second.forge.get();
}

Result<void> Service::Build(const Concretes& concretes) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(settings_.data_dir));
  std::map<std::string, const WebhookDialect*> dialects;
  for (const ForgeSettings& forge : settings_.forges) {
    SWAGE_ASSIGN_OR_RETURN(ForgeParts parts, concretes.make_forge(forge, clock_));
    dialects[forge.name] = parts.dialect.get();
    forges_[forge.name] = std::move(parts);
  }
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  processes_ = MakePosixProcessRunner(supervisor);
  workspaces_ = MakeWorktreeWorkspaces(settings_.data_dir, *processes_);
  SWAGE_RETURN_IF_ERROR(workspaces_->CheckGit());
  SWAGE_ASSIGN_OR_RETURN(agent_, MakeAgent(settings_.agent, *processes_));
  SWAGE_ASSIGN_OR_RETURN(store_, concretes.open_store(settings_, clock_));

  const ForgeLookup lookup = [this](std::string_view name) { return FindForge(name); };
  publisher_ =
      std::make_unique<Publisher>(*store_, *workspaces_, lookup, redactor_, log_, clock_,
                                  PublisherOptions{settings_.public_url, settings_.command_prefix});
  scheduler_ =
      std::make_unique<Scheduler>(WorkerContext{*store_, *workspaces_, *agent_, *processes_, lookup,
                                                settings_, redactor_, log_},
                                  clock_, NodeName(), [this] {
                                    publisher_wakeup_.Signal();
                                    drain_wakeup_.Signal();
                                  });
  intake_ = std::make_unique<IntakeRunner>(
      *store_, dialects, lookup, settings_, log_,
      IntakeRunner::Hooks{[this] {
                            scheduler_->Wake();
                            publisher_wakeup_.Signal();
                          },
                          [this](TaskId task) { scheduler_->StopTask(task); }});
  webhooks_ = std::make_unique<WebhookServer>(settings_, dialects, *store_, clock_, log_,
                                              [this] { intake_wakeup_.Signal(); });
  dashboard_ = std::make_unique<Dashboard>(settings_, *store_, clock_, log_);
  return Ok();
}

Result<void> Service::TakeUp() {
  // This process alone holds the embedded store, so whoever held these leases is dead.
  SWAGE_ASSIGN_OR_RETURN(const int orphans, store_->ExpireAllLeases());
  if (orphans > 0) log_.Info("taking up tasks of an earlier process", {{"tasks", orphans}});
  if (settings_.keep_workspaces) return Ok();  // the sweep cannot tell kept from orphaned
  SWAGE_ASSIGN_OR_RETURN(const auto removed, workspaces_->SweepOrphans({}));
  if (!removed.empty())
    log_.Info("removed workspaces of an earlier process", {{"count", removed.size()}});
  return Ok();
}

Result<void> Service::Start() {
  SWAGE_RETURN_IF_ERROR(TakeUp());
  // The ports first: a server that cannot have them must not begin any work.
  SWAGE_RETURN_IF_ERROR(dashboard_->Start());
  SWAGE_RETURN_IF_ERROR(webhooks_->Start());
  publisher_thread_ = std::jthread([this](std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (publisher_->RunOnce(stop) == 0) publisher_wakeup_.Wait(stop, kPublisherPoll);
    }
  });
  intake_thread_ = std::jthread([this](std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (intake_->RunOnce(stop) == 0) intake_wakeup_.Wait(stop, kIntakePoll);
    }
  });
  scheduler_->Start();
  return Ok();
}

void Service::Drain() {
  webhooks_->SetUnready();
  scheduler_->StopClaiming();
  const MonotonicTime deadline = clock_.Monotonic() + settings_.drain_limit;
  MonotonicTime next_word{};
  while (true) {
    const std::vector<TaskId> working = scheduler_->Working();
    const MonotonicTime now = clock_.Monotonic();
    if (working.empty() || now >= deadline) return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    if (now >= next_word) {
      log_.Info("waiting for runs; a second signal ends at once",
                {{"tasks", fmt::format("{}", fmt::join(Values(working), ","))},
                 {"at_most", FormatDuration(left)}});
      next_word = now + kDrainWord;
    }
    drain_wakeup_.Wait({}, std::min(left, kDrainPoll));
  }
}

void Service::Stop() {
  if (webhooks_) webhooks_->Stop();
  for (std::jthread* thread : {&intake_thread_, &publisher_thread_}) thread->request_stop();
  if (scheduler_) scheduler_->Shutdown();
  for (std::jthread* thread : {&intake_thread_, &publisher_thread_}) {
    if (thread->joinable()) thread->join();
  }
  if (dashboard_) dashboard_->Stop();
}

int RunServe(const std::string& config_file, const Concretes& concretes) {
  // Another process of this user must not read our memory or environment (T26).
  prctl(PR_SET_DUMPABLE, 0);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends,
                  nullptr);  // inherited by every thread: only sigwait below takes them
  std::signal(SIGPIPE, SIG_IGN);

  Redactor redactor;
  auto settings = LoadSettings(config_file, redactor);
  if (!settings.ok()) {
    std::fprintf(stderr, "%s\n", redactor.Apply(settings.error().message).c_str());
    return 2;
  }
  ForgetSecretVariables(*settings);
  Log log(ParseLevel(settings->log_level), settings->log_format, redactor);
  for (const std::string& warning : settings->warnings) log.Warn("settings", {{"text", warning}});
  auto service = Service::Create(*settings, concretes, redactor, log);
  if (!service.ok()) {
    std::fprintf(stderr, "swage: cannot start: %s\n",
                 redactor.Apply(service.error().message).c_str());
    return 1;
  }
  if (auto started = (*service)->Start(); !started.ok()) {
    std::fprintf(stderr, "swage: cannot start: %s\n",
                 redactor.Apply(started.error().message).c_str());
    return 1;
  }
  std::printf("swage %s: webhooks on port %d, dashboard on port %d\n", SWAGE_VERSION,
              (*service)->WebhookPort(), (*service)->DashboardPort());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  log.Info("stopping", {{"signal", signal}});
  // A second signal ends the process at once: the state survives that too.
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
  (*service)->Drain();
  (*service)->Stop();
  log.Info("stopped");
  return 0;
}

}  // namespace swage
