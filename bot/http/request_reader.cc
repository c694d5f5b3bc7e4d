#include "bot/http/request_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "config/base/text.h"

namespace swage {
namespace {

using Progress = RequestReader::Progress;

// A chunk's size line: 8 hexadecimal digits and no extension worth reading.
constexpr std::size_t kMaxChunkLine = 256;
// Below this the body's memory is taken at once; above it grows with what really arrives.
constexpr std::size_t kTrustedLength = 64 << 10;

// RFC 9110, 5.6.2: token.
bool IsTokenChar(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool IsToken(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), IsTokenChar);
}
bool IsTargetChar(char c) {
  return c > 0x20 && c < 0x7F;
}
// Visible characters, blanks, tabs and bytes above ASCII (RFC 9110, 5.5).
bool IsValueChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

std::string_view TrimBlanks(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// An encoded NUL, CR or LF in a path is meant for somebody who decodes it carelessly.
bool HasEncodedControl(std::string_view path) {
  for (std::size_t i = path.find('%'); i != path.npos; i = path.find('%', i + 1)) {
    const std::optional<std::string> byte = HexDecode(path.substr(i + 1, 2));
    if (!byte || byte->size() != 1 || static_cast<unsigned char>(byte->front()) < 0x20) return true;
  }
  return false;
}

}  // namespace

Progress RequestReader::Feed(std::string_view bytes) {
  in_ += bytes;
  return Advance();
}

Progress RequestReader::Advance() {
  switch (state_) {
    case State::kRequestLine:
    case State::kHeaderLine:
      return ReadHead();
    case State::kFixedBody:
      return ReadFixedBody();
    case State::kChunkSize:
    case State::kChunkData:
    case State::kChunkEnd:
    case State::kLastChunkEnd:
      return ReadChunks();
    case State::kComplete:
      return Progress::kComplete;
    case State::kRefused:
      return Progress::kRefused;
  }
  return Progress::kRefused;
}

void RequestReader::Next() {
  DropConsumed();
  if (in_.capacity() > kTrustedLength && in_.size() < kTrustedLength) in_.shrink_to_fit();
  state_ = State::kRequestLine;
  head_size_ = header_lines_ = body_left_ = 0;
  http10_ = expects_continue_ = false;
  request_ = WebRequest();
}

Progress RequestReader::Refuse(int status, std::string why) {
  state_ = State::kRefused;
  refusal_ = TextResponse(status, std::move(why));
  in_ = std::string();
  request_.body = std::string();
  at_ = scanned_ = 0;
  return Progress::kRefused;
}

void RequestReader::DropConsumed() {
  in_.erase(0, at_);
  scanned_ -= std::min(scanned_, at_);
  at_ = 0;
}

Progress RequestReader::NextLine(std::size_t max_bytes, std::string_view& line) {
  scanned_ = std::max(scanned_, at_);
  const std::size_t end = in_.find('\n', scanned_);
  const std::size_t size = (end == in_.npos ? in_.size() : end) - at_;
  if (size > max_bytes) return Refuse(431, "a line is too long");
  if (end == in_.npos) {
    scanned_ = in_.size();
    return Progress::kNeedMore;
  }
  if (size == 0 || in_[end - 1] != '\r') return Refuse(400, "a line does not end with CRLF");
  line = std::string_view(in_).substr(at_, size - 1);
  at_ = scanned_ = end + 1;
  return Progress::kComplete;
}

Progress RequestReader::ReadHead() {
  for (;;) {
    std::string_view line;
    const std::size_t begin = at_;
    Progress progress = NextLine(limits_.line_bytes, line);
    if (progress == Progress::kRefused) return progress;
    head_size_ += at_ - begin;
    const bool partial = progress == Progress::kNeedMore;
    if (head_size_ + (partial ? in_.size() - at_ : 0) > limits_.head_bytes) {
      return Refuse(431, "the head is too large");
    }
    if (partial) return progress;
    if (state_ == State::kRequestLine) {
      progress = TakeRequestLine(line);
    } else if (!line.empty()) {
      progress = TakeHeaderLine(line);
    } else {
      return FinishHead();
    }
    if (progress == Progress::kRefused) return progress;
  }
}

Progress RequestReader::TakeRequestLine(std::string_view line) {
  const std::vector<std::string_view> parts = Split(line, ' ');
  if (parts.size() != 3 || !IsToken(parts[0])) return Refuse(400, "malformed request line");
  const std::string_view target = parts[1];
  const std::string_view version = parts[2];
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Refuse(version.starts_with("HTTP/") ? 505 : 400, "HTTP/1.1 is spoken here");
  }
  if (!target.starts_with('/') || !std::all_of(target.begin(), target.end(), IsTargetChar)) {
    return Refuse(400, "the request target must be a path");
  }
  const std::size_t query = target.find('?');
  request_.method = parts[0];
  request_.path = target.substr(0, query);
  if (query != target.npos) request_.query = target.substr(query + 1);
  if (HasEncodedControl(request_.path)) return Refuse(400, "malformed escape in the path");
  http10_ = version == "HTTP/1.0";
  request_.keep_alive = !http10_;
  state_ = State::kHeaderLine;
  return Progress::kNeedMore;
}

Progress RequestReader::TakeHeaderLine(std::string_view line) {
  if (++header_lines_ > limits_.headers) return Refuse(431, "too many headers");
  const std::size_t colon = line.find(':');
  // A leading blank (a folded line) and a blank before the colon both fail the token test.
  if (colon == line.npos || !IsToken(line.substr(0, colon))) {
    return Refuse(400, "malformed header name");
  }
  const std::string_view value = TrimBlanks(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), IsValueChar)) {
    return Refuse(400, "control character in a header");
  }
  const auto [at, fresh] = request_.headers.try_emplace(ToLower(line.substr(0, colon)), value);
  if (!fresh) (at->second += '\n') += value;
  return Progress::kNeedMore;
}

Progress RequestReader::FinishHead() {
  const std::string_view host = request_.Header("host");
  if (host.find('\n') != host.npos || (host.empty() && !http10_)) {
    return Refuse(400, "exactly one Host header is needed");
  }
  const std::string connection = ToLower(request_.Header("connection"));
  if (connection.find("close") != connection.npos) request_.keep_alive = false;
  const std::string_view expect = request_.Header("expect");
  if (!expect.empty() && !EqualsIgnoreCase(expect, "100-continue")) {
    return Refuse(417, "unknown expectation");
  }
  const Progress progress = ChooseBody();
  if (progress == Progress::kRefused) return progress;
  expects_continue_ = !expect.empty() && !http10_;
  return Progress::kHead;
}

Progress RequestReader::ChooseBody() {
  const auto length = request_.headers.find("content-length");
  const auto coding = request_.headers.find("transfer-encoding");
  if (coding != request_.headers.end()) {
    if (length != request_.headers.end()) {
      return Refuse(400, "Content-Length together with Transfer-Encoding");
    }
    if (http10_ || !EqualsIgnoreCase(coding->second, "chunked")) {
      return Refuse(400, "unsupported Transfer-Encoding");
    }
    state_ = State::kChunkSize;
    return Progress::kHead;
  }
  state_ = State::kFixedBody;
  if (length == request_.headers.end()) return Progress::kHead;
  const std::optional<std::int64_t> size = ParseInt(length->second);
  if (!size) return Refuse(400, "malformed or repeated Content-Length");
  if (static_cast<std::uint64_t>(*size) > limits_.body_bytes) {
    return Refuse(413, "the body is too large");
  }
  body_left_ = static_cast<std::size_t>(*size);
  request_.body.reserve(std::min(body_left_, kTrustedLength));
  return Progress::kHead;
}

Progress RequestReader::ReadFixedBody() {
  const std::size_t size = std::min(body_left_, in_.size() - at_);
  request_.body.append(in_, at_, size);
  at_ += size;
  body_left_ -= size;
  if (body_left_ == 0) {
    state_ = State::kComplete;
    return Progress::kComplete;
  }
  DropConsumed();
  return Progress::kNeedMore;
}

Progress RequestReader::ReadChunks() {
  for (;;) {
    if (state_ == State::kChunkData) {
      const std::size_t size = std::min(body_left_, in_.size() - at_);
      request_.body.append(in_, at_, size);
      at_ += size;
      body_left_ -= size;
      if (body_left_ > 0) {
        DropConsumed();
        return Progress::kNeedMore;
      }
      state_ = State::kChunkEnd;
    }
    std::string_view line;
    const Progress progress = NextLine(kMaxChunkLine, line);
    if (progress == Progress::kRefused) return Refuse(400, "malformed chunk");
    if (progress == Progress::kNeedMore) {
      DropConsumed();
      return progress;
    }
    if (state_ == State::kChunkSize) {
      if (TakeChunkSize(line) == Progress::kRefused) return Progress::kRefused;
      continue;
    }
    if (!line.empty()) return Refuse(400, "malformed chunk, or trailers");
    if (state_ == State::kLastChunkEnd) {
      state_ = State::kComplete;
      return Progress::kComplete;
    }
    state_ = State::kChunkSize;
  }
}

Progress RequestReader::TakeChunkSize(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  std::uint32_t size = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, size, 16);
  if (error != std::errc() || stop != end) return Refuse(400, "malformed chunk size");
  if (size > limits_.body_bytes - request_.body.size()) {
    return Refuse(413, "the body is too large");
  }
  body_left_ = size;
  state_ = size == 0 ? State::kLastChunkEnd : State::kChunkData;
  return Progress::kNeedMore;
}

}  // namespace swage
