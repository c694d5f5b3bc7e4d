#include "bot/roles/publisher_role.h"

#include <utility>

namespace swage {
namespace {

// Retries become due by the clock alone, and a worker announces only the end of its run: a status
// comment is late by at most this.
constexpr std::chrono::milliseconds kPublisherPoll{500};
constexpr std::chrono::milliseconds kIntakePoll{1'000};

}  // namespace

Result<std::unique_ptr<PublisherRole>> PublisherRole::Create(NodeParts parts) {
  SWAGE_RETURN_IF_ERROR(parts.workspaces.CheckGit());
  return std::unique_ptr<PublisherRole>(new PublisherRole(std::move(parts)));
}

PublisherRole::PublisherRole(NodeParts parts)
    : parts_(std::move(parts)),
      publisher_(parts_.store, parts_.workspaces, parts_.forges, parts_.redactor, parts_.log,
                 parts_.clock,
                 PublisherOptions{parts_.settings.public_url, parts_.settings.command_prefix,
                                  parts_.settings.trigger_label}),
      intake_(parts_.store, parts_.dialects, parts_.forges, parts_.settings, parts_.log,
              IntakeRunner::Hooks{[this] {
                                    parts_.hints.Give(HintTopic::kTasks);
                                    parts_.hints.Give(HintTopic::kEffects);
                                  },
                                  [this](TaskId task) { parts_.hints.Cancelled(task); }}) {
  parts_.hints.Subscribe(HintTopic::kDeliveries, [this] { intake_wakeup_.Signal(); });
  parts_.hints.Subscribe(HintTopic::kEffects, [this] { publisher_wakeup_.Signal(); });
}

Result<void> PublisherRole::Start() {
  publisher_thread_ = std::jthread([this](std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (publisher_.RunOnce(stop) == 0) publisher_wakeup_.Wait(stop, kPublisherPoll);
    }
  });
  intake_thread_ = std::jthread([this](std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (intake_.RunOnce(stop) == 0) intake_wakeup_.Wait(stop, kIntakePoll);
    }
  });
  return Ok();
}

void PublisherRole::BeginStop() {
  intake_thread_.request_stop();
  publisher_thread_.request_stop();
}

void PublisherRole::Stop() {
  BeginStop();
  if (intake_thread_.joinable()) intake_thread_.join();
  if (publisher_thread_.joinable()) publisher_thread_.join();
}

}  // namespace swage
