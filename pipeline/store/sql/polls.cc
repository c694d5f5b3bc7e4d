// What the polls remember, and what they ask before they trouble a forge.
#include "pipeline/store/sql/operations.h"

namespace swage::sql {
namespace {

PollMark ReadMark(Row& row) {
  return {row.Text(), row.Text(), row.Text()};
}

}  // namespace

Result<std::optional<PollMark>> GetPoll(Connection& db, std::string_view key) {
  return db.One("GetPoll", ReadMark, key);
}

Result<void> SetPoll(Tx& tx, const PollMark& mark) {
  SWAGE_RETURN_IF_ERROR(tx.db.Run("SetPoll", mark.key, mark.cursor, mark.etag, tx.now));
  return Ok();
}

Result<void> ForgetPoll(Tx& tx, std::string_view key) {
  SWAGE_RETURN_IF_ERROR(tx.db.Run("ForgetPoll", key));
  return Ok();
}

Result<std::vector<PollMark>> ListPolls(Connection& db, std::string_view prefix, int limit) {
  return db.All("ListPolls", ReadMark, prefix, limit);
}

Result<bool> IsObeyed(Connection& db, std::string_view command_key) {
  return db.Any("IsObeyed", command_key);
}

Result<bool> HasDelivery(Connection& db, std::string_view forge, std::string_view key) {
  return db.Any("HasDelivery", forge, key);
}

Result<bool> HasDeliverySince(Connection& db, std::string_view forge, WallTime since) {
  return db.Any("HasDeliverySince", forge, since);
}

Result<bool> IsByLabel(Connection& db, TaskId task) {
  return db.Any("IsByLabel", task);
}

Result<std::vector<BlockedTask>> ListBlocked(Connection& db, int limit) {
  struct Pair {
    BlockedTask of;
    std::int64_t issue = 0;
  };
  const auto read = [](Row& row) {
    return Pair{{TaskId{row.Int()}, {row.Text(), row.Text(), row.Text()}, {}}, row.Int()};
  };
  SWAGE_ASSIGN_OR_RETURN(std::vector<Pair> pairs, db.All("ListBlocked", read, limit));
  std::vector<BlockedTask> blocked;
  for (Pair& pair : pairs) {
    if (blocked.empty() || blocked.back().task != pair.of.task) {
      blocked.push_back(std::move(pair.of));
    }
    blocked.back().issues.push_back(pair.issue);
  }
  // The last one may have been cut short, and would seem to wait for less.
  if (pairs.size() == static_cast<std::size_t>(limit)) blocked.pop_back();
  return blocked;
}

Result<Starts> CountStarts(Connection& db, const RepoRef& repo, std::string_view account,
                           WallTime since) {
  Starts starts;
  SWAGE_ASSIGN_OR_RETURN(starts.in_repo, db.Number("CountRepoStarts", repo.forge, repo.id, since));
  SWAGE_ASSIGN_OR_RETURN(starts.of_account,
                         db.Number("CountAccountStarts", repo.forge, account, since));
  return starts;
}

}  // namespace swage::sql
