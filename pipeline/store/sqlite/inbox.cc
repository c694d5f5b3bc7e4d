#include "pipeline/store/sqlite/inbox.h"

#include <map>

namespace swage::sqlite {
namespace {

Result<bool> AddDelivery(Tx& tx, const NewDelivery& delivery, WallTime received,
                         const BodyPlace& body) {
  SWAGE_ASSIGN_OR_RETURN(
      const int added, tx.db.Run("AddDelivery", delivery.forge, delivery.key, delivery.event,
                                 received, tx.engine_now, body.segment, body.position, body.size));
  return added > 0;
}

using NumberPairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

Result<NumberPairs> ReadPairs(Tx& tx, std::string_view query) {
  return tx.db.All(query, [](sql::Row& row) {
    const std::int64_t first = row.Int();
    return std::pair(first, row.Int());
  });
}

Result<void> ReplaySegments(const BodyLog& log, Tx& tx) {
  SWAGE_ASSIGN_OR_RETURN(const NumberPairs rows, ReadPairs(tx, "ListApplied"));
  std::map<std::int64_t, std::int64_t> applied(rows.begin(), rows.end());
  const auto add = [&tx](const NewDelivery& delivery, WallTime received,
                         const BodyPlace& place) -> Result<void> {
    SWAGE_RETURN_IF_ERROR(AddDelivery(tx, delivery, received, place));
    return Ok();
  };
  for (const std::int64_t segment : log.Segments()) {
    const auto known = applied.extract(segment);
    const std::int64_t from = known.empty() ? 0 : known.mapped();
    SWAGE_ASSIGN_OR_RETURN(const std::int64_t end, log.Replay(segment, from, add));
    if (end != from) SWAGE_RETURN_IF_ERROR(tx.db.Run("SetApplied", segment, end));
  }
  for (const auto& [segment, end] : applied) {
    SWAGE_RETURN_IF_ERROR(tx.db.Run("ForgetSegment", segment));
  }
  return Ok();
}

}  // namespace

Result<std::vector<bool>> AddDeliveries(Tx& tx, const std::vector<NewDelivery>& deliveries,
                                        const BodyLog::Batch& batch, WallTime received) {
  std::vector<bool> fresh;
  fresh.reserve(deliveries.size());
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    SWAGE_ASSIGN_OR_RETURN(const bool added,
                           AddDelivery(tx, deliveries[i], received, batch.places()[i]));
    fresh.push_back(added);
  }
  SWAGE_RETURN_IF_ERROR(tx.db.Run("SetApplied", batch.segment(), batch.end()));
  return fresh;
}

Result<std::unique_ptr<BodyLog>> OpenBodyLog(const std::filesystem::path& dir, Tx& tx) {
  SWAGE_ASSIGN_OR_RETURN(const std::int64_t salt, tx.db.Number("BodySalt"));
  SWAGE_ASSIGN_OR_RETURN(auto log, BodyLog::Open(dir, static_cast<std::uint64_t>(salt)));
  SWAGE_RETURN_IF_ERROR(ReplaySegments(*log, tx));
  SWAGE_ASSIGN_OR_RETURN(const NumberPairs pending, ReadPairs(tx, "CountPendingBySegment"));
  for (const auto& [segment, rows] : pending) log->Hold(segment, rows);
  return log;
}

Result<bool> AnyDeliveryToTake(sql::Connection& db, WallTime engine_now) {
  return db.Any("TakeableDeliveries", engine_now, 1);
}

Result<std::vector<PendingRow>> TakeDeliveries(Tx& tx, const TakeRequest& request) {
  const auto read = [](sql::Row& row) {
    PendingRow pending{sql::ReadDelivery(row), {}};
    pending.body = {row.Int(), row.Int(), row.Int()};
    return pending;
  };
  SWAGE_ASSIGN_OR_RETURN(std::vector<PendingRow> rows,
                         tx.db.All("TakeableDeliveries", read, tx.engine_now, request.limit));
  std::vector<PendingRow> taken;
  for (PendingRow& row : rows) {
    SWAGE_ASSIGN_OR_RETURN(const bool held, sql::HoldDelivery(tx, row.delivery.id, request));
    if (held) taken.push_back(std::move(row));
  }
  return taken;
}

Result<std::int64_t> BodySegment(Tx& tx, DeliveryId id) {
  return tx.db.Number("BodySegment", id);
}

}  // namespace swage::sqlite
