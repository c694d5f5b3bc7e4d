#include "config/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "config/base/clock.h"
#include "config/base/json.h"
#include "config/base/redact.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxFieldBytes = 2'000;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

// One line per entry, whatever the value holds: a quoted JSON string where plain text would
// mislead.
std::string FieldText(std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \"=\n\t\\") == std::string_view::npos;
  return plain ? std::string(value) : DumpJson(nlohmann::json(std::string(value)));
}

}  // namespace

struct Log::State {
  State(std::string_view log_format, const Redactor& secrets)
      : json(log_format == "json"),
        redactor(secrets),
        logger("swage", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {}

  const bool json;
  const Redactor& redactor;
  const SystemClock clock;
  spdlog::logger logger;
};

Log::Log(LogLevel level, std::string_view format, const Redactor& redactor)
    : state_(std::make_unique<State>(format, redactor)) {
  state_->logger.set_level(ToSpdlog(level));
  state_->logger.set_pattern("%v");
  state_->logger.flush_on(spdlog::level::debug);
}

Log::~Log() = default;

void Log::Debug(std::string_view m, std::initializer_list<LogField> f) {
  Write(LogLevel::kDebug, m, f);
}
void Log::Info(std::string_view m, std::initializer_list<LogField> f) {
  Write(LogLevel::kInfo, m, f);
}
void Log::Warn(std::string_view m, std::initializer_list<LogField> f) {
  Write(LogLevel::kWarn, m, f);
}
void Log::Error(std::string_view m, std::initializer_list<LogField> f) {
  Write(LogLevel::kError, m, f);
}

void Log::Write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!state_->logger.should_log(ToSpdlog(level))) return;
  const std::string at = FormatUtc(state_->clock.Now());
  // Before the cut, which could leave half a secret, and before quoting, which could respell one.
  const auto safe = [&](const LogField& field) {
    return Truncate(state_->redactor.Apply(field.value), kMaxFieldBytes);
  };
  std::string line;
  if (state_->json) {
    nlohmann::ordered_json entry = {{"at", at}, {"level", LevelName(level)}, {"message", message}};
    for (const LogField& field : fields) {
      entry[std::string(field.key)] = ToValidUtf8(safe(field));
    }
    line = entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  } else {
    line = fmt::format("{} {:<5} {}", at, LevelName(level), message);
    for (const LogField& field : fields) {
      const std::string value = StripControl(safe(field));
      line += fmt::format(" {}={}", field.key, FieldText(value));
    }
  }
  state_->logger.log(ToSpdlog(level), "{}", state_->redactor.Apply(line));
}

}  // namespace swage
