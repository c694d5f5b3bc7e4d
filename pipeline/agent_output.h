// AgentOutput: picks an agent's last words and its usage out of the stream that it prints.
//
// The stream is untrusted and its format changes between releases: what is not understood is
// skipped, a line longer than kMaxEventLine is skipped whole, and memory stays within a few lines.
// Nothing decides on what is read here; it is shown to people. Not thread-safe.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/agent.h"
#include "pipeline/agent_presets.h"

namespace swage {

inline constexpr std::size_t kMaxEventLine = 1 << 20;
inline constexpr std::size_t kMaxSummaryBytes = 4 << 10;

class AgentOutput {
 public:
  explicit AgentOutput(AgentStyle style) : style_(style) {}

  void Add(std::string_view bytes);
  /// Ends the stream.
  void Finish();

  /// At most kMaxSummaryBytes of clean text; empty when the agent said nothing.
  std::string Summary() const;
  const std::optional<AgentUsage>& Usage() const { return usage_; }

 private:
  void ReadLine(std::string_view line);
  void ReadText(std::string_view line);
  void ReadAider(std::string_view line);
  void ReadClaude(const nlohmann::json& event);
  void ReadCodex(const nlohmann::json& event);
  void ReadOpenCode(const nlohmann::json& event);
  void ReadGemini(const nlohmann::json& event);
  void ReadGoose(const nlohmann::json& event);
  void Say(std::string_view text);
  void SayMore(std::string_view text);
  AgentUsage& Used();

  const AgentStyle style_;
  std::string line_;
  bool skipping_ = false;  // the rest of a line that grew too long
  bool new_words_ = true;  // the next piece of text begins a new message
  std::string words_;
  std::optional<AgentUsage> usage_;
};

}  // namespace swage
