#include "bot/config_check.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>

#include "bot/cli.h"
#include "bot/find_program.h"
#include "config/base/clock.h"
#include "config/base/files.h"
#include "config/base/process.h"
#include "config/base/text.h"
#include "config/faults.h"
#include "config/gate_spec.h"
#include "pipeline/agent_presets.h"
#include "pipeline/workspace/commit_signer.h"

namespace swage {
namespace {

struct AgentState {
  std::string text;
  bool usable = false;
};

AgentState LookAtAgent(const AgentSettings& agent) {
  const AgentPreset* preset = FindPreset(agent.preset);
  if (preset == nullptr && agent.preset != "command") {
    std::vector<std::string> names;
    for (const AgentPreset& p : BuiltInPresets()) names.emplace_back(p.name);
    const std::string near = NearestWord(agent.preset, names);
    return {fmt::format("{}: no such preset; there are {} and command{}", agent.preset,
                        Join(names, ", "),
                        near.empty() ? "" : fmt::format("; did you mean {}?", near))};
  }
  const std::string program = preset == nullptr ? agent.command.front() : preset->argv.front();
  std::vector<std::string> folders = agent.extra_path;
  for (std::string& folder : FoldersOf(kCommandPath)) folders.push_back(std::move(folder));
  if (const auto found = FindProgram(program, folders)) {
    return {fmt::format("{}: {}", agent.preset, found->string()), true};
  }
  std::string text = fmt::format("{}: {} is not in {}", agent.preset, program, Join(folders, ":"));
  if (const auto elsewhere = FindProgram(program, OwnFolders())) {
    text += fmt::format("; your shell has it: add {} to agent.extra_path",
                        elsewhere->parent_path().string());
  } else if (preset != nullptr) {
    text += fmt::format("; to install it: {}", preset->install);
  }
  return {std::move(text)};
}

// Signs something, as every commit will be.
Result<std::string> LookAtSigningKey(const SigningKey& key) {
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  const auto processes = MakePosixProcessRunner(supervisor);
  const TempDir home("swage-check-");
  SWAGE_ASSIGN_OR_RETURN(const auto signer, MakeCommitSigner(key, home.path() / "gpg", *processes));
  return signer->KeyName();
}

std::string Row(std::string_view name, std::string_view text) {
  return fmt::format("  {:<10} {}\n", name, text);
}

std::string OrNone(const std::vector<std::string>& list) {
  return list.empty() ? "none" : Join(list, " ");
}

std::string DescribeForge(const Settings& settings, const ForgeSettings& forge) {
  std::string out =
      Row("forge", fmt::format("{} ({}) at {}", forge.name, forge.kind, forge.api_url));
  out += Row("", fmt::format("git         {}", forge.git_url));
  std::string secrets = fmt::format("secrets     token {}", forge.token.reference);
  if (settings.intake == "poll") {
    out += Row("", "webhook     none is needed: the forge is asked");
  } else {
    out += Row("", fmt::format("webhook     http://{}/hooks/{}", settings.listen, forge.name));
    secrets += fmt::format(", webhook {}", forge.webhook_secret.reference);
  }
  out += Row("", secrets);
  out += Row("", fmt::format("repos       {}", OrNone(forge.repos)));
  return out;
}

std::string DescribeGate(const GateSpec& gate) {
  return Row(
      "gate",
      fmt::format(
          "{}: {} ({}, at most {}{})", gate.name, Truncate(StripControl(Join(gate.run, " ")), 80),
          gate.required ? "required" : "advisory", FormatDuration(gate.timeout),
          gate.format == ReportFormat::kNone ? "" : fmt::format(", reads {}", Name(gate.format))));
}

}  // namespace

std::string DescribeSettings(const Settings& settings) {
  std::string out = Row("data", settings.data_dir.string());
  out += Row("webhooks", fmt::format("http://{}", settings.listen));
  out += Row("pages", fmt::format("http://{}", settings.dashboard));
  for (const ForgeSettings& forge : settings.forges) out += DescribeForge(settings, forge);
  out += Row("trigger",
             fmt::format("label {}, or {} in a comment, by {} and above", settings.trigger_label,
                         settings.command_prefix, settings.min_role));
  out += Row("agent", LookAtAgent(settings.agent).text);
  for (const GateSpec& gate : settings.gates) out += DescribeGate(gate);
  if (settings.gates.empty()) out += Row("gates", "those of each repository's .swage.yml");
  out += Row("limits", fmt::format("{} cycles, {} attempts, {} tasks at once, {} per repository",
                                   settings.max_cycles, settings.max_attempts,
                                   settings.concurrent_tasks, settings.concurrent_tasks_per_repo));
  return out;
}

int CheckConfig(const std::filesystem::path& file, const StoreLook& look_at_store,
                std::ostream& out, std::ostream& err) {
  Redactor redactor;
  const Result<Settings> settings = LoadSettings(file, redactor);
  if (!settings.ok()) {
    err << settings.error().message << "\n";
    return kExitUsage;
  }
  std::optional<Result<std::string>> key;
  if (settings->signing_key.Given()) key = LookAtSigningKey(settings->signing_key);
  if (key && !key->ok()) {
    err << key->error().message << "\n";
    return kExitUsage;
  }
  out << file.string() << " can be used:\n\n" << DescribeSettings(*settings);
  out << Row("signature", key ? **key : "none; publish.signing_key names a key");
  for (const std::string& warning : settings->warnings) out << "\nwarning: " << warning;
  if (!settings->warnings.empty()) out << "\n";
  int code = kExitOk;
  if (const AgentState agent = LookAtAgent(settings->agent); !agent.usable) {
    err << "\nthe agent cannot run: " << agent.text << "\n";
    code = kExitFailed;
  }
  if (!look_at_store) return code;
  const Result<std::string> store = look_at_store(*settings);
  if (store.ok()) {
    out << "\n" << Row("store", *store);
    return code;
  }
  err << "\nthe database cannot be used: " << redactor.Apply(store.error().message) << "\n";
  return kExitFailed;
}

}  // namespace swage
