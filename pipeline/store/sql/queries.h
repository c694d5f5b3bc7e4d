// QueryBook: the statements of .sql files by name. Immutable; safe for use from many threads.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace swage::sql {

struct NamedQuery {
  std::string name;
  std::string sql;
};

/// The "-- name: X" blocks of a text, in their order; comments are left out.
std::vector<NamedQuery> ParseQueries(std::string_view text);

class QueryBook {
 public:
  /// A name that is there twice is a bug and stops the program.
  QueryBook(std::initializer_list<std::string_view> texts);
  QueryBook(const QueryBook&) = delete;
  QueryBook& operator=(const QueryBook&) = delete;

  /// Lives as long as the book. An unknown name is a bug and stops the program.
  const NamedQuery& Get(std::string_view name) const;
  /// Every name, in the order of the texts.
  std::vector<std::string> Names() const;

 private:
  std::vector<NamedQuery> queries_;
  std::unordered_map<std::string_view, const NamedQuery*> by_name_;
};

}  // namespace swage::sql
