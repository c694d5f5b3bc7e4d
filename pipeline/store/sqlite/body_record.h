// One delivery as bytes of the body log: everything its row is made of, so that a row which a power
// cut took can be written again.
//
// A fixed head (sizes, time, checksums), then forge, key, event and body without gaps. The
// checksums are seeded with the database's salt and the record's place: what lies elsewhere, or was
// written for another database, is not a record. Numbers are in the machine's byte order. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "pipeline/store/store.h"

namespace swage::sqlite {

/// Where a record lies; its row keeps it.
struct BodyPlace {
  std::int64_t segment = 0;
  std::int64_t position = 0;  ///< of its first byte
  std::int64_t size = 0;      ///< of the whole record
};

/// The fixed part, as it lies on disk.
struct RecordHead {
  std::uint64_t head_sum = 0;  ///< of what follows in the head
  std::uint64_t text_sum = 0;  ///< of what follows the head
  std::int64_t received_us = 0;
  std::uint32_t forge_size = 0;
  std::uint32_t key_size = 0;
  std::uint32_t event_size = 0;
  std::uint32_t unused = 0;
  std::uint64_t body_size = 0;

  std::uint64_t TextSize() const {
    return std::uint64_t{forge_size} + key_size + event_size + body_size;
  }
};
inline constexpr std::size_t kRecordHeadBytes = 48;
static_assert(sizeof(RecordHead) == kRecordHeadBytes);

/// A fast 64-bit digest against torn and rotten bytes, not against forgers.
std::uint64_t Checksum(std::uint64_t seed, std::string_view bytes);

/// The seed of the record at `segment` and `position`.
std::uint64_t RecordSeed(std::uint64_t salt, std::int64_t segment, std::int64_t position);

std::int64_t RecordBytes(const NewDelivery& delivery);

/// Appends all of the record but the body, which must follow it.
void EncodeRecord(const NewDelivery& delivery, WallTime received, std::uint64_t seed,
                  std::string& out);

/// `bytes`: at least kRecordHeadBytes. nullopt: no record begins here.
std::optional<RecordHead> DecodeHead(std::string_view bytes, std::uint64_t seed);

/// `text`: what follows the head, TextSize() bytes. nullopt: it is not what was written.
std::optional<NewDelivery> DecodeText(const RecordHead& head, std::string_view text,
                                      std::uint64_t seed);

}  // namespace swage::sqlite
