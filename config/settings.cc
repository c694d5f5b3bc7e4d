#include "config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "config/address.h"
#include "config/base/files.h"
#include "config/base/text.h"
#include "config/settings_table.h"

namespace swage {
namespace {

constexpr std::string_view kEnv = "env:";

// The variables that hold what only the bot may know.
std::set<std::string> BotVariables(const Settings& settings) {
  std::set<std::string> names;
  const auto add = [&](const SecretValue& secret) {
    if (secret.reference.starts_with(kEnv)) names.insert(secret.reference.substr(kEnv.size()));
  };
  add(settings.store);
  add(settings.store_password);
  for (const ForgeSettings& forge : settings.forges) {
    add(forge.token);
    add(forge.app.private_key);
    add(forge.webhook_secret);
    for (const auto& [repo, secret] : forge.repo_webhook_secrets) add(secret);
    add(forge.proxy.password);
    if (forge.proxy.of_environment && !forge.proxy.password.value.empty()) {
      names.insert(std::begin(kProxyVariables), std::end(kProxyVariables));
    }
  }
  // What single steps are granted is not for every agent.
  for (const NamedSecret& secret : settings.secrets) add(secret.value);
  for (const DatabaseSettings& database : settings.databases) add(database.admin);
  return names;
}

class Checker {
 public:
  Checker(Settings& settings, Reading& reading) : settings_(settings), reading_(reading) {}

  void Check() {
    CheckAddresses();
    if (settings_.node.roles.empty()) {
      Fault("node.roles", "names no role; leave it out for all, or write for example [worker]");
    }
    CheckAgent();
    CheckSecrets();
    CheckForges();
    CheckStore();
    CheckPorts();
    if (settings_.signing_key.Given()) {
      settings_.signing_key.where =
          fmt::format("{}:{}: publish.signing_key", settings_.source.string(),
                      reading_.LineOf("publish.signing_key", 1));
    }
    // Several nodes may well run more of one repository than each of them runs at all.
    if (settings_.store.value == "sqlite" &&
        settings_.concurrent_tasks_per_repo > settings_.concurrent_tasks &&
        reading_.lines.contains("limits.tasks_per_repo")) {
      Warn("limits.tasks_per_repo", "is more than limits.tasks, which decides");
    }
  }

 private:
  void Fault(std::string_view setting, std::string_view what) {
    reading_.faults.Add(reading_.LineOf(setting, 1), setting, what);
  }
  void Warn(std::string_view setting, std::string_view what) {
    settings_.warnings.push_back(fmt::format("{}:{}: {}: {}", settings_.source.string(),
                                             reading_.LineOf(setting, 1), setting, what));
  }

  void CheckAddresses() {
    const auto listen = ParseHostPort(settings_.listen);
    const auto dashboard = ParseHostPort(settings_.dashboard);
    if (listen.ok() && dashboard.ok() && listen->port != 0 && listen->port == dashboard->port) {
      Fault("dashboard", "has the port of listen; give it another, for example 127.0.0.1:8421");
    }
  }

  void CheckAgent() {
    AgentSettings& agent = settings_.agent;
    const bool named = reading_.lines.contains("agent.preset");
    if (!named && agent.command.empty()) {
      if (!reading_.lines.contains("agent.command")) {
        Fault("agent.preset", "is missing; name a preset, or command and your own agent.command");
      }
      return;
    }
    if (!named) agent.preset = "command";
    if (agent.name.empty()) agent.name = agent.preset;
    if (agent.preset == "command" && agent.command.empty()) {
      Fault("agent.preset",
            "is command, but agent.command is empty; write for example [my-agent, "
            "\"{prompt_file}\"]");
    }
    if (agent.preset != "command" && !agent.command.empty()) {
      Fault("agent.command", fmt::format("has no effect with the preset {}; remove one of the two",
                                         Quoted(agent.preset)));
    }
    if (!agent.command.empty() && agent.command.front().empty()) {
      Fault("agent.command", "begins with an empty word; the first one is the program");
    }
    if (agent.silence_limit > agent.time_limit && reading_.lines.contains("agent.silence_limit")) {
      Warn("agent.silence_limit", "is longer than agent.time_limit, which comes first");
    }
  }

  // The agent must never hold what signs for the bot, also not by another name (T25).
  void CheckSecrets() {
    const std::set<std::string> own = BotVariables(settings_);
    std::set<std::string> values = {settings_.store_password.value};
    if (settings_.store.value != "sqlite") values.insert(settings_.store.value);
    for (const ForgeSettings& forge : settings_.forges) {
      values.insert(forge.token.value);
      values.insert(forge.app.private_key.value);
      values.insert(forge.webhook_secret.value);
      // The environment's own is told by its variables.
      if (!forge.proxy.of_environment) values.insert(forge.proxy.password.value);
      for (const auto& [repo, secret] : forge.repo_webhook_secrets) values.insert(secret.value);
    }
    for (const DatabaseSettings& database : settings_.databases) {
      values.insert(database.admin.value);
    }
    values.erase("");
    for (std::size_t i = 0; i < settings_.secrets.size(); ++i) {
      if (!values.contains(settings_.secrets[i].value.value)) continue;
      Fault(fmt::format("secrets[{}].value", i), "is a secret of the bot; no task must get it");
    }
    for (const std::string& name : settings_.agent.pass_env) {
      const char* set = std::getenv(name.c_str());
      const std::string_view value = set == nullptr ? "" : set;
      const bool holds_one = std::ranges::any_of(
          values, [&](const std::string& secret) { return value.find(secret) != value.npos; });
      if (own.contains(name) || holds_one) {
        Fault("agent.pass_env",
              fmt::format("{} holds a secret of the bot; the agent must not get it", name));
      }
    }
    for (const auto& [name, secret] : settings_.agent.secrets) {
      if (values.contains(secret.value)) {
        Fault("agent.secrets." + name, "is a secret of the bot; the agent must not get it");
      }
    }
  }

  void CheckForges() {
    for (std::size_t i = 0; i < settings_.forges.size(); ++i) {
      const ForgeSettings& forge = settings_.forges[i];
      const std::string at = fmt::format("forges[{}]", i);
      if (forge.repos.empty()) {
        const std::string setting = at + ".repos";
        settings_.warnings.push_back(
            fmt::format("{}:{}: {}: is empty, so no repository may be worked on; write for example "
                        "[\"acme/*\"]",
                        settings_.source.string(),
                        reading_.LineOf(setting, reading_.LineOf("forges", 1)), setting));
      }
      const std::string secret = at + ".webhook_secret";
      if (settings_.intake != "poll" && !reading_.lines.contains(secret)) {
        reading_.faults.Add(reading_.LineOf(at, reading_.LineOf("forges", 1)), secret,
                            "is missing; write for example file:/etc/swage/webhook-secret, or "
                            "intake: poll for a server without webhooks");
      }
      if (!forge.token.value.empty() && forge.token.value == forge.webhook_secret.value) {
        Fault(at + ".webhook_secret", "is the token; everybody who signs webhooks would hold it");
      }
    }
  }

  void CheckPorts() {
    const PortSettings& ports = settings_.ports;
    if (ports.per_task == 0) return;
    const int room = (ports.last - ports.first + 1) / ports.per_task;
    if (room >= settings_.concurrent_tasks) return;
    Fault("ports.last", fmt::format("leaves room for {} blocks of {} ports, but {} tasks may run "
                                    "at once; widen the range or lower ports.per_task",
                                    std::max(room, 0), ports.per_task, settings_.concurrent_tasks));
  }

  void CheckStore() {
    if (settings_.store.value != "sqlite") return;
    for (const char* setting : {"store_password", "store_pgbouncer"}) {
      if (reading_.lines.contains(setting)) Warn(setting, "has no effect: store is sqlite");
    }
  }

  Settings& settings_;
  Reading& reading_;
};

}  // namespace

bool NodeSettings::Has(std::string_view role) const {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

Result<Settings> LoadSettings(const std::filesystem::path& file, Redactor& redactor) {
  Result<std::string> text = ReadFile(file, kMaxYamlBytes);
  if (!text.ok()) return text.error().With("cannot read the settings");
  Faults faults(file.string());
  Settings settings;
  settings.source = file;
  std::error_code ignored;
  Reading reading{.faults = faults,
                  .folder = std::filesystem::absolute(file, ignored).parent_path(),
                  .redactor = &redactor,
                  .lines = {}};
  const std::optional<YamlNode> root = ParseYaml(*text, faults);
  if (root) {
    ReadSettings(*root, ServerTable(), "", settings, reading);
    Checker(settings, reading).Check();
  }
  if (!faults.empty()) return faults.ToError();
  return settings;
}

void ForgetSecretVariables(const Settings& settings) {
  std::set<std::string> names = BotVariables(settings);
  for (const auto& [name, secret] : settings.agent.secrets) {
    if (secret.reference.starts_with(kEnv)) names.insert(secret.reference.substr(kEnv.size()));
  }
  for (const std::string& name : names) {
    // unsetenv alone leaves the bytes where the kernel shows them.
    if (char* value = std::getenv(name.c_str())) explicit_bzero(value, std::strlen(value));
    unsetenv(name.c_str());
  }
}

}  // namespace swage
