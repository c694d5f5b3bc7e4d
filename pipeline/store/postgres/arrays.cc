#include "pipeline/store/postgres/arrays.h"

#include <arpa/inet.h>

#include "config/base/text.h"

namespace swage::postgres {

BinaryArray::BinaryArray(std::uint32_t element_type, std::size_t count) {
  constexpr std::uint32_t kDimensions = 1, kHasNulls = 0, kLowerBound = 1;
  for (const std::uint32_t word :
       {kDimensions, kHasNulls, element_type, static_cast<std::uint32_t>(count), kLowerBound}) {
    AddWord(word);
  }
}

void BinaryArray::Add(std::string_view element) {
  AddWord(static_cast<std::uint32_t>(element.size()));
  bytes_.append(element);
}

void BinaryArray::AddNumber(std::int64_t number) {
  AddWord(sizeof number);
  AddWord(static_cast<std::uint32_t>(static_cast<std::uint64_t>(number) >> 32));
  AddWord(static_cast<std::uint32_t>(number));
}

void BinaryArray::AddWord(std::uint32_t word) {
  const std::uint32_t big = htonl(word);
  bytes_.append(reinterpret_cast<const char*>(&big), sizeof big);
}

std::string CleanText(std::string_view text) {
  return ReplaceAll(ToValidUtf8(text), std::string_view("\0", 1), "\xEF\xBF\xBD");
}

}  // namespace swage::postgres
