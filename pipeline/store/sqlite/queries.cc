#include "pipeline/store/sqlite/queries.h"

#include <unordered_map>

#include "config/base/result.h"
#include "config/base/text.h"
#include "pipeline/store/sqlite/embedded.h"

namespace swage::sqlite {
namespace {

constexpr std::string_view kNameMark = "-- name:";

using QueryList = std::vector<NamedQuery>;

const QueryList& All() {
  static const QueryList all = ParseQueries(pipeline_store_sqlite::EmbeddedFile("queries.sql"));
  return all;
}

}  // namespace

QueryList ParseQueries(std::string_view text) {
  QueryList queries;
  for (const std::string_view line : SplitLines(text)) {
    if (line.starts_with(kNameMark)) {
      queries.push_back({std::string(Trim(line.substr(kNameMark.size()))), ""});
    } else if (!queries.empty() && !line.starts_with("--")) {
      queries.back().sql.append(line).push_back('\n');
    }
  }
  return queries;
}

const NamedQuery& Query(std::string_view name) {
  static const auto by_name = [] {
    std::unordered_map<std::string_view, const NamedQuery*> map;
    for (const NamedQuery& query : All()) {
      SWAGE_CHECK(map.emplace(query.name, &query).second);  // a name is there once
    }
    return map;
  }();
  const auto it = by_name.find(name);
  SWAGE_CHECK(it != by_name.end());
  return *it->second;
}

std::vector<std::string> QueryNames() {
  std::vector<std::string> names;
  for (const NamedQuery& query : All()) names.push_back(query.name);
  return names;
}

}  // namespace swage::sqlite
