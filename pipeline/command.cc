#include "pipeline/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/base/text.h"

namespace swage {
namespace {

bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// The rest of `line` after an address of ours ("/swage", "@swage"), or nothing. The address must
// end at a word boundary: "@swage" is not "@swage-dev".
std::optional<std::string_view> AfterAddress(std::string_view line, std::string_view address) {
  if (address.empty() || line.size() < address.size() ||
      !EqualsIgnoreCase(line.substr(0, address.size()), address)) {
    return std::nullopt;
  }
  const std::string_view rest = line.substr(address.size());
  if (!rest.empty() && rest.front() != ' ' && rest.front() != '\t' && rest.front() != ':' &&
      rest.front() != ',') {
    return std::nullopt;
  }
  return rest;
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

std::string NearestVerb(std::string_view word) {
  constexpr std::size_t kClose = 2;
  constexpr std::size_t kLongestWord = 32;  // bounds the work on a stranger's text
  if (word.empty() || word.size() > kLongestWord) return {};
  std::string_view best;
  std::size_t best_distance = kClose + 1;
  for (const VerbInfo& info : Verbs()) {
    const std::size_t distance = EditDistance(word, info.name);
    if (distance < best_distance) {
      best = info.name;
      best_distance = distance;
    }
  }
  return std::string(best);
}

// A shown word is quoted back to the user: letters, digits and dashes only.
std::string ShownWord(std::string_view word) {
  std::string shown;
  for (const char c : word.substr(0, 32)) shown += IsWordChar(c) ? c : '?';
  return shown;
}

constexpr std::size_t kMaxLogin = 255;

BadCommand Bad(std::string what, std::string suggestion = {}) {
  return {std::move(what), std::move(suggestion)};
}

std::string PlainText(std::string_view same_line, std::string_view later_lines) {
  std::string text(same_line);
  if (!Trim(later_lines).empty())
    text += (text.empty() ? "" : "\n") + std::string(Trim(later_lines));
  return std::string(Trim(StripHidden(StripControl(text))));
}

ParsedComment ParseText(const VerbInfo& info, std::string_view same_line,
                        std::string_view later_lines) {
  std::string text = PlainText(same_line, later_lines);
  if (text.empty()) {
    return {{}, Bad(fmt::format("`{}` needs {} after it", info.name, info.argument))};
  }
  if (text.size() > kMaxCommandText) {
    return {{},
            Bad(fmt::format("the text after `{}` is longer than {} bytes", info.name,
                            kMaxCommandText))};
  }
  return {Command{info.verb, std::move(text)}, {}};
}

// Exactly one "@login"; the rest of the comment is for people.
ParsedComment ParsePerson(const VerbInfo& info, std::string_view words) {
  if (words.empty() && info.takes == Argument::kMaybePerson) return {Command{info.verb, {}}, {}};
  constexpr std::string_view kBot = "[bot]";
  std::string_view login = words;
  if (login.starts_with('@')) login.remove_prefix(1);
  const std::string_view name =
      login.ends_with(kBot) ? login.substr(0, login.size() - kBot.size()) : login;
  const bool plain =
      std::all_of(name.begin(), name.end(), [](char c) { return IsWordChar(c) || c == '.'; });
  if (words.starts_with('@') && plain && !name.empty() && login.size() <= kMaxLogin) {
    return {Command{info.verb, {}, std::string(login)}, {}};
  }
  return {
      {},
      Bad(fmt::format("`{}` needs {} after it and nothing else", info.name,
                      info.takes == Argument::kPerson ? "one `@name`" : "one `@name` or nothing"))};
}

ParsedComment ParsePriorityOf(const VerbInfo& info, std::string_view word) {
  const auto priority = ParsePriority(word);
  if (priority) return {Command{info.verb, {}, {}, *priority}, {}};
  return {{}, Bad(fmt::format("`{}` needs {} after it", info.name, kPriorityNames))};
}

// What plain words ask for. A word or two beside a known one are a slip of the pen, not a sentence.
std::optional<std::string> RequestIn(std::string_view line, std::string_view later_lines,
                                     const BadCommand& bad) {
  const bool terse = Trim(later_lines).empty() && Split(line, ' ').size() <= 2;
  if (!bad.suggestion.empty() && terse) return std::nullopt;
  std::string text = PlainText(line, later_lines);
  if (text.empty() || text.size() > kMaxCommandText) return std::nullopt;
  return text;
}

/// `by_name`: it is an "@mention", and may go on in plain words.
ParsedComment ParseVerb(std::string_view first_line_rest, std::string_view later_lines,
                        bool by_name) {
  while (!first_line_rest.empty() &&
         (first_line_rest.front() == ':' || first_line_rest.front() == ',')) {
    first_line_rest.remove_prefix(1);
  }
  const std::string_view line = Trim(first_line_rest);
  if (line.empty()) return {Command{Verb::kHelp, {}}, {}};

  std::size_t word_end = 0;
  while (word_end < line.size() && IsWordChar(line[word_end])) ++word_end;
  const std::string word = ToLower(line.substr(0, word_end));
  const auto& verbs = Verbs();
  const auto info =
      std::find_if(verbs.begin(), verbs.end(), [&](const VerbInfo& v) { return v.name == word; });
  const bool ends_cleanly =
      word_end == line.size() || line[word_end] == ' ' || line[word_end] == '\t';
  if (info == verbs.end() || !ends_cleanly) {
    const std::string shown =
        ShownWord(line.substr(0, std::min(line.find_first_of(" \t"), line.size())));
    ParsedComment unknown{{}, Bad(fmt::format("unknown command `{}`", shown), NearestVerb(word))};
    if (by_name) unknown.request = RequestIn(line, later_lines, *unknown.bad);
    return unknown;
  }

  const std::string_view same_line = Trim(line.substr(word_end));
  switch (info->takes) {
    case Argument::kNone:
      if (!same_line.empty()) return {{}, Bad(fmt::format("`{}` takes no argument", info->name))};
      return {Command{info->verb, {}}, {}};
    case Argument::kPerson:
    case Argument::kMaybePerson:
      return ParsePerson(*info, same_line);
    case Argument::kPriority:
      return ParsePriorityOf(*info, same_line);
    case Argument::kText:
      break;
  }
  return ParseText(*info, same_line, later_lines);
}

}  // namespace

const std::vector<VerbInfo>& Verbs() {
  static const std::vector<VerbInfo> kVerbs = {
      {Verb::kHelp, "help", Argument::kNone, "", "Lists the commands."},
      {Verb::kRun, "run", Argument::kNone, "", "Works on this issue, as the label does."},
      {Verb::kFix, "fix", Argument::kText, "<what to change>",
       "Continues on the same branch with your remark and updates the same pull request."},
      {Verb::kGates, "gates", Argument::kNone, "",
       "Runs the gates again on the current head and posts the results."},
      {Verb::kRebase, "rebase", Argument::kNone, "",
       "Puts the work onto the newest commit of its base branch and runs the gates; what does not "
       "fit there is made anew."},
      {Verb::kTakeover, "takeover", Argument::kNone, "",
       "Takes the branch back after somebody pushed to it: runs the gates on what is there, and "
       "goes on from that."},
      {Verb::kRetry, "retry", Argument::kNone, "",
       "Starts again after a failure or a stop, from the last checkpoint."},
      {Verb::kStop, "stop", Argument::kNone, "",
       "Stops the work now; what was done stays on the branch."},
      {Verb::kClose, "close", Argument::kNone, "",
       "Stops the work for good and closes the pull request without merging it; the branch stays."},
      {Verb::kHold, "hold", Argument::kNone, "",
       "Puts the work aside until `unhold`; what was done stays."},
      {Verb::kUnhold, "unhold", Argument::kNone, "", "Goes on with what was put aside."},
      {Verb::kPriority, "priority", Argument::kPriority, "high, normal or low",
       "Says whether this goes before or after the other work in line."},
      {Verb::kStatus, "status", Argument::kNone, "", "Says what the task is doing."},
      {Verb::kLogs, "logs", Argument::kNone, "",
       "Lists the steps of the last run, what came of them, and where their logs are."},
      {Verb::kDelegate, "delegate", Argument::kPerson, "@name",
       "Lets somebody without the role command this one task."},
      {Verb::kUndelegate, "undelegate", Argument::kMaybePerson, "[@name]",
       "Takes that back; without a name, from everybody."},
  };
  return kVerbs;
}

const VerbInfo& InfoOf(Verb verb) {
  const auto& verbs = Verbs();
  return *std::find_if(verbs.begin(), verbs.end(),
                       [verb](const VerbInfo& info) { return info.verb == verb; });
}

ParsedComment ParseComment(std::string_view body, std::string_view prefix,
                           std::string_view self_login) {
  // NUL ends text for some programs and not for others; a comment with one is not for us.
  if (body.find('\0') != std::string_view::npos) return {};
  const std::string mention = self_login.empty() ? std::string() : "@" + std::string(self_login);
  while (!body.empty()) {
    const std::size_t end = body.find('\n');
    std::string_view line = body.substr(0, end);
    const std::string_view later = end == std::string_view::npos ? "" : body.substr(end + 1);
    if (Trim(line).empty()) {
      body = later;
      continue;
    }
    if (line.back() == '\r') line.remove_suffix(1);
    // Four blanks or a tab make a code block; '>' a quote, '`' and '~' code: all fail to match
    // below.
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent > 3) return {};
    line.remove_prefix(indent);
    if (const auto rest = AfterAddress(line, prefix)) return ParseVerb(*rest, later, false);
    if (const auto rest = AfterAddress(line, mention)) return ParseVerb(*rest, later, true);
    return {};
  }
  return {};
}

bool Mentions(std::string_view text, std::string_view login) {
  if (login.empty()) return false;
  const std::string mention = "@" + std::string(login);
  bool in_fence = false;
  for (std::string_view line : Split(text, '\n')) {
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == std::string_view::npos || indent > 3) continue;
    line.remove_prefix(indent);
    if (line.starts_with("```") || line.starts_with("~~~")) in_fence = !in_fence;
    if (line.back() == '\r') line.remove_suffix(1);
    if (!in_fence && AfterAddress(line, mention)) return true;
  }
  return false;
}

}  // namespace swage
