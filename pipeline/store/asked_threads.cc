#include "pipeline/store/asked_threads.h"

#include <nlohmann/json.hpp>

#include "config/base/json.h"

namespace swage {

using nlohmann::json;

std::string EncodeThreads(const std::vector<AskedThread>& threads) {
  if (threads.empty()) return {};
  json list = json::array();
  for (const AskedThread& thread : threads) {
    const DiffPlace& place = thread.place;
    list.push_back({{"comment", thread.comment_id},
                    {"author", thread.author},
                    {"thread", place.thread_id},
                    {"path", place.path},
                    {"first", place.first_line},
                    {"last", place.last_line},
                    {"old", place.old_side},
                    {"commit", place.commit.value}});
  }
  return DumpJson(list);
}

std::vector<AskedThread> DecodeThreads(std::string_view text) {
  std::vector<AskedThread> threads;
  if (text.empty()) return threads;
  const auto list = ParseJson(text);
  if (!list.ok() || !list->is_array()) return threads;
  for (const json& j : *list) {
    const DiffPlace place{JsonString(j, "thread"),
                          JsonString(j, "path"),
                          static_cast<int>(JsonInt(j, "first")),
                          static_cast<int>(JsonInt(j, "last")),
                          JsonBool(j, "old"),
                          {JsonString(j, "commit")}};
    threads.push_back({JsonString(j, "comment"), JsonString(j, "author"), place});
  }
  return threads;
}

}  // namespace swage
