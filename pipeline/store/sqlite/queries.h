// Queries: the statements of queries.sql by name. Read once; safe for use from many threads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace swage::sqlite {

struct NamedQuery {
  std::string name;
  std::string sql;
};

/// The "-- name: X" block; it lives as long as the program. An unknown name is a bug and stops it.
const NamedQuery& Query(std::string_view name);
/// Every name, in the order of the file.
std::vector<std::string> QueryNames();

/// The blocks of a text in the form of queries.sql. Exposed for tests.
std::vector<NamedQuery> ParseQueries(std::string_view text);

}  // namespace swage::sqlite
