// Arrays as parameters, so that many rows are one statement whatever their number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pipeline/store/sql/connection.h"

namespace swage::postgres {

// Of PostgreSQL's catalog, the same in every server.
inline constexpr std::uint32_t kByteaOid = 17;
inline constexpr std::uint32_t kInt8Oid = 20;
inline constexpr std::uint32_t kTextOid = 25;

/// A one-dimensional array in the protocol's binary form; exactly `count` elements are to be added.
class BinaryArray {
 public:
  BinaryArray(std::uint32_t element_type, std::size_t count);
  void Add(std::string_view element);
  void AddNumber(std::int64_t number);
  sql::Blob blob() const { return {bytes_}; }

 private:
  void AddWord(std::uint32_t word);
  std::string bytes_;
};

/// `text` as the server takes it.
std::string CleanText(std::string_view text);

}  // namespace swage::postgres
