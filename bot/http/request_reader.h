// RequestReader: turns the bytes of a stranger into requests, or into a refusal. Pure, no I/O.
//
// Why our own: a parser that shares a socket with a signature check must be stricter than a general
// one. Everything that two parsers could read in two ways is refused instead of repaired (T13,
// T14): line ends other than CRLF, folded lines, blanks before the colon, a second Content-Length
// or Host, Content-Length with Transfer-Encoding, codings other than "chunked", trailers, control
// characters. RFC 9112 allows each of these refusals; no forge sends any of them. All memory is
// bounded by HttpLimits. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "bot/http/message.h"

namespace swage {

struct HttpLimits {
  std::size_t head_bytes = 16 << 10;
  std::size_t line_bytes = 8 << 10;
  std::size_t headers = 100;
  std::size_t body_bytes = 64 << 10;
};

class RequestReader {
 public:
  enum class Progress {
    kNeedMore,  ///< feed the next bytes
    kHead,      ///< request() has everything but its body; Advance() goes on
    kComplete,  ///< request() is whole; Next() begins the one after it
    kRefused,   ///< refusal() says why; nothing more can be read from this connection
  };

  explicit RequestReader(const HttpLimits& limits) : limits_(limits) {}

  /// Takes bytes as they came from the socket.
  Progress Feed(std::string_view bytes);
  /// Goes on with the bytes it has.
  Progress Advance();
  /// Forgets the request that was complete and keeps what the client sent after it.
  void Next();

  WebRequest& request() { return request_; }
  const WebResponse& refusal() const { return refusal_; }
  /// No byte of a request is there.
  bool Idle() const { return state_ == State::kRequestLine && in_.empty(); }
  /// Bytes held for the request at hand.
  std::size_t Held() const { return in_.capacity() + request_.body.capacity(); }
  /// The client waits for "100 Continue" before it sends the body.
  bool ExpectsContinue() const { return expects_continue_ && state_ != State::kComplete; }

 private:
  enum class State {
    kRequestLine,
    kHeaderLine,
    kFixedBody,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kLastChunkEnd,
    kComplete,
    kRefused,
  };

  Progress Refuse(int status, std::string why);
  /// The next line without its CRLF, kNeedMore, or kRefused; kComplete stands for "line is set".
  Progress NextLine(std::size_t max_bytes, std::string_view& line);
  Progress ReadHead();
  Progress TakeRequestLine(std::string_view line);
  Progress TakeHeaderLine(std::string_view line);
  Progress FinishHead();
  Progress ChooseBody();
  Progress ReadFixedBody();
  Progress ReadChunks();
  Progress TakeChunkSize(std::string_view line);
  void DropConsumed();

  HttpLimits limits_;
  State state_ = State::kRequestLine;
  std::string in_;           // raw bytes
  std::size_t at_ = 0;       // in_ before this is consumed
  std::size_t scanned_ = 0;  // in_ before this holds no line end that was not consumed
  std::size_t head_size_ = 0;
  std::size_t header_lines_ = 0;
  std::size_t body_left_ = 0;  // of the fixed body or of the chunk at hand
  bool http10_ = false;
  bool expects_continue_ = false;
  WebRequest request_;
  WebResponse refusal_;
};

}  // namespace swage
