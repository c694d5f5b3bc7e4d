#include "pipeline/store/postgres/address.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "config/base/text.h"

namespace swage::postgres {
namespace {

constexpr std::string_view kPooler = "pgbouncer";

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

// Takes `pgbouncer=...` out of the query, because libpq refuses what it does not know.
Result<bool> TakePooler(std::string& url) {
  const std::size_t query = url.find('?');
  if (query == std::string::npos) return false;
  bool pooler = false;
  std::vector<std::string> kept;
  for (const std::string_view part : Split(std::string_view(url).substr(query + 1), '&')) {
    const std::size_t equals = std::min(part.find('='), part.size());
    if (part.substr(0, equals) != kPooler) {
      if (!part.empty()) kept.emplace_back(part);
      continue;
    }
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    if (value != "true" && value != "false") {
      return MakeError(ErrorCode::kInvalid, "pgbouncer is true or false");
    }
    pooler = value == "true";
  }
  url.resize(query);
  if (!kept.empty()) url += "?" + Join(kept, "&");
  return pooler;
}

std::string Find(const Address& address, std::string_view keyword, std::string_view fallback) {
  for (const auto& [name, value] : address.options) {
    if (name == keyword && !value.empty()) return value;
  }
  return std::string(fallback);
}

void Set(Address& address, std::string_view keyword, std::string_view value) {
  std::erase_if(address.options, [&](const auto& option) { return option.first == keyword; });
  address.options.emplace_back(keyword, value);
}

std::string Label(const Address& address) {
  const std::string host = Find(address, "host", Find(address, "hostaddr", "the local socket"));
  const std::string port = host.starts_with('/') ? "" : ":" + Find(address, "port", "5432");
  return fmt::format("database {} at {}{}{}", Find(address, "dbname", "of the user's name"), host,
                     port, " as " + Find(address, "user", "the system's user"));
}

}  // namespace

Result<Address> ParseAddress(std::string_view url, std::string_view password) {
  if (!url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
    return MakeError(ErrorCode::kInvalid, "a database's URL begins with postgres://");
  }
  std::string plain(url);
  Address address;
  SWAGE_ASSIGN_OR_RETURN(address.pgbouncer, TakePooler(plain));
  // libpq's own message is left out: it quotes the URL.
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(
      PQconninfoParse(plain.c_str(), &message));
  PQfreemem(message);
  if (parsed == nullptr) {
    return MakeError(ErrorCode::kInvalid,
                     "the database's URL cannot be read; it looks like "
                     "postgres://USER:PASSWORD@HOST/DATABASE, with special characters as %XX");
  }
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) address.options.emplace_back(option->keyword, option->val);
  }
  if (!password.empty()) Set(address, "password", password);
  address.label = Label(address);
  return address;
}

}  // namespace swage::postgres
