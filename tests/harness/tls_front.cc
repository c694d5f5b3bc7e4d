#include "tests/harness/tls_front.h"

#include <openssl/pem.h>
#include <poll.h>

#include <array>
#include <csignal>
#include <cstdio>

#include "config/base/result.h"

namespace swage::test {
namespace {

// From the client's side to the target's; false at the end.
bool PassOn(SSL* ssl, int target) {
  std::array<char, 16'384> bytes{};
  do {
    const int n = SSL_read(ssl, bytes.data(), static_cast<int>(bytes.size()));
    if (n <= 0) return false;
    if (!SendAll(target, {bytes.data(), static_cast<std::size_t>(n)})) return false;
  } while (SSL_pending(ssl) > 0);
  return true;
}

}  // namespace

TlsFront::TlsFront(int target_port) : target_port_(target_port) {
  std::signal(SIGPIPE, SIG_IGN);  // clients hang up
  FILE* out = std::fopen(ca_file_.c_str(), "w");
  SWAGE_CHECK(out != nullptr);
  PEM_write_X509(out, identity_.certificate.get());
  std::fclose(out);
  context_.reset(SSL_CTX_new(TLS_server_method()));
  SWAGE_CHECK(SSL_CTX_use_certificate(context_.get(), identity_.certificate.get()) == 1);
  SWAGE_CHECK(SSL_CTX_use_PrivateKey(context_.get(), identity_.key.get()) == 1);
  connections_ = std::make_unique<Connections>([this](int fd) { Serve(fd); });
}

void TlsFront::Serve(int fd) const {
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), &SSL_free);
  SSL_set_fd(ssl.get(), fd);
  if (SSL_accept(ssl.get()) != 1) return;
  const Fd target = ConnectToLoopback(target_port_);
  for (bool open = target.valid(); open;) {
    std::array<pollfd, 2> waiting = {{{fd, POLLIN, 0}, {target.get(), POLLIN, 0}}};
    if (poll(waiting.data(), waiting.size(), -1) < 0) return;
    if (waiting[0].revents != 0) open = PassOn(ssl.get(), target.get());
    if (open && waiting[1].revents != 0) {
      const std::string bytes = ReceiveSome(target.get());
      open =
          !bytes.empty() && SSL_write(ssl.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
    }
  }
  SSL_shutdown(ssl.get());
}

}  // namespace swage::test
