// Hints: "look again", between the roles of one process, and from other nodes through the store.
//
// A hint saves a poll and carries nothing; every role finds its work without it. Subscribe before
// the roles start; after that Give and Cancelled are safe from any thread. What is called must not
// block.
#pragma once

#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "config/base/ids.h"
#include "pipeline/store/store.h"

namespace swage {

using HintTopic = Topic;
inline constexpr std::size_t kHintTopics = 3;

class Hints {
 public:
  void Subscribe(HintTopic topic, std::function<void()> on_hint) {
    subscribers_[static_cast<std::size_t>(topic)].push_back(std::move(on_hint));
  }
  void Give(HintTopic topic) const {
    for (const auto& on_hint : subscribers_[static_cast<std::size_t>(topic)]) on_hint();
  }
  /// The worker of this task, if it is here, should stop now.
  void SubscribeCancelled(std::function<void(TaskId)> on_cancelled) {
    cancelled_.push_back(std::move(on_cancelled));
  }
  void Cancelled(TaskId task) const {
    for (const auto& on_cancelled : cancelled_) on_cancelled(task);
  }

 private:
  std::array<std::vector<std::function<void()>>, kHintTopics> subscribers_;
  std::vector<std::function<void(TaskId)>> cancelled_;
};

}  // namespace swage
