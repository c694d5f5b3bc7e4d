// Decides on deliveries, and carries out effects: all that talks to a forge as an effect.
#pragma once

#include <memory>
#include <thread>

#include "bot/roles/node_role.h"
#include "config/base/wakeup.h"
#include "pipeline/intake_runner.h"
#include "pipeline/publisher.h"
#include "pipeline/publisher_threads.h"

namespace swage {

class PublisherRole final : public NodeRole {
 public:
  /// Checks git, which pushes. Errors: kInvalid.
  static Result<std::unique_ptr<PublisherRole>> Create(NodeParts parts);
  ~PublisherRole() override { Stop(); }
  std::string_view Name() const override { return kRolePublisher; }
  Result<void> Start() override;
  void BeginStop() override;
  void Stop() override;
  Result<void> Health() const override { return Ok(); }

 private:
  explicit PublisherRole(NodeParts parts);
  Result<void> GiveBackHolds();

  NodeParts parts_;
  Wakeup intake_wakeup_;
  Publisher publisher_;
  PublisherThreads publishing_;
  IntakeRunner intake_;
  std::jthread intake_thread_;
};

}  // namespace swage
