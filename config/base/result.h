// Result<T>: a value or the reason why there is none.
//
// Every expected failure (bad input, a forge that is down, a lost lease) travels as an Error; a
// broken invariant of our own stops the program (SWAGE_CHECK). Exceptions of third-party libraries
// are caught in the adapter that called them. Values are plain data: safe to move between threads.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace swage {

/// What a caller may do about a failure; the sentence is in Error::message.
enum class ErrorCode {
  kInvalid,          ///< the input is wrong and stays wrong
  kNotFound,         ///< the thing does not exist (or may not be seen)
  kConflict,         ///< it exists already, or its state forbids the act
  kDenied,           ///< authenticated, but not allowed
  kUnauthenticated,  ///< the credential is missing or refused
  kRateLimited,      ///< come back after Error::retry_after
  kUnavailable,      ///< the other side failed; a retry may help
  kTimeout,          ///< no answer in time; the outcome is unknown
  kLeaseLost,        ///< another epoch owns the task: stop and touch nothing
  kTooLarge,         ///< a bound was exceeded
  kCancelled,        ///< somebody asked to stop
  kInternal,         ///< a local failure: disk, memory, a child process
};

std::string_view ErrorCodeName(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  ///< one sentence without a secret, no trailing period
  /// With kRateLimited and kUnavailable: how long the other side asked us to wait; zero = it did
  /// not.
  std::chrono::milliseconds retry_after{0};

  /// The same error with "context: " before its message; each layer adds its own once.
  Error With(std::string_view context) const;
};

inline Error MakeError(ErrorCode code, std::string message) {
  return {code, std::move(message), {}};
}

[[noreturn]] void CheckFailed(const char* file, int line, const char* what);

/// Stops the program when a promise between our own parts is broken. Kept in release builds.
#define SWAGE_CHECK(condition)                                              \
  do {                                                                      \
    if (!(condition)) ::swage::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return Get(); }
  const T& value() const& { return const_cast<Result*>(this)->Get(); }
  /// By value, so that `for (auto& x : *F())` does not walk over a dead temporary.
  T value() && { return std::move(Get()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    SWAGE_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Error& error() {
    SWAGE_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  T& Get() {
    SWAGE_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    SWAGE_CHECK(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

/// The success of an operation that returns nothing.
inline Result<void> Ok() {
  return {};
}

#define SWAGE_CONCAT_INNER(a, b) a##b
#define SWAGE_CONCAT(a, b) SWAGE_CONCAT_INNER(a, b)

/// Leaves the function with the error of `expr` (a Result), if it has one.
#define SWAGE_RETURN_IF_ERROR(expr)                       \
  do {                                                    \
    if (auto swage_status = (expr); !swage_status.ok()) { \
      return swage_status.error();                        \
    }                                                     \
  } while (false)

/// `SWAGE_ASSIGN_OR_RETURN(auto x, F());` leaves with the error of F(), or binds its value.
#define SWAGE_ASSIGN_OR_RETURN(lhs, expr) \
  SWAGE_ASSIGN_OR_RETURN_IMPL(SWAGE_CONCAT(swage_result_, __LINE__), lhs, expr)
#define SWAGE_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                                \
  if (!tmp.ok()) return tmp.error();                \
  lhs = std::move(tmp).value()

}  // namespace swage
