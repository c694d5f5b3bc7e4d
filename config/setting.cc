#include "config/setting.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxNamesInHint = 12;

class Walker {
 public:
  Walker(const std::vector<SettingDoc>& docs, std::string_view at, Reading& reading,
         const std::function<void(std::size_t, const YamlNode&, const Spot&)>& visit)
      : docs_(docs), at_(at), reading_(reading), visit_(visit), seen_(docs.size(), false) {}

  void Walk(const YamlNode& map, const std::string& group) {
    const std::string example = fmt::format("{}: ...", FirstName(group));
    const std::string whose = at_ + group;
    const Spot spot{
        whose.empty() || whose.back() != '.' ? whose : whose.substr(0, whose.size() - 1), map.line,
        example, reading_};
    if (!IsMapOrNull(map, kMaxYamlNodes, spot)) return;
    for (const YamlEntry& entry : map.entries) Enter(entry, group + entry.key);
  }

  void ReportMissing(int line) const {
    for (std::size_t i = 0; i < docs_.size(); ++i) {
      if (!docs_[i].required || seen_[i]) continue;
      Spot{at_ + std::string(docs_[i].path), line, docs_[i].example, reading_}.Fault("is missing");
    }
  }

 private:
  void Enter(const YamlEntry& entry, const std::string& path) {
    const auto found =
        std::ranges::find_if(docs_, [&](const SettingDoc& doc) { return doc.path == path; });
    if (found != docs_.end()) {
      const std::size_t i = static_cast<std::size_t>(found - docs_.begin());
      seen_[i] = true;
      reading_.lines[at_ + path] = entry.line;
      visit_(i, entry.value, {at_ + path, entry.line, found->example, reading_});
    } else if (IsGroup(path)) {
      Walk(entry.value, path + ".");
    } else {
      reading_.faults.Add(entry.line, Truncate(at_ + path, 120), Unknown(path));
    }
  }

  bool IsGroup(const std::string& path) const {
    return std::ranges::any_of(
        docs_, [&](const SettingDoc& doc) { return doc.path.starts_with(path + "."); });
  }

  // The names that may stand in a group: "agent." has preset, command, ...
  std::vector<std::string> NamesIn(std::string_view group) const {
    std::vector<std::string> names;
    for (const SettingDoc& doc : docs_) {
      if (!doc.path.starts_with(group)) continue;
      const std::string_view rest = doc.path.substr(group.size());
      std::string name(rest.substr(0, rest.find('.')));
      if (names.empty() || names.back() != name) names.push_back(std::move(name));
    }
    return names;
  }

  std::string FirstName(const std::string& group) const {
    const auto names = NamesIn(group);
    return names.empty() ? "name" : names.front();
  }

  // A key in the wrong place is named in full, a misspelt one by its neighbour.
  std::string Unknown(const std::string& path) const {
    const std::size_t dot = path.rfind('.');
    const std::string group = dot == std::string::npos ? "" : path.substr(0, dot + 1);
    const std::string key = path.substr(group.size());
    const auto names = NamesIn(group);
    std::string near = NearestWord(key, names);
    if (!near.empty()) near = group + near;
    for (const SettingDoc& doc : docs_) {
      if (near.empty() && doc.path.ends_with("." + key)) near = doc.path;
    }
    if (!near.empty()) return fmt::format("no such setting; did you mean {}?", near);
    std::vector<std::string> few(names.begin(),
                                 names.begin() + std::min(names.size(), kMaxNamesInHint));
    return fmt::format("no such setting; there are {}{}", Join(few, ", "),
                       few.size() < names.size() ? ", ..." : "");
  }

  const std::vector<SettingDoc>& docs_;
  const std::string at_;
  Reading& reading_;
  const std::function<void(std::size_t, const YamlNode&, const Spot&)>& visit_;
  std::vector<bool> seen_;
};

}  // namespace

void WalkSettings(const YamlNode& map, const std::vector<SettingDoc>& docs, std::string_view at,
                  Reading& reading,
                  const std::function<void(std::size_t, const YamlNode&, const Spot&)>& visit) {
  Walker walker(docs, at, reading, visit);
  walker.Walk(map, "");
  walker.ReportMissing(map.line);
}

}  // namespace swage
