#include "pipeline/store/sqlite/queries.h"

#include "pipeline/store/sqlite/embedded.h"

namespace swage::sqlite {

const sql::QueryBook& Queries() {
  static const sql::QueryBook book{pipeline_store_sqlite::EmbeddedFile("queries.sql"),
                                   pipeline_store_sqlite::EmbeddedFile("engine.sql")};
  return book;
}

}  // namespace swage::sqlite
