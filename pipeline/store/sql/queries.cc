#include "pipeline/store/sql/queries.h"

#include "config/base/result.h"
#include "config/base/text.h"

namespace swage::sql {
namespace {

constexpr std::string_view kNameMark = "-- name:";

}  // namespace

std::vector<NamedQuery> ParseQueries(std::string_view text) {
  std::vector<NamedQuery> queries;
  for (const std::string_view line : SplitLines(text)) {
    if (line.starts_with(kNameMark)) {
      queries.push_back({std::string(Trim(line.substr(kNameMark.size()))), ""});
    } else if (!queries.empty() && !line.starts_with("--")) {
      queries.back().sql.append(line).push_back('\n');
    }
  }
  return queries;
}

QueryBook::QueryBook(std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) {
    for (NamedQuery& query : ParseQueries(text)) queries_.push_back(std::move(query));
  }
  for (const NamedQuery& query : queries_) {
    SWAGE_CHECK(by_name_.emplace(query.name, &query).second);
  }
}

const NamedQuery& QueryBook::Get(std::string_view name) const {
  const auto it = by_name_.find(name);
  SWAGE_CHECK(it != by_name_.end());
  return *it->second;
}

std::vector<std::string> QueryBook::Names() const {
  std::vector<std::string> names;
  for (const NamedQuery& query : queries_) names.push_back(query.name);
  return names;
}

}  // namespace swage::sql
