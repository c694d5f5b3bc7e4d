// IntakeGate: the one way from an event to a plan, whoever learned of the event: a webhook or a
// poll. Gathers what Decide (intake.h) has to know and asks it.
//
// Blocks on the network; one thread at a time.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "forge/forge.h"
#include "pipeline/intake.h"
#include "pipeline/publisher.h"
#include "pipeline/store/store.h"

namespace swage {

class IntakeGate {
 public:
  IntakeGate(Store& store, ForgeLookup forges, const Settings& settings);

  /// `digest`: of the delivery's body, empty for a poll; tells replays apart where nothing else
  /// does. Errors: those of the forge and the store; kInvalid for a forge that is not configured.
  Result<IntakePlan> Consider(std::string_view forge, const Event& event, std::string_view digest);

  /// As above, of what an operator asks for.
  Result<IntakePlan> ConsiderManual(const ManualRequest& request);

  const IntakeRules& Rules(std::string_view forge) const { return rules_.find(forge)->second; }
  /// The bot's account there; asked once.
  Result<Actor> Self(Forge& forge);

 private:
  Result<IntakePlan> ConsiderAltered(Forge& forge, const IssueAltered& event,
                                     std::string_view digest);
  Result<IntakePlan> ConsiderReview(Forge& forge, const ReviewSubmitted& event, IntakeFacts facts);
  Result<IntakePlan> ConsiderInteresting(Forge& forge, const Event& event, IntakeFacts facts);
  Result<IntakePlan> ConsiderAccess(Forge& forge, const AccessChanged& event);
  Result<std::int64_t> FindPullNumber(Forge& forge, const Event& event);
  /// What counts for work that may begin now.
  Result<void> GatherStart(Forge& forge, const Event& event, const Actor& actor,
                           IntakeFacts& facts);
  Result<bool> WasObeyed(const Event& event, const IntakeFacts& facts);
  Result<void> GatherPeople(const CommentCreated& event, Forge& forge, IntakeFacts& facts);
  Result<void> GatherPlace(const CommentCreated& event, Forge& forge, IntakeFacts& facts);
  Result<void> GatherIssue(Forge& forge, const RepoRef& repo, std::int64_t number,
                           IntakeFacts& facts);
  Result<void> GatherPull(Forge& forge, const RepoRef& repo, std::int64_t number,
                          const Event& event, IntakeFacts& facts);

  Store& store_;
  ForgeLookup forges_;
  std::map<std::string, IntakeRules, std::less<>> rules_;
  std::map<std::string, Actor> selves_;
};

}  // namespace swage
