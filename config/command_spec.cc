#include "config/command_spec.h"

#include <fmt/format.h>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxArgs = 200;
constexpr std::size_t kMaxArgBytes = 8'000;

std::string YamlWords(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : Split(text, ' ')) {
    if (!Trim(word).empty()) words.emplace_back(Trim(word));
  }
  return "[" + Join(words, ", ") + "]";
}

}  // namespace

std::optional<std::vector<std::string>> ArgvRule::Read(const YamlNode& node,
                                                       const Spot& spot) const {
  const TextRule word{.kind = "a word of a command",
                      .max_bytes = kMaxArgBytes,
                      .multiline = true,
                      .may_be_empty = true};
  auto words = ListRule{word, kMaxArgs}.Read(node, spot);
  if (!words) return std::nullopt;
  if (words->empty() || words->front().empty()) {
    spot.Fault("names no command");
    return std::nullopt;
  }
  return words;
}

std::optional<CommandDraft> RunRule::Read(const YamlNode& node, const Spot& spot) const {
  CommandDraft draft;
  if (node.kind == YamlNode::Kind::kList) {
    auto words = ArgvRule{}.Read(node, spot);
    if (!words) return std::nullopt;
    draft.run = *std::move(words);
    return draft;
  }
  draft.text =
      TextRule{.kind = "a list of words", .max_bytes = kMaxArgBytes, .multiline = true}.Read(node,
                                                                                             spot);
  return draft.text ? std::optional(draft) : std::nullopt;
}

std::vector<std::string> SettleCommand(CommandDraft draft, const Spot& owner) {
  const std::string setting = owner.setting + ".run";
  const Spot spot{setting, owner.reading.LineOf(setting, owner.line), "", owner.reading};
  if (draft.text && draft.shell) return {"/bin/sh", "-c", *draft.text};
  if (draft.text) {
    spot.Say(
        fmt::format("is one text and no shell was asked for; write run: {}, or add shell: true",
                    Truncate(YamlWords(StripControl(*draft.text)), 80)));
  } else if (draft.shell && !draft.run.empty()) {
    spot.Say("is a list, but shell: true takes one text; remove shell, or write one text");
  }
  return std::move(draft.run);
}

const std::vector<Setting<HookDraft>>& HookTable() {
  static const std::vector<Setting<HookDraft>> kTable = {
      DeclareRun<HookDraft>(
          {.path = "run",
           .manual = "The command, run in the workspace at the task's level as a "
                     "gate is. No shell sees it unless `shell` asks for one.",
           .example = "[npm, ci]",
           .required = true},
          [](auto& h) -> auto& { return h.command; }),
      Declare<HookDraft>(
          {.path = "shell", .manual = "`run` is one text for `/bin/sh -c`.", .example = "true"},
          BoolRule{}, [](auto& h) -> auto& { return h.command.shell; }),
      Declare<HookDraft>(
          {.path = "timeout",
           .manual = "The whole process tree is killed after this time and the hook "
                     "has failed.",
           .example = "5m"},
          DurationRule{std::chrono::milliseconds(100), std::chrono::hours(2)},
          [](auto& h) -> auto& { return h.spec.timeout; }),
  };
  return kTable;
}

std::optional<HookRule::Value> HookRule::Read(const YamlNode& node, const Spot& spot) const {
  if (node.kind == YamlNode::Kind::kNull) return Value();
  if (node.kind != YamlNode::Kind::kMap) {
    spot.Fault("is not a map");
    return std::nullopt;
  }
  HookDraft draft;
  ReadSettings(node, HookTable(), spot.setting + ".", draft, spot.reading);
  draft.spec.run = SettleCommand(std::move(draft.command), spot);
  return Value(std::move(draft.spec));
}

}  // namespace swage
