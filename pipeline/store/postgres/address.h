// Address: where the database is and as whom, read from the URL of the settings.
//
// postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS as libpq understands it (postgresql:// is the
// same; ?host=/run/postgresql names a socket's folder). One option is Swage's own: pgbouncer=true.
// The password is in no message: `label` is what people read. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/result.h"

namespace swage::postgres {

struct Address {
  /// libpq's keywords and values; the password is among them.
  std::vector<std::pair<std::string, std::string>> options;
  std::string label;  ///< "database swage at db.example.com:5432 as bot"
  /// A pooler stands between that hands out sessions per transaction: no prepared statements, no
  /// session settings, no LISTEN.
  bool pgbouncer = false;
};

/// `password`, when not empty, stands in for that of the URL. Errors: kInvalid; the text is not
/// repeated in them.
Result<Address> ParseAddress(std::string_view url, std::string_view password);

}  // namespace swage::postgres
