// Digests, keyed digests and random names, over OpenSSL. Thread-safe; failures of the library are
// bugs.
#pragma once

#include <string>
#include <string_view>

namespace swage {

std::string Sha256(std::string_view bytes);                            ///< 32 raw bytes
std::string Sha256Hex(std::string_view bytes);                         ///< 64 characters
std::string HmacSha256(std::string_view key, std::string_view bytes);  ///< 32 raw bytes (RFC 2104)
/// Takes the same time wherever the two differ (CRYPTO_memcmp over their digests); lengths may
/// differ.
bool ConstantTimeEqual(std::string_view a, std::string_view b);
/// `bytes` bytes of the system's generator, as hex.
std::string RandomHex(std::size_t bytes);

}  // namespace swage
