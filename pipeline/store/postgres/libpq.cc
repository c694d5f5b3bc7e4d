#include "pipeline/store/postgres/libpq.h"

#include "config/base/text.h"

namespace swage::postgres {

Handle Dial(const std::vector<std::pair<std::string, std::string>>& options) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : options) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  Handle handle(PQconnectdbParams(keywords.data(), values.data(), 0));
  if (handle != nullptr) {
    PQsetNoticeProcessor(
        handle.get(), [](void*, const char*) {}, nullptr);
  }
  return handle;
}

bool IsConnected(const Handle& handle) {
  return handle != nullptr && PQstatus(handle.get()) == CONNECTION_OK;
}

std::string WhyNotConnected(const Handle& handle) {
  return handle == nullptr ? "out of memory" : FirstLine(PQerrorMessage(handle.get()));
}

std::string FirstLine(std::string_view text) {
  std::string_view line = Trim(text.substr(0, text.find('\n')));
  for (const std::string_view word : {"ERROR:", "FATAL:"}) {
    if (const auto at = line.find(word); at != line.npos)
      line = Trim(line.substr(at + word.size()));
  }
  return line.empty() ? "no reason given" : std::string(line);
}

}  // namespace swage::postgres
