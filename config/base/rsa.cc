#include "config/base/rsa.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "config/base/text.h"

namespace swage {
namespace {

template <auto kFree>
struct FreeBy {
  template <class T>
  void operator()(T* p) const {
    kFree(p);
  }
};
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using Digest = std::unique_ptr<EVP_MD_CTX, FreeBy<EVP_MD_CTX_free>>;

EVP_PKEY* Key(void* key) {
  return static_cast<EVP_PKEY*>(key);
}

const unsigned char* Bytes(std::string_view s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

// Without this OpenSSL asks the terminal.
int NoPassphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

void RsaKey::Free::operator()(void* key) const {
  EVP_PKEY_free(Key(key));
}

Result<RsaKey> RsaKey::ReadPrivate(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  SWAGE_CHECK(bio != nullptr);
  void* const read = PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr);
  ERR_clear_error();
  if (read == nullptr) {
    return MakeError(ErrorCode::kInvalid, "is no private key in PEM without a passphrase");
  }
  RsaKey key(read);
  if (EVP_PKEY_base_id(Key(read)) != EVP_PKEY_RSA) {
    return MakeError(ErrorCode::kInvalid, "is a private key, but not of RSA");
  }
  if (EVP_PKEY_bits(Key(read)) < kLeastBits) {
    return MakeError(ErrorCode::kInvalid, "is an RSA key of less than 2048 bits");
  }
  return key;
}

RsaKey RsaKey::Generate() {
  EVP_PKEY* const made = EVP_RSA_gen(kLeastBits);
  SWAGE_CHECK(made != nullptr);
  return RsaKey(made);
}

std::string RsaKey::Sign(std::string_view bytes) const {
  const Digest digest(EVP_MD_CTX_new());
  SWAGE_CHECK(digest != nullptr && EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr,
                                                      Key(key_.get())) == 1);
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_size(Key(key_.get())));
  std::string signature(size, '\0');
  SWAGE_CHECK(EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(signature.data()),
                             &size, Bytes(bytes), bytes.size()) == 1);
  signature.resize(size);
  return signature;
}

bool RsaKey::Verify(std::string_view bytes, std::string_view signature) const {
  const Digest digest(EVP_MD_CTX_new());
  SWAGE_CHECK(digest != nullptr && EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(),
                                                        nullptr, Key(key_.get())) == 1);
  const bool good = EVP_DigestVerify(digest.get(), Bytes(signature), signature.size(), Bytes(bytes),
                                     bytes.size()) == 1;
  ERR_clear_error();
  return good;
}

std::string RsaKey::PrivatePem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  SWAGE_CHECK(bio != nullptr && PEM_write_bio_PrivateKey(bio.get(), Key(key_.get()), nullptr,
                                                         nullptr, 0, nullptr, nullptr) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

std::string Base64UrlEncode(std::string_view bytes) {
  std::string text = Base64Encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

}  // namespace swage
