// EgressProxy: the only way out for commands that have no network of their own (C14).
//
// Inside, a small program listens on 127.0.0.1 and hands the listening socket to the proxy through
// a unix socket in a directory that is bound into the cell (egress_offer.h). The proxy accepts on
// it directly, outside, where there is a network: nothing runs inside, nothing is relayed twice,
// and no name has to be resolved in there. It speaks CONNECT and plain HTTP, to hosts of the list
// only. One proxy per task; everything about it is bounded by EgressBounds.
//
// Start and the destructor are for the owner; the rest happens in threads of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "config/base/files.h"
#include "config/base/result.h"
#include "pipeline/isolation/egress.h"

namespace swage {

class HostResolver {
 public:
  virtual ~HostResolver() = default;
  /// The addresses of a name. Gives up when `stop` (a descriptor) becomes readable. Errors:
  /// kNotFound, kTimeout, kCancelled.
  virtual Result<std::vector<IpAddress>> Resolve(const std::string& host, int stop) = 0;
};

/// The system's, as getaddrinfo asks it.
std::unique_ptr<HostResolver> MakeHostResolver();

struct EgressBounds {
  std::size_t connections = 64;  ///< at once
  std::size_t listeners = 16;    ///< a new one takes the place of the oldest
  std::size_t head_bytes = 16 << 10;
  std::chrono::milliseconds head_time{10'000};                    ///< for all of the head
  std::chrono::milliseconds connect_time{10'000};                 ///< for each address
  std::chrono::milliseconds idle_time{std::chrono::minutes(15)};  ///< models think for a while
  std::chrono::milliseconds total_time{std::chrono::hours(6)};
  std::uint64_t bytes = std::uint64_t{16} << 30;  ///< of one connection, in both directions
};

struct EgressOptions {
  EgressList allowed;
  std::filesystem::path dir;  ///< private to the task; made if absent
  EgressBounds bounds = {};
};

class EgressProxy {
 public:
  static constexpr const char* kSocketName = "egress.sock";

  /// `resolver` and `record` outlive it. Errors: kInternal.
  static Result<std::unique_ptr<EgressProxy>> Start(EgressOptions options, HostResolver& resolver,
                                                    EgressRecord& record);
  /// Ends every connection.
  virtual ~EgressProxy() = default;
  /// In EgressOptions::dir, which is what a cell has bound, not the file.
  virtual const std::filesystem::path& SocketPath() const = 0;
};

}  // namespace swage
