// TlsFront: speaks TLS for a plain server on this machine, with a certificate that only its own
// authority vouches for.
#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <memory>
#include <string>

#include "tests/harness/connections.h"
#include "tests/harness/self_signed.h"

namespace swage::test {

class TlsFront {
 public:
  explicit TlsFront(int target_port);

  int port() const { return connections_->port(); }
  std::string Url() const { return "https://127.0.0.1:" + std::to_string(port()); }
  /// PEM of the authority.
  const std::filesystem::path& ca_file() const { return ca_file_; }

 private:
  void Serve(int fd) const;

  const int target_port_;
  const SelfSigned identity_;
  TempDir dir_{"swage-tls-"};
  const std::filesystem::path ca_file_ = dir_.path() / "ca.pem";
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  std::unique_ptr<Connections> connections_;  // ends before what it uses
};

}  // namespace swage::test
