#include "pipeline/store/postgres/inbox.h"

#include <arpa/inet.h>

#include <set>
#include <string>
#include <utility>

#include "config/base/text.h"

namespace swage::postgres {
namespace {

// Of PostgreSQL's catalog, the same in every server.
constexpr std::uint32_t kByteaOid = 17;
constexpr std::uint32_t kTextOid = 25;

/// A one-dimensional array in the protocol's binary form.
class BinaryArray {
 public:
  BinaryArray(std::uint32_t element_type, std::size_t count) {
    constexpr std::uint32_t kDimensions = 1, kHasNulls = 0, kLowerBound = 1;
    for (const std::uint32_t word :
         {kDimensions, kHasNulls, element_type, static_cast<std::uint32_t>(count), kLowerBound}) {
      AddWord(word);
    }
  }
  void Add(std::string_view element) {
    AddWord(static_cast<std::uint32_t>(element.size()));
    bytes_.append(element);
  }
  sql::Blob blob() const { return {bytes_}; }

 private:
  void AddWord(std::uint32_t word) {
    const std::uint32_t big = htonl(word);
    bytes_.append(reinterpret_cast<const char*>(&big), sizeof big);
  }
  std::string bytes_;
};

// What the server takes as text.
std::string Clean(std::string_view text) {
  return ReplaceAll(ToValidUtf8(text), std::string_view("\0", 1), "\xEF\xBF\xBD");
}

}  // namespace

Result<std::vector<bool>> AddDeliveries(sql::Tx& tx, std::optional<WallTime> engine_now,
                                        const std::vector<NewDelivery>& deliveries) {
  using Key = std::pair<std::string, std::string>;
  BinaryArray forges(kTextOid, deliveries.size());
  BinaryArray keys(kTextOid, deliveries.size());
  BinaryArray events(kTextOid, deliveries.size());
  BinaryArray bodies(kByteaOid, deliveries.size());
  std::vector<Key> wanted;
  for (const NewDelivery& delivery : deliveries) {
    const Key& key = wanted.emplace_back(Clean(delivery.forge), Clean(delivery.key));
    forges.Add(key.first);
    keys.Add(key.second);
    events.Add(Clean(delivery.event));
    bodies.Add(delivery.body);
  }
  const auto read = [](sql::Row& row) { return Key{row.Text(), row.Text()}; };
  SWAGE_ASSIGN_OR_RETURN(const std::vector<Key> added,
                         tx.db.All("AddDeliveries", read, forges.blob(), keys.blob(), events.blob(),
                                   bodies.blob(), tx.now, engine_now));
  std::set<Key> news(added.begin(), added.end());
  std::vector<bool> fresh;
  // A key that is there twice was new once.
  for (const Key& key : wanted) fresh.push_back(news.erase(key) > 0);
  return fresh;
}

Result<std::vector<Delivery>> TakeDeliveries(sql::Tx& tx, const TakeRequest& request) {
  const auto read = [](sql::Row& row) {
    Delivery delivery = sql::ReadDelivery(row);
    delivery.what.body = row.Text();
    return delivery;
  };
  SWAGE_ASSIGN_OR_RETURN(std::vector<Delivery> rows,
                         tx.db.All("TakeableDeliveries", read, tx.engine_now, request.limit));
  std::vector<Delivery> taken;
  for (Delivery& row : rows) {
    SWAGE_ASSIGN_OR_RETURN(const bool held, sql::HoldDelivery(tx, row.id, request));
    if (held) taken.push_back(std::move(row));
  }
  return taken;
}

}  // namespace swage::postgres
