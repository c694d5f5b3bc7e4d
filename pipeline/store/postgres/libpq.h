// What every connection to PostgreSQL needs of libpq.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace swage::postgres {

struct FinishConnection {
  void operator()(PGconn* handle) const { PQfinish(handle); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Handle = std::unique_ptr<PGconn, FinishConnection>;
using Answer = std::unique_ptr<PGresult, ClearResult>;

/// Connects; of two equal keywords the later one counts. Blocks for at most connect_timeout. What
/// comes back may be empty or not connected. Notices, which are for people at a terminal, are
/// dropped.
Handle Dial(const std::vector<std::pair<std::string, std::string>>& options);
bool IsConnected(const Handle& handle);
std::string WhyNotConnected(const Handle& handle);  ///< one line
/// Of what libpq says, without its "ERROR:  "; never empty.
std::string FirstLine(std::string_view text);

}  // namespace swage::postgres
