// How a command is written in a file: a list of words, or one line for a shell that was asked for.
// The wrong guess between the two is how commands go wrong, so nothing is ever split.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/runtime_settings.h"
#include "config/setting.h"

namespace swage {

struct CommandDraft {
  std::vector<std::string> run;
  std::optional<std::string> text;  ///< `run` as one string
  bool shell = false;
};

/// The words of a command.
struct ArgvRule {
  using Value = std::vector<std::string>;
  std::string Describe() const { return "list of words"; }
  std::string Show(const Value&) const { return "[]"; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

/// Reads `run`; SettleCommand makes argv of it.
struct RunRule {
  using Value = CommandDraft;
  std::string Describe() const { return "list of words, or with `shell: true` a line of text"; }
  std::optional<CommandDraft> Read(const YamlNode& node, const Spot& spot) const;
};

/// Brings `run` and `shell` together: argv, or a fault at `owner`.run.
std::vector<std::string> SettleCommand(CommandDraft draft, const Spot& owner);

/// The setting `run` of a T whose CommandDraft `get` names.
template <class T, class Get>
Setting<T> DeclareRun(SettingDoc doc, Get get) {
  const RunRule rule;
  return {doc, rule.Describe(), "", [rule, get](const YamlNode& node, T& out, const Spot& spot) {
            if (auto read = rule.Read(node, spot)) {
              get(out).run = std::move(read->run);
              get(out).text = std::move(read->text);
            }
          }};
}

struct HookDraft {
  HookSpec spec;
  CommandDraft command;
};
const std::vector<Setting<HookDraft>>& HookTable();

/// A map as HookTable says.
struct HookRule {
  using Value = std::optional<HookSpec>;
  std::string Describe() const { return "a command: run, shell, timeout"; }
  std::optional<Value> Read(const YamlNode& node, const Spot& spot) const;
};

}  // namespace swage
