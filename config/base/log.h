// Log: a static message plus fields, one line each, redacted before it reaches any sink.
//
//   log.Info("task claimed", {{"task_id", id}, {"repo", path}});
//
// Levels: error = somebody must act; warn = it healed itself; info = transitions; debug = the rest.
// Never log tokens, payloads or prompts. Thread-safe; never throws; a failing sink loses the line.
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "config/base/ids.h"

namespace swage {

class Redactor;

enum class LogLevel { kDebug, kInfo, kWarn, kError };

struct LogField {
  template <std::integral T>
  LogField(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
  template <class Tag>
  LogField(std::string_view k, const StrongId<Tag, std::int64_t>& v)
      : key(k), value(std::to_string(v.value)) {}
  template <class Tag>
  LogField(std::string_view k, const StrongId<Tag, std::string>& v) : key(k), value(v.value) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}

  std::string_view key;
  std::string value;
};

class Log {
 public:
  /// `format` is "text" or "json"; lines go to stderr. `redactor` must outlive the log.
  Log(LogLevel level, std::string_view format, const Redactor& redactor);
  ~Log();

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {});
  void Info(std::string_view message, std::initializer_list<LogField> fields = {});
  void Warn(std::string_view message, std::initializer_list<LogField> fields = {});
  void Error(std::string_view message, std::initializer_list<LogField> fields = {});

 private:
  void Write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace swage
