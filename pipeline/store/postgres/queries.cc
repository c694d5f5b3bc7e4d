#include "pipeline/store/postgres/queries.h"

#include "pipeline/store/postgres/embedded.h"

namespace swage::postgres {

const sql::QueryBook& Queries() {
  static const sql::QueryBook book{pipeline_store_postgres::EmbeddedFile("queries.sql"),
                                   pipeline_store_postgres::EmbeddedFile("engine.sql")};
  return book;
}

}  // namespace swage::postgres
