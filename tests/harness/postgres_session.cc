#include "tests/harness/postgres_session.h"

#include <libpq-fe.h>

#include <utility>

namespace swage::test {
namespace {

struct Finish {
  void operator()(PGconn* session) const { PQfinish(session); }
};
struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};

bool Succeeded(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

}  // namespace

struct PostgresSession::State {
  std::unique_ptr<PGconn, Finish> session;
};

PostgresSession::PostgresSession(std::string url)
    : url_(std::move(url)), state_(std::make_unique<State>()) {}

PostgresSession::~PostgresSession() = default;

Result<std::string> PostgresSession::Query(const std::string& sql) {
  PGconn* const session = [&] {
    if (state_->session == nullptr) state_->session.reset(PQconnectdb(url_.c_str()));
    return state_->session.get();
  }();
  const std::unique_ptr<PGresult, Clear> result(PQexec(session, sql.c_str()));
  if (!Succeeded(result.get())) {
    return MakeError(ErrorCode::kUnavailable, PQerrorMessage(session));
  }
  std::string rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    if (row > 0) rows += '\n';
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (column > 0) rows += '|';
      rows += PQgetvalue(result.get(), row, column);
    }
  }
  return rows;
}

}  // namespace swage::test
