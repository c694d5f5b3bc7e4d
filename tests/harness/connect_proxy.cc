#include "tests/harness/connect_proxy.h"

#include <utility>

#include "config/base/text.h"

namespace swage::test {

void ConnectProxy::Behave(Manner manner, int status) {
  const std::lock_guard lock(mutex_);
  manner_ = manner;
  status_ = status;
}

void ConnectProxy::Require(std::string credential) {
  const std::lock_guard lock(mutex_);
  credential_ = std::move(credential);
}

std::vector<std::string> ConnectProxy::Seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

std::string ConnectProxy::Refusal(const std::string& head) const {
  const auto answer = [](int status, std::string_view header) {
    return "HTTP/1.1 " + std::to_string(status) + " No\r\n" + std::string(header) +
           "Content-Length: 3\r\n\r\nno\n";
  };
  const std::lock_guard lock(mutex_);
  if (!credential_.empty() && head.find("Basic " + Base64Encode(credential_)) == head.npos) {
    return answer(407, "Proxy-Authenticate: Basic realm=\"test\"\r\n");
  }
  if (manner_ == Manner::kRefuse || !head.starts_with("CONNECT ")) return answer(status_, "");
  return "";
}

void ConnectProxy::Serve(int fd) {
  std::string head;
  while (head.find("\r\n\r\n") == head.npos) {
    const std::string bytes = ReceiveSome(fd);
    if (bytes.empty()) return;
    head += bytes;
  }
  Manner manner;
  {
    const std::lock_guard lock(mutex_);
    seen_.push_back(head);
    manner = manner_;
  }
  if (manner == Manner::kClose) return;
  if (manner == Manner::kHang) {
    (void)ReceiveSome(fd);  // until the client goes
    return;
  }
  if (const std::string refusal = Refusal(head); !refusal.empty()) {
    SendAll(fd, refusal);
    return;
  }
  const Fd target = ConnectToLoopback(target_port_);
  if (target.valid() && SendAll(fd, "HTTP/1.1 200 Connection established\r\n\r\n")) {
    Pump(fd, target.get());
  }
}

}  // namespace swage::test
