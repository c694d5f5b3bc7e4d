#include "config/base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "config/base/result.h"
#include "config/base/text.h"

namespace swage {
namespace {

// OpenSSL takes a null pointer for "nothing given", also where the length is zero.
const unsigned char* Bytes(std::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data() == nullptr ? "" : s.data());
}

// EVP_MAX_MD_SIZE is the size OpenSSL promises never to exceed.
struct Digest {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  std::string Str() const { return std::string(reinterpret_cast<const char*>(bytes), length); }
};

}  // namespace

std::string Sha256(std::string_view bytes) {
  Digest digest;
  SWAGE_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.bytes, &digest.length, EVP_sha256(),
                         nullptr) == 1);
  return digest.Str();
}

std::string Sha256Hex(std::string_view bytes) {
  return HexEncode(Sha256(bytes));
}

std::string HmacSha256(std::string_view key, std::string_view bytes) {
  Digest digest;
  SWAGE_CHECK(HMAC(EVP_sha256(), Bytes(key), static_cast<int>(key.size()), Bytes(bytes),
                   bytes.size(), digest.bytes, &digest.length) != nullptr);
  return digest.Str();
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  const std::string da = Sha256(a);
  const std::string db = Sha256(b);
  return CRYPTO_memcmp(da.data(), db.data(), da.size()) == 0;
}

std::string RandomHex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  SWAGE_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes)) ==
              1);
  return HexEncode(raw);
}

}  // namespace swage
