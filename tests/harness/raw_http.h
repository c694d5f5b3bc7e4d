// RawHttp: a client that says exactly the bytes it is told, also wrong ones, over loopback.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "config/base/files.h"

namespace swage {

class RawHttp {
 public:
  /// Connects to 127.0.0.1; Connected() says whether that worked.
  explicit RawHttp(int port);

  bool Connected() const { return fd_.valid(); }
  int LocalPort() const;
  /// False when the other side does not take the bytes.
  bool Send(std::string_view bytes);
  /// One whole answer with its head, by Content-Length; "" when none came in time.
  std::string ReadResponse(std::chrono::milliseconds patience = std::chrono::seconds(10));
  /// Everything until the other side closes; `closed` tells that it did.
  std::string ReadToEnd(bool& closed,
                        std::chrono::milliseconds patience = std::chrono::seconds(10));
  /// What comes until `needle` was seen, or the patience is over.
  std::string ReadUntil(std::string_view needle,
                        std::chrono::milliseconds patience = std::chrono::seconds(10));

 private:
  enum class Got { kBytes, kEnd, kNothing };
  Got ReadSome(std::chrono::steady_clock::time_point until);

  Fd fd_;
  std::string in_;
};

/// Sends `request` on a connection of its own and returns the answer.
std::string Exchange(int port, std::string_view request);
/// "POST PATH" with Host and Content-Length; `headers` are whole lines with their CRLF.
std::string PostRequest(std::string_view path, std::string_view headers, std::string_view body);
/// The status code of an answer; 0 when there is none.
int StatusOf(std::string_view response);

}  // namespace swage
