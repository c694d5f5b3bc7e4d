#include "pipeline/isolation/choice.h"

#include <algorithm>

#include "config/base/text.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

bool AnyMatches(const std::vector<std::string>& globs, const std::vector<std::string>& paths) {
  return std::ranges::any_of(paths, [&](const std::string& path) {
    return std::ranges::any_of(globs,
                               [&](const std::string& glob) { return GlobMatch(glob, path); });
  });
}

bool Applies(const RuleWhen& when, const Evidence& e) {
  const int touched = static_cast<int>(e.touched.size());
  const int text = static_cast<int>(e.text_bytes);
  return (when.author.empty() || when.author.contains(e.author)) &&
         (when.paths.empty() || AnyMatches(when.paths, e.paths)) &&
         (when.touches.empty() || AnyMatches(when.touches, e.touched)) &&
         std::ranges::includes(e.signs, when.signs) &&
         (!when.files_over || touched > *when.files_over) &&
         (!when.text_over || text > *when.text_over);
}

/// Something that asks for a level.
struct Demand {
  IsolationLevel level;
  bool require;
  std::string because;
};

class Weighing {
 public:
  Weighing(const Evidence& evidence, const IsolationRules& server, const IsolationRules& policy)
      : evidence_(evidence), server_(server), policy_(policy) {}

  Choice Weigh() {
    Collect();
    const IsolationLevel wanted = Highest();
    const IsolationLevel ceiling = Ceiling();
    Choice choice;
    choice.level = std::min(wanted, ceiling);
    for (const Demand& demand : demands_) {
      const bool over = demand.level > ceiling;
      if (over && demand.require && choice.refusal.empty()) {
        choice.refusal = messages::LevelAboveCeiling(demand.level, demand.because, ceiling,
                                                     ceiling == ServersCeiling());
      }
      if (demand.level >= choice.level) choice.reasons.push_back(demand.because);
    }
    if (wanted > ceiling) choice.short_of = wanted;
    return choice;
  }

 private:
  void Collect() {
    // The bounds come last: what the work itself asks for says more.
    if (server_.built_in) AddRules(BuiltInRules());
    AddRules(server_.rules);
    AddRules(policy_.rules);
    if (evidence_.asked) {
      demands_.push_back({*evidence_.asked, false, messages::LevelAskedFor(*evidence_.asked)});
    }
    if (policy_.floor) demands_.push_back({*policy_.floor, true, messages::LevelOfPolicy()});
    if (server_.floor) demands_.push_back({*server_.floor, true, messages::LevelOfServer()});
    const IsolationLevel least =
        evidence_.reads_only ? IsolationLevel::kShared : IsolationLevel::kWorktree;
    if (Highest() <= least) demands_.push_back({least, false, messages::LeastLevel(least)});
  }

  void AddRules(const std::vector<IsolationRule>& rules) {
    for (const IsolationRule& rule : rules) {
      if (Applies(rule.when, evidence_)) {
        demands_.push_back({rule.level, rule.require, rule.because});
      }
    }
  }

  IsolationLevel Highest() const {
    IsolationLevel highest = IsolationLevel::kShared;
    for (const Demand& demand : demands_) highest = std::max(highest, demand.level);
    return highest;
  }

  IsolationLevel ServersCeiling() const {
    return std::max(server_.ceiling.value_or(IsolationLevel::kContainer),
                    server_.floor.value_or(IsolationLevel::kShared));
  }
  // Never below the server's floor, whatever a policy says.
  IsolationLevel Ceiling() const {
    const IsolationLevel own = policy_.ceiling.value_or(IsolationLevel::kContainer);
    return std::max(std::min(ServersCeiling(), own),
                    server_.floor.value_or(IsolationLevel::kShared));
  }

  const Evidence& evidence_;
  const IsolationRules& server_;
  const IsolationRules& policy_;
  std::vector<Demand> demands_;
};

}  // namespace

std::set<Sign> SignsOf(const RepoPolicy& policy) {
  std::set<Sign> signs;
  if (!policy.isolation.image.empty()) signs.insert(Sign::kGateImage);
  const auto needs_network = [](const GateSpec& gate) { return gate.network; };
  if (std::ranges::any_of(policy.gates, needs_network)) signs.insert(Sign::kGateNetwork);
  return signs;
}

Choice ChooseLevel(const Evidence& evidence, const IsolationRules& server,
                   const IsolationRules& policy) {
  return Weighing(evidence, server, policy).Weigh();
}

}  // namespace swage
