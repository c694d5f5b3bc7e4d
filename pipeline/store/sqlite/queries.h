// The statements of this engine: queries.sql, whose names every engine has, and engine.sql, which
// is SQLite's own. Read once; safe for use from many threads.
#pragma once

#include "pipeline/store/sql/queries.h"

namespace swage::sqlite {

const sql::QueryBook& Queries();

}  // namespace swage::sqlite
