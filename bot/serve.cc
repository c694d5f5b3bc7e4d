#include "bot/serve.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/workspace/provision_choice.h"

namespace swage {
namespace {

LogLevel ParseLevel(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warn") return LogLevel::kWarn;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

// Signals that end the server reach only the one who waits for them: every thread inherits this.
sigset_t BlockEnds() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return ends;
}

Result<Settings> EffectiveSettings(const ServeOptions& options, Redactor& redactor) {
  SWAGE_ASSIGN_OR_RETURN(Settings settings, LoadSettings(options.config, redactor));
  if (!options.roles.empty()) settings.node.roles = options.roles;
  if (!options.node.empty()) settings.node.name = options.node;
  return settings;
}

int CannotStart(const Redactor& redactor, const Error& error) {
  std::fprintf(stderr, "swage: cannot start: %s\n", redactor.Apply(error.message).c_str());
  return kExitFailed;
}

Result<ProvisionWay> HowToProvision(const Settings& settings, Log& log) {
  if (!settings.node.Has(kRoleWorker)) return ProvisionWay::kPlain;  // no task runs here
  SWAGE_RETURN_IF_ERROR(MakeDirs(settings.data_dir));
  SWAGE_ASSIGN_OR_RETURN(const ProvisionChoice choice, ChooseProvision(settings));
  log.Info("workspaces", {{"provision", Name(choice.way)}, {"why", choice.why}});
  return choice.way;
}

// The line that tells people and scripts that it serves.
std::string Greeting(const Settings& settings, const Service& service) {
  std::string line = fmt::format("swage {}: ", SWAGE_VERSION);
  if (!settings.node.Has(kRoleWeb)) {
    return line + fmt::format("{}; health on port {}", Join(settings.node.roles, ", "),
                              service.WebhookPort());
  }
  return line + fmt::format("webhooks on port {}, dashboard on port {}", service.WebhookPort(),
                            service.DashboardPort());
}

}  // namespace

int RunServe(const ServeOptions& options, const Concretes& concretes) {
  // Another process of this user must not read our memory or environment (T26).
  prctl(PR_SET_DUMPABLE, 0);
  const sigset_t ends = BlockEnds();

  Redactor redactor;
  auto settings = EffectiveSettings(options, redactor);
  if (!settings.ok()) {
    std::fprintf(stderr, "%s\n", redactor.Apply(settings.error().message).c_str());
    return kExitUsage;
  }
  ForgetSecretVariables(*settings);
  Log log(ParseLevel(settings->log_level), settings->log_format, redactor);
  for (const std::string& warning : settings->warnings) log.Warn("settings", {{"text", warning}});
  const auto provision = HowToProvision(*settings, log);  // before the first thread starts
  if (!provision.ok()) return CannotStart(redactor, provision.error());
  auto service = Service::Create(*settings, concretes, *provision, redactor, log);
  if (!service.ok()) return CannotStart(redactor, service.error());
  if (auto started = (*service)->Start(); !started.ok()) {
    return CannotStart(redactor, started.error());
  }
  std::printf("%s\n", Greeting(*settings, **service).c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  log.Info("stopping", {{"signal", signal}});
  // A second signal ends the process at once: the state survives that too.
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);
  (*service)->Drain();
  (*service)->Stop();
  log.Info("stopped");
  return kExitOk;
}

}  // namespace swage
