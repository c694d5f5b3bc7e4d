// `swage audit verify` and `swage audit export`: beside a running server, or without one.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

#include "bot/operator/store_access.h"

namespace swage {

struct AuditVerifyOptions {
  std::filesystem::path config;
  std::string head;   ///< SEQ:HASH that somebody noted; empty = none
  bool json = false;  ///< one object instead of sentences
};

struct AuditExportOptions {
  std::filesystem::path config;
  std::string since;  ///< "2026-03-01", "2026-03-01T12:00:00Z", or "2h" (ago); empty = the first
  std::string until;
  std::string task;   ///< a task's key; empty = all
  bool json = false;  ///< JSON Lines instead of lines for people
};

/// 0 the chain is whole; 1 it is broken, `out` says where; 2 it could not be read.
int VerifyAudit(const AuditVerifyOptions& options, const StoreAccess& access, std::ostream& out,
                std::ostream& err);
/// 0 written; 1 it could not be read to its end; 2 the options or the settings are wrong.
int ExportAudit(const AuditExportOptions& options, const StoreAccess& access, std::ostream& out,
                std::ostream& err);

}  // namespace swage
