// The statements of this engine: queries.sql, whose names every engine has, and engine.sql, which
// is PostgreSQL's own. Read once; safe for use from many threads.
#pragma once

#include "pipeline/store/sql/queries.h"

namespace swage::postgres {

const sql::QueryBook& Queries();

}  // namespace swage::postgres
