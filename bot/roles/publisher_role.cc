#include "bot/roles/publisher_role.h"

#include <utility>

namespace swage {
namespace {

constexpr std::chrono::milliseconds kIntakePoll{1'000};

PublisherOptions OptionsOf(const Settings& settings, const std::string& node) {
  PublisherOptions options;
  options.public_url = settings.public_url;
  options.command_prefix = settings.command_prefix;
  options.triggers = TriggersFor(settings);
  options.node = node;
  options.bot = {settings.commit_name, settings.commit_email};
  for (const ForgeSettings& forge : settings.forges) {
    options.pace_rules[forge.name] = PaceRules{forge.pause};
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<PublisherRole>> PublisherRole::Create(NodeParts parts) {
  SWAGE_RETURN_IF_ERROR(parts.workspaces.CheckGit());
  return std::unique_ptr<PublisherRole>(new PublisherRole(std::move(parts)));
}

PublisherRole::PublisherRole(NodeParts parts)
    : parts_(std::move(parts)),
      publisher_(parts_.store, parts_.workspaces, parts_.forges, parts_.redactor, parts_.log,
                 parts_.clock, OptionsOf(parts_.settings, parts_.node)),
      publishing_(publisher_, parts_.settings.publishers),
      intake_(parts_.store, parts_.dialects, parts_.forges, parts_.settings, parts_.log,
              parts_.clock, parts_.node,
              IntakeRunner::Hooks{[this] {
                                    parts_.hints.Give(HintTopic::kTasks);
                                    parts_.hints.Give(HintTopic::kEffects);
                                  },
                                  [this](TaskId task) { parts_.hints.Cancelled(task); }}) {
  parts_.hints.Subscribe(HintTopic::kDeliveries, [this] { intake_wakeup_.Signal(); });
  parts_.hints.Subscribe(HintTopic::kEffects, [this] { publishing_.Wake(); });
}

Result<void> PublisherRole::Start() {
  // No other process has this name, so whoever held these is an earlier life of this node.
  SWAGE_RETURN_IF_ERROR(GiveBackHolds());
  publishing_.Start();
  intake_thread_ = std::jthread([this](std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (intake_.RunOnce(stop) == 0) intake_wakeup_.Wait(stop, kIntakePoll);
    }
  });
  return Ok();
}

void PublisherRole::BeginStop() {
  intake_thread_.request_stop();
  publishing_.BeginStop();
}

void PublisherRole::Stop() {
  BeginStop();
  if (intake_thread_.joinable()) intake_thread_.join();
  publishing_.Stop();
  // Other nodes would otherwise wait until the holds run out.
  if (const auto given = GiveBackHolds(); !given.ok()) {
    parts_.log.Warn("cannot give back what was held", {{"error", given.error().message}});
  }
}

Result<void> PublisherRole::GiveBackHolds() {
  SWAGE_RETURN_IF_ERROR(parts_.store.ReleaseEffects(parts_.node));
  return parts_.store.ReleaseDeliveries(parts_.node);
}

}  // namespace swage
