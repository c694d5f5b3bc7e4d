// Holds among all nodes on a database: an advisory lock of a transaction on a session of its own.
//
// A transaction's lock, not a session's, because behind pgbouncer a session is anybody's between
// two transactions. The transaction has neither a snapshot nor a number, so however long it lasts
// it holds back no vacuum. A thread asks now and then whether it is still there, which also keeps
// the server from ending it for its silence; when this process or its network is gone, that is what
// ends it.
#pragma once

#include <memory>
#include <string_view>

#include "config/base/result.h"
#include "pipeline/store/hold.h"
#include "pipeline/store/postgres/address.h"

namespace swage::postgres {

/// nullptr when another session has it. Blocks for as long as connecting takes.
Result<std::unique_ptr<Hold>> TryHold(const Address& address, std::string_view name);

}  // namespace swage::postgres
