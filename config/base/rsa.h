// RSA signatures with SHA-256 (RS256 of RFC 7518), over OpenSSL: how an App proves to a forge who
// it is. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "config/base/result.h"

namespace swage {

class RsaKey {
 public:
  static constexpr int kLeastBits = 2048;  ///< RFC 7518, 3.3

  /// A private key in PEM, PKCS#1 or PKCS#8, without a passphrase. Errors: kInvalid, without a word
  /// of its text.
  static Result<RsaKey> ReadPrivate(std::string_view pem);
  /// A new one; takes a moment.
  static RsaKey Generate();

  /// Raw bytes (PKCS#1 v1.5).
  std::string Sign(std::string_view bytes) const;
  /// Whether the key's other half made the signature.
  bool Verify(std::string_view bytes, std::string_view signature) const;
  std::string PrivatePem() const;  ///< PKCS#8

 private:
  struct Free {
    void operator()(void* key) const;
  };
  explicit RsaKey(void* key) : key_(key) {}

  std::unique_ptr<void, Free> key_;  ///< EVP_PKEY: OpenSSL stays out of headers
};

/// Base64 with the alphabet of URLs and without padding (RFC 7515, 2).
std::string Base64UrlEncode(std::string_view bytes);

}  // namespace swage
