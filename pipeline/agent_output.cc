#include "pipeline/agent_output.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "pipeline/findings/text_rules.h"

namespace swage {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxTokens = 1'000'000'000'000;

std::int64_t Tokens(const json& value, std::string_view path) {
  return std::clamp<std::int64_t>(JsonInt(value, path), 0, kMaxTokens);
}

double Cost(const json& value, std::string_view path) {
  const json& at = JsonAt(value, path);
  const double cost = at.is_number() ? at.get<double>() : 0;
  return std::isfinite(cost) && cost > 0 ? cost : 0;
}

// The "text" parts of a message's content list, as Claude's and Goose's events have them.
std::string TextOfContent(const json& content) {
  std::string text;
  if (!content.is_array()) return text;
  for (const json& part : content) {
    if (JsonString(part, "type") == "text") text += JsonString(part, "text");
  }
  return text;
}

// "2.1k" and the like, as aider prints token counts.
std::int64_t ScaledCount(const std::string& number, const std::string& unit) {
  const double scale = unit == "k" ? 1e3 : unit == "M" ? 1e6 : 1;
  const double value = std::atof(number.c_str()) * scale;
  return value < static_cast<double>(kMaxTokens) ? static_cast<std::int64_t>(std::llround(value))
                                                 : 0;
}

}  // namespace

void AgentOutput::Add(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!skipping_ && line_.size() + piece.size() > kMaxEventLine) {
      skipping_ = true;
      line_.clear();
    }
    if (!skipping_) line_ += piece;
    if (end == std::string_view::npos) return;
    if (!skipping_) ReadLine(line_);
    line_.clear();
    skipping_ = false;
    bytes.remove_prefix(end + 1);
  }
}

void AgentOutput::Finish() {
  if (!skipping_ && !line_.empty()) ReadLine(line_);
  line_.clear();
}

std::string AgentOutput::Summary() const {
  return CleanText(words_, kMaxSummaryBytes);
}

void AgentOutput::ReadLine(std::string_view line) {
  if (style_ == AgentStyle::kText) return ReadText(line);
  if (style_ == AgentStyle::kAider) return ReadAider(line);
  line = Trim(line);
  if (!line.starts_with('{')) return;  // a warning, or a banner
  const Result<json> event = ParseJson(line);
  if (!event.ok() || !event->is_object()) return;
  switch (style_) {
    case AgentStyle::kText:
    case AgentStyle::kAider:
      return;
    case AgentStyle::kClaude:
      return ReadClaude(*event);
    case AgentStyle::kCodex:
      return ReadCodex(*event);
    case AgentStyle::kOpenCode:
      return ReadOpenCode(*event);
    case AgentStyle::kGemini:
      return ReadGemini(*event);
    case AgentStyle::kGoose:
      return ReadGoose(*event);
  }
}

// The last paragraph is the last word.
void AgentOutput::ReadText(std::string_view line) {
  if (Trim(line).empty()) {
    new_words_ = true;
  } else {
    SayMore(std::string(line.substr(0, kMaxSummaryBytes)) + "\n");
  }
}

// "Tokens: 2.1k sent, 300 received. Cost: $0.01 message, $0.02 session." after each reply.
void AgentOutput::ReadAider(std::string_view line) {
  static const RE2 pattern(
      R"(^Tokens: ([\d.]+)([kM]?) sent,.*?([\d.]+)([kM]?) received\.(?: Cost: .*?\$([\d.]+) session)?)");
  std::string sent, sent_unit, received, received_unit, cost;
  if (RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), pattern, &sent, &sent_unit,
                        &received, &received_unit, &cost)) {
    Used().input_tokens += ScaledCount(sent, sent_unit);
    Used().output_tokens += ScaledCount(received, received_unit);
    if (!cost.empty()) Used().cost_usd = std::atof(cost.c_str());
    return;
  }
  ReadText(line);
}

void AgentOutput::ReadClaude(const json& event) {
  const std::string type = JsonString(event, "type");
  if (type == "assistant") {
    Say(TextOfContent(JsonAt(event, "message/content")));
  } else if (type == "result") {
    Say(JsonString(event, "result"));
    Used().input_tokens = Tokens(event, "usage/input_tokens") +
                          Tokens(event, "usage/cache_creation_input_tokens") +
                          Tokens(event, "usage/cache_read_input_tokens");
    Used().output_tokens = Tokens(event, "usage/output_tokens");
    Used().cost_usd = Cost(event, "total_cost_usd");
  }
}

void AgentOutput::ReadCodex(const json& event) {
  const std::string type = JsonString(event, "type");
  if (type == "item.completed" && JsonString(event, "item/type") == "agent_message") {
    Say(JsonString(event, "item/text"));
  } else if (type == "turn.completed") {
    Used().input_tokens += Tokens(event, "usage/input_tokens");
    Used().output_tokens += Tokens(event, "usage/output_tokens");
  } else if (type == "turn.failed") {
    Say(JsonString(event, "error/message"));
  } else if (type == "error") {
    Say(JsonString(event, "message"));
  }
}

void AgentOutput::ReadOpenCode(const json& event) {
  const std::string type = JsonString(event, "type");
  if (type == "text") {
    Say(JsonString(event, "part/text"));
  } else if (type == "step_finish") {
    Used().input_tokens += Tokens(event, "part/tokens/input") +
                           Tokens(event, "part/tokens/cache/read") +
                           Tokens(event, "part/tokens/cache/write");
    Used().output_tokens +=
        Tokens(event, "part/tokens/output") + Tokens(event, "part/tokens/reasoning");
    Used().cost_usd += Cost(event, "part/cost");
  } else if (type == "error") {
    Say(JsonString(event, "error/data/message", JsonString(event, "error/name")));
  }
}

void AgentOutput::ReadGemini(const json& event) {
  const std::string type = JsonString(event, "type");
  if (type == "message" && JsonString(event, "role") == "assistant") {
    SayMore(JsonString(event, "content"));
    return;
  }
  new_words_ = true;  // a tool stands between two messages
  if (type == "result") {
    Used().input_tokens = Tokens(event, "stats/input_tokens");
    Used().output_tokens = Tokens(event, "stats/output_tokens");
  }
}

void AgentOutput::ReadGoose(const json& event) {
  const std::string type = JsonString(event, "type");
  if (type == "message" && JsonString(event, "message/role") == "assistant") {
    SayMore(TextOfContent(JsonAt(event, "message/content")));
    return;
  }
  new_words_ = true;
  if (type == "complete") {
    const std::int64_t input = Tokens(event, "input_tokens");
    // Older releases give the sum alone.
    Used().input_tokens = input > 0 ? input : Tokens(event, "total_tokens");
    Used().output_tokens = Tokens(event, "output_tokens");
  }
}

void AgentOutput::Say(std::string_view text) {
  if (!Trim(text).empty()) words_ = text.substr(0, 2 * kMaxSummaryBytes);
}

void AgentOutput::SayMore(std::string_view text) {
  if (text.empty()) return;
  if (new_words_) words_.clear();
  new_words_ = false;
  words_ += text;
  // Of a long message the end is kept: it is where agents sum up.
  if (words_.size() > 4 * kMaxSummaryBytes) words_.erase(0, words_.size() - kMaxSummaryBytes);
}

AgentUsage& AgentOutput::Used() {
  if (!usage_) usage_.emplace();
  return *usage_;
}

}  // namespace swage
