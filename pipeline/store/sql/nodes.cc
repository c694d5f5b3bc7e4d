// The processes that share the store.
#include "pipeline/store/sql/operations.h"

namespace swage::sql {

Result<void> Heartbeat(Tx& tx, const NodeInfo& node) {
  if (node.name.empty()) return MakeError(ErrorCode::kInvalid, "a node needs a name");
  SWAGE_RETURN_IF_ERROR(tx.db.Run("SaveNode", node.name, node.instance, node.host, node.roles,
                                  node.version, node.url, node.started, tx.engine_now,
                                  Names(node.levels), node.lacks));
  return Ok();
}

Result<std::vector<NodeInfo>> ListNodes(Connection& db, WallTime engine_now) {
  const auto read = [&](Row& row) {
    NodeInfo node;
    for (std::string* text :
         {&node.name, &node.instance, &node.host, &node.roles, &node.version, &node.url}) {
      *text = row.Text();
    }
    node.started = row.Time();
    node.silent_for =
        std::chrono::duration_cast<std::chrono::milliseconds>(engine_now - row.Time());
    node.running = row.Small();
    node.levels = ParseLevelSet(row.Text());
    node.lacks = row.Text();
    return node;
  };
  return db.All("ListNodes", read, engine_now, Store::kMaxNodes);
}

Result<void> ForgetNode(Tx& tx, std::string_view name, std::string_view instance) {
  SWAGE_RETURN_IF_ERROR(tx.db.Run("ForgetNode", name, instance));
  return Ok();
}

}  // namespace swage::sql
