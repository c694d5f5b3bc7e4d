#include "pipeline/store/sqlite/body_record.h"

#include <array>
#include <bit>
#include <cstring>

namespace swage::sqlite {
namespace {

constexpr std::uint64_t kOdd1 = 0x9E37'79B9'7F4A'7C15;
constexpr std::uint64_t kOdd2 = 0xC2B2'AE3D'27D4'EB4F;
constexpr std::size_t kLanes = 4;  // independent, so that their multiplications overlap
constexpr std::size_t kBlock = kLanes * sizeof(std::uint64_t);
constexpr std::size_t kSumBytes = sizeof(std::uint64_t);

// One-to-one in each argument: a single changed word always changes the sum.
std::uint64_t Mix(std::uint64_t lane, std::uint64_t word) {
  return std::rotl((lane ^ word) * kOdd1, 29);
}

void MixBlock(std::array<std::uint64_t, kLanes>& lanes, const char* block) {
  for (std::uint64_t& lane : lanes) {
    std::uint64_t word = 0;
    std::memcpy(&word, block, sizeof word);
    block += sizeof word;
    lane = Mix(lane, word);
  }
}

std::uint64_t HeadSum(const RecordHead& head, std::uint64_t seed) {
  std::array<char, kRecordHeadBytes> bytes{};
  std::memcpy(bytes.data(), &head, sizeof head);
  return Checksum(seed, {bytes.data() + kSumBytes, bytes.size() - kSumBytes});
}

std::uint64_t TextSum(std::uint64_t seed, std::string_view forge, std::string_view key,
                      std::string_view event, std::string_view body) {
  for (const std::string_view part : {forge, key, event, body}) seed = Checksum(seed, part);
  return seed;
}

}  // namespace

std::uint64_t Checksum(std::uint64_t seed, std::string_view bytes) {
  std::array<std::uint64_t, kLanes> lanes{seed, seed + kOdd1, seed ^ kOdd2, seed - kOdd2};
  std::uint64_t sum = bytes.size() + seed;
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) MixBlock(lanes, bytes.data());
  if (!bytes.empty()) {
    std::array<char, kBlock> rest{};
    std::memcpy(rest.data(), bytes.data(), bytes.size());
    MixBlock(lanes, rest.data());
  }
  for (const std::uint64_t lane : lanes) sum = Mix(sum, lane);
  sum = (sum ^ (sum >> 32)) * kOdd2;
  return sum ^ (sum >> 29);
}

std::uint64_t RecordSeed(std::uint64_t salt, std::int64_t segment, std::int64_t position) {
  return Mix(Mix(salt, static_cast<std::uint64_t>(segment)), static_cast<std::uint64_t>(position));
}

std::int64_t RecordBytes(const NewDelivery& d) {
  return static_cast<std::int64_t>(kRecordHeadBytes + d.forge.size() + d.key.size() +
                                   d.event.size() + d.body.size());
}

void EncodeRecord(const NewDelivery& d, WallTime received, std::uint64_t seed, std::string& out) {
  RecordHead head;
  head.text_sum = TextSum(seed, d.forge, d.key, d.event, d.body);
  head.received_us = ToMicros(received);
  head.forge_size = static_cast<std::uint32_t>(d.forge.size());
  head.key_size = static_cast<std::uint32_t>(d.key.size());
  head.event_size = static_cast<std::uint32_t>(d.event.size());
  head.body_size = d.body.size();
  head.head_sum = HeadSum(head, seed);
  std::array<char, kRecordHeadBytes> bytes{};
  std::memcpy(bytes.data(), &head, sizeof head);
  out.append(bytes.data(), bytes.size()).append(d.forge).append(d.key).append(d.event);
}

std::optional<RecordHead> DecodeHead(std::string_view bytes, std::uint64_t seed) {
  SWAGE_CHECK(bytes.size() >= kRecordHeadBytes);
  RecordHead head;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.head_sum != HeadSum(head, seed)) return std::nullopt;
  return head;
}

std::optional<NewDelivery> DecodeText(const RecordHead& head, std::string_view text,
                                      std::uint64_t seed) {
  if (text.size() != head.TextSize()) return std::nullopt;
  const auto take = [&text](std::size_t n) {
    const std::string_view part = text.substr(0, n);
    text.remove_prefix(n);
    return part;
  };
  const std::string_view forge = take(head.forge_size);
  const std::string_view key = take(head.key_size);
  const std::string_view event = take(head.event_size);
  if (head.text_sum != TextSum(seed, forge, key, event, text)) return std::nullopt;
  return NewDelivery{std::string(forge), std::string(key), std::string(event), std::string(text)};
}

}  // namespace swage::sqlite
