#include "bot/demo/timeline.h"

#include <httplib.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "config/base/json.h"
#include "config/base/text.h"

namespace swage::demo {
namespace {

constexpr auto kReconnectDelay = std::chrono::milliseconds(200);
constexpr std::size_t kMaxBuffered = 1 << 20;

// Takes whole events off the front of `buffer`; returns false when the listener has had enough.
bool Drain(std::string& buffer, std::int64_t& last_id,
           const std::function<bool(const TimelineEvent&)>& on_event) {
  for (std::size_t end = buffer.find("\n\n"); end != std::string::npos; end = buffer.find("\n\n")) {
    const std::string event = buffer.substr(0, end);
    buffer.erase(0, end + 2);
    for (const std::string_view line : SplitLines(event)) {
      if (!line.starts_with("data:")) continue;
      const auto data = ParseJson(Trim(line.substr(5)));
      if (!data.ok()) continue;
      TimelineEvent entry{JsonInt(*data, "id"), JsonInt(*data, "task"), JsonString(*data, "at"),
                          JsonString(*data, "kind"), JsonString(*data, "detail")};
      if (entry.id <= last_id) continue;
      last_id = entry.id;
      if (!on_event(entry)) return false;
    }
  }
  return buffer.size() < kMaxBuffered;
}

}  // namespace

void FollowTimeline(int dashboard_port, const std::function<bool(const TimelineEvent&)>& on_event,
                    std::stop_token stop) {
  std::int64_t last_id = 0;
  bool wanted = true;
  while (wanted && !stop.stop_requested()) {
    httplib::Client client("127.0.0.1", dashboard_port);
    const std::stop_callback hang_up(stop, [&] { client.stop(); });
    std::string buffer;
    client.Get("/events", {{"Last-Event-ID", std::to_string(last_id)}},
               [&](const char* data, std::size_t size) {
                 buffer.append(data, size);
                 wanted = Drain(buffer, last_id, on_event);
                 return wanted && !stop.stop_requested();
               });
    if (wanted && !stop.stop_requested()) std::this_thread::sleep_for(kReconnectDelay);
  }
}

}  // namespace swage::demo
