// PostgresSession: one session of a test for its many small queries, where a psql for each would
// take longer than what is tested. For one thread.
#pragma once

#include <memory>
#include <string>

#include "config/base/result.h"

namespace swage::test {

class PostgresSession {
 public:
  /// Connects at the first query.
  explicit PostgresSession(std::string url);
  ~PostgresSession();

  /// Rows joined by '\n', columns by '|'. kUnavailable with what the server said.
  Result<std::string> Query(const std::string& sql);

 private:
  struct State;
  const std::string url_;
  std::unique_ptr<State> state_;
};

}  // namespace swage::test
