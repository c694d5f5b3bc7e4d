// sql::Connection: what the store's operations ask of an engine: run a named query, read its rows.
//
// Each engine has a file of queries under the same names (queries.sql); parameters are numbered and
// are given in that order. An operation is thereby written once and means the same on every engine.
// Arguments are not copied: they live until the call returns. A connection belongs to one thread
// at a time.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/base/clock.h"
#include "config/base/ids.h"
#include "config/base/result.h"

namespace swage::sql {

/// Bytes that are bound as such, not as text.
struct Blob {
  std::string_view bytes;
};

/// One argument of a query; refers to the caller's bytes.
struct Param {
  enum class Kind { kNull, kInt, kText, kBlob };

  static Param Of(std::string_view text) { return {Kind::kText, 0, text}; }
  static Param Of(const std::string& text) { return Of(std::string_view(text)); }
  static Param Of(const char* text) { return Of(std::string_view(text)); }
  static Param Of(const Blob& blob) { return {Kind::kBlob, 0, blob.bytes}; }
  template <std::integral T>
  static Param Of(T value) {
    return {Kind::kInt, static_cast<std::int64_t>(value), {}};
  }
  static Param Of(WallTime time) { return {Kind::kInt, ToMicros(time), {}}; }
  template <class Tag, class Rep>
  static Param Of(const StrongId<Tag, Rep>& id) {
    return Of(id.value);
  }
  template <class T>
  static Param Of(const std::optional<T>& value) {
    return value.has_value() ? Of(*value) : Param{};
  }

  Kind kind = Kind::kNull;
  std::int64_t number = 0;
  std::string_view bytes;
};

/// Reads the columns of the current row from left to right. A NULL reads as 0 or "".
class Row {
 public:
  std::int64_t Int() { return IntAt(column_++); }
  int Small() { return static_cast<int>(Int()); }
  bool Bool() { return Int() != 0; }
  std::string Text() { return std::string(BytesAt(column_++)); }
  WallTime Time() { return FromMicros(Int()); }
  std::optional<WallTime> MaybeTime() {
    if (!IsNullAt(column_)) return Time();
    ++column_;
    return std::nullopt;
  }

 protected:
  Row() = default;
  ~Row() = default;
  /// To the first column of another row.
  void Rewind() { column_ = 0; }

 private:
  virtual std::int64_t IntAt(int column) = 0;
  virtual std::string_view BytesAt(int column) = 0;
  virtual bool IsNullAt(int column) = 0;

  int column_ = 0;
};

/// Refers to a callable `bool(Row&)` that takes a row and says whether it wants another one.
class RowSink {
 public:
  template <class F>
  explicit RowSink(F& take)
      : context_(&take), call_([](void* f, Row& row) { return (*static_cast<F*>(f))(row); }) {}
  bool operator()(Row& row) const { return call_(context_, row); }

 private:
  void* context_;
  bool (*call_)(void*, Row&);
};

class Connection {
 public:
  virtual ~Connection() = default;

  /// Runs the query to its end; the number of rows it changed.
  template <class... Args>
  Result<int> Run(std::string_view query, const Args&... args) {
    auto ignore = [](Row&) { return true; };
    return Bound(query, RowSink(ignore), args...);
  }

  /// Runs the query for its effect alone. Over a network it travels with the next one that wants an
  /// answer, so its error may come with that one, or with the commit.
  template <class... Args>
  Result<void> Post(std::string_view query, const Args&... args) {
    const std::array<Param, sizeof...(Args)> params{Param::Of(args)...};
    return Send(query, params);
  }

  /// The rows, each turned into a value by `read(Row&)`.
  template <class Read, class... Args>
  auto All(std::string_view query, Read read, const Args&... args)
      -> Result<std::vector<std::invoke_result_t<Read, Row&>>> {
    std::vector<std::invoke_result_t<Read, Row&>> rows;
    auto take = [&](Row& row) {
      rows.push_back(read(row));
      return true;
    };
    SWAGE_RETURN_IF_ERROR(Bound(query, RowSink(take), args...));
    return rows;
  }

  /// The first row, if there is one.
  template <class Read, class... Args>
  auto One(std::string_view query, Read read, const Args&... args)
      -> Result<std::optional<std::invoke_result_t<Read, Row&>>> {
    std::optional<std::invoke_result_t<Read, Row&>> first;
    auto take = [&](Row& row) {
      first.emplace(read(row));
      return false;
    };
    SWAGE_RETURN_IF_ERROR(Bound(query, RowSink(take), args...));
    return first;
  }

  /// Whether the query has a row.
  template <class... Args>
  Result<bool> Any(std::string_view query, const Args&... args) {
    bool found = false;
    auto take = [&](Row&) {
      found = true;
      return false;
    };
    SWAGE_RETURN_IF_ERROR(Bound(query, RowSink(take), args...));
    return found;
  }

  /// The first column of the one row that the query has: a count, or the id that an INSERT returns.
  template <class... Args>
  Result<std::int64_t> Number(std::string_view query, const Args&... args) {
    std::int64_t number = 0;
    bool found = false;
    auto take = [&](Row& row) {
      number = row.Int();
      found = true;
      return false;
    };
    SWAGE_RETURN_IF_ERROR(Bound(query, RowSink(take), args...));
    if (!found) return MakeError(ErrorCode::kInternal, std::string(query) + " has no row");
    return number;
  }

 protected:
  /// What Post does.
  virtual Result<void> Send(std::string_view query, std::span<const Param> params) {
    auto ignore = [](Row&) { return true; };
    SWAGE_RETURN_IF_ERROR(Execute(query, params, RowSink(ignore)));
    return Ok();
  }

 private:
  /// Gives the rows to `sink` until it has enough. The number of rows that were changed, when all
  /// were taken. A statement that changes something does so whole, whatever the sink wants.
  virtual Result<int> Execute(std::string_view query, std::span<const Param> params,
                              RowSink sink) = 0;

  template <class... Args>
  Result<int> Bound(std::string_view query, RowSink sink, const Args&... args) {
    const std::array<Param, sizeof...(Args)> params{Param::Of(args)...};
    return Execute(query, params, sink);
  }
};

}  // namespace swage::sql
