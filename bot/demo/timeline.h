// Timeline: follows the server's events as any client could (GET /events), and hands them on in
// order.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

namespace swage::demo {

struct TimelineEvent {
  std::int64_t id = 0;
  std::int64_t task = 0;
  std::string at;    ///< RFC 3339
  std::string kind;  ///< see TimelineEntry in pipeline/store/store.h
  std::string detail;
};

/// Calls `on_event` for each entry until `stop` or until it returns false; comes back with
/// Last-Event-ID after a lost connection. Blocks.
void FollowTimeline(int dashboard_port, const std::function<bool(const TimelineEvent&)>& on_event,
                    std::stop_token stop);

}  // namespace swage::demo
