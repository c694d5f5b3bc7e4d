#include "config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::string_view kQuoteHint =
    "anchors and aliases are not used here; a value that begins with * or & must stand in quotes";

int LineOf(const YAML::Mark& mark) {
  return mark.is_null() ? 1 : mark.line + 1;
}

YamlNode NodeAt(const YAML::Mark& mark, YamlNode::Kind kind) {
  YamlNode node;
  node.kind = kind;
  node.line = LineOf(mark);
  return node;
}

// Builds the tree. After a bound is passed the rest of the events is ignored; yaml-cpp itself stops
// at 500 levels, so nothing here recurses deeply.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Faults& faults) : faults_(faults) {}

  YamlNode TakeRoot() { return std::move(root_); }
  bool stopped() const { return stopped_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Stop(LineOf(mark), "a second document (---); only one is read");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    CheckAnchor(mark, anchor);
    Place(NodeAt(mark, YamlNode::Kind::kNull));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (!stopped_) faults_.Add(LineOf(mark), Path(), kQuoteHint);
    Place(NodeAt(mark, YamlNode::Kind::kNull));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckAnchor(mark, anchor);
    CheckTag(mark, tag);
    YamlNode node = NodeAt(mark, YamlNode::Kind::kScalar);
    node.text = value;
    Place(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A list or map that is still open.
  struct Frame {
    YamlNode node;
    std::optional<std::string> key;  // a map's key that waits for its value
    int key_line = 1;
    bool duplicate = false;            // that key was there before: drop the value
    std::map<std::string, int> lines;  // of the keys seen
  };

  // "agent.time_limit", "gates[2].run": where the next value belongs.
  std::string Path() const {
    std::string path;
    for (const Frame& frame : stack_) {
      if (frame.node.kind == YamlNode::Kind::kList) {
        path += fmt::format("[{}]", frame.node.items.size());
      } else if (frame.key) {
        path += (path.empty() ? "" : ".") + *frame.key;
      }
    }
    return Truncate(path, 200);
  }

  void Stop(int line, std::string_view why) {
    if (stopped_) return;
    faults_.Add(line, "", why);
    stopped_ = true;
  }

  void CheckAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0 && !stopped_) faults_.Add(LineOf(mark), Path(), kQuoteHint);
  }

  // "?" = none, "!" = a quoted scalar; everything else somebody wrote.
  void CheckTag(const YAML::Mark& mark, const std::string& tag) {
    if (stopped_ || tag.empty() || tag == "?" || tag == "!") return;
    faults_.Add(LineOf(mark), Path(),
                "tags are not used here; a value that begins with ! must stand in quotes");
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    if (stopped_) return;
    CheckAnchor(mark, anchor);
    CheckTag(mark, tag);
    if (stack_.size() == kMaxYamlDepth) {
      Stop(LineOf(mark), fmt::format("nested deeper than {} levels", kMaxYamlDepth));
      return;
    }
    stack_.emplace_back().node = NodeAt(mark, kind);
  }

  void Close() {
    if (stopped_) return;
    YamlNode done = std::move(stack_.back().node);
    stack_.pop_back();
    Place(std::move(done));
  }

  void Place(YamlNode node) {
    if (stopped_) return;
    if (++nodes_ > kMaxYamlNodes) {
      Stop(node.line, fmt::format("more than {} values", kMaxYamlNodes));
    } else if (stack_.empty()) {
      root_ = std::move(node);
    } else if (Frame& top = stack_.back(); top.node.kind == YamlNode::Kind::kList) {
      top.node.items.push_back(std::move(node));
    } else if (!top.key) {
      TakeKey(top, node);
    } else {
      if (!top.duplicate) {
        top.node.entries.push_back({std::move(*top.key), top.key_line, std::move(node)});
      }
      top.key.reset();
    }
  }

  void TakeKey(Frame& top, const YamlNode& node) {
    top.duplicate = false;
    top.key_line = node.line;
    if (node.kind != YamlNode::Kind::kScalar || node.text.empty()) {
      faults_.Add(node.line, Path(), "a key must be a word");
      top.duplicate = true;
    }
    top.key = node.text;
    const auto [at, added] = top.lines.emplace(node.text, node.line);
    if (!added && !top.duplicate) {
      faults_.Add(node.line, Path(),
                  fmt::format("given twice, first on line {}; keep one", at->second));
      top.duplicate = true;
    }
  }

  Faults& faults_;
  YamlNode root_;
  std::vector<Frame> stack_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
  bool stopped_ = false;
};

// yaml-cpp takes some control characters for the end of the input and guesses encodings; refuse
// both.
bool IsPlainText(std::string_view text, Faults& faults) {
  int line = 1;
  for (const char c : text) {
    if (c == '\n') ++line;
    const bool control =
        static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r';
    if (control || c == 0x7F) {
      faults.Add(line, "", "holds a control character; the file must be plain UTF-8 text");
      return false;
    }
  }
  if (ToValidUtf8(text) == text) return true;
  faults.Add(1, "", "is not UTF-8 text");
  return false;
}

}  // namespace

std::string_view KindName(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "text";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "nothing";
}

std::optional<YamlNode> ParseYaml(std::string_view text, Faults& faults) {
  if (text.size() > kMaxYamlBytes) {
    faults.Add(1, "", fmt::format("is larger than {} KiB", kMaxYamlBytes >> 10));
    return std::nullopt;
  }
  if (!IsPlainText(text, faults)) return std::nullopt;
  TreeBuilder builder(faults);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (!builder.stopped() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    const bool anchor =
        e.msg.find("anchor") != std::string::npos || e.msg.find("alias") != std::string::npos;
    faults.Add(LineOf(e.mark), "",
               anchor ? std::string(kQuoteHint) : fmt::format("not valid YAML: {}", e.msg));
    return std::nullopt;
  } catch (const std::exception& e) {
    faults.Add(1, "", "not valid YAML");
    return std::nullopt;
  }
  if (builder.stopped()) return std::nullopt;
  return builder.TakeRoot();
}

}  // namespace swage
