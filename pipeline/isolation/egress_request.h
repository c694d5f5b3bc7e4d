// What a client asks of the egress proxy: RFC 9110 (CONNECT) and RFC 9112 (absolute form), read
// strictly, because whoever asks may want to be understood differently by us and by the server.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/base/result.h"

namespace swage {

struct EgressRequest {
  bool tunnel = false;  ///< CONNECT; otherwise one plain HTTP request
  std::string host;     ///< as NormalHost gives it
  int port = 0;
  /// Of a plain request: the head to send on, in origin form, without what concerns only the
  /// proxy, and with the connection ending behind the answer.
  std::string head;
  std::uint64_t body_bytes = 0;  ///< that follow it
};

/// `head` ends with the empty line. Errors: kInvalid, with a sentence for the client.
Result<EgressRequest> ParseEgressRequest(std::string_view head);

}  // namespace swage
