// The names of an enum's values as they are stored: one table, read in both directions.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "config/base/result.h"

namespace swage {

template <class E, std::size_t N>
using NameTable = std::array<std::pair<E, std::string_view>, N>;

template <class E, std::size_t N>
std::string_view NameIn(const NameTable<E, N>& table, E value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return name;
  }
  SWAGE_CHECK(false && "a value outside its enum");
}

template <class E, std::size_t N>
std::optional<E> ParseIn(const NameTable<E, N>& table, std::string_view name) {
  for (const auto& [entry, known] : table) {
    if (known == name) return entry;
  }
  return std::nullopt;
}

}  // namespace swage
