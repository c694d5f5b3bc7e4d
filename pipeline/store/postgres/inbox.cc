#include "pipeline/store/postgres/inbox.h"

#include <set>
#include <string>
#include <utility>

#include "pipeline/store/postgres/arrays.h"

namespace swage::postgres {

Result<std::vector<bool>> AddDeliveries(sql::Tx& tx, std::optional<WallTime> engine_now,
                                        const std::vector<NewDelivery>& deliveries) {
  using Key = std::pair<std::string, std::string>;
  BinaryArray forges(kTextOid, deliveries.size());
  BinaryArray keys(kTextOid, deliveries.size());
  BinaryArray events(kTextOid, deliveries.size());
  BinaryArray bodies(kByteaOid, deliveries.size());
  std::vector<Key> wanted;
  for (const NewDelivery& delivery : deliveries) {
    const Key& key = wanted.emplace_back(CleanText(delivery.forge), CleanText(delivery.key));
    forges.Add(key.first);
    keys.Add(key.second);
    events.Add(CleanText(delivery.event));
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
