// The diff of a pull request as rows for a table, with review threads under their lines.
#include <algorithm>
#include <charconv>

#include "config/base/text.h"
#include "forge/sandbox/page.h"

namespace swage::sandbox::page {
namespace {

Json DiscussionView(World& world, const Discussion& discussion) {
  Json notes = Json::array();
  for (const DiffNote& note : discussion.notes) {
    notes.push_back(
        NoteView(world, note.author, note.body, note.created_at, note.updated_at, note.awards));
  }
  return {{"id", discussion.id},
          {"resolved", discussion.resolved},
          {"resolver", discussion.resolved ? world.UserOf(discussion.resolved_by).login : ""},
          {"notes", notes}};
}

/// "@@ -1,3 +2,4 @@": the first line numbers.
void ReadHunkHeader(std::string_view line, int* old_line, int* new_line) {
  const auto number_after = [line](char sign) {
    const std::size_t at = line.find(sign, 2);
    int n = 0;
    if (at != std::string_view::npos)
      std::from_chars(line.data() + at + 1, line.data() + line.size(), n);
    return n;
  };
  *old_line = number_after('-');
  *new_line = number_after('+');
}

/// Where a discussion shows in the present diff: on which side and line; line 0 = above the file.
struct Anchor {
  bool right = true;
  int line = 0;
};

Anchor AnchorOf(const Pull& pull, const FileDiff& file, const Position& position) {
  const bool right = position.side != "LEFT";
  const auto& lines = right ? file.right_lines : file.left_lines;
  const bool current = position.head_sha.empty() || position.head_sha == pull.head_sha;
  if (position.whole_file || !current || !lines.contains(position.line)) return {true, 0};
  return {right, position.line};
}

/// The rows of one file. Threads hang below the row of their line.
class FileRows {
 public:
  FileRows(World& world, const Pull& pull, const FileDiff& file) : world_(world), file_(file) {
    for (const Discussion& discussion : pull.discussions) {
      if (!discussion.position || discussion.position->path != file.path) continue;
      const Anchor anchor = AnchorOf(pull, file, *discussion.position);
      waiting_.push_back({anchor, &discussion});
    }
  }

  Json Build(std::size_t* budget) {
    Json rows = Json::array();
    if (file_.patch.empty()) return rows;
    int old_line = 0;
    int new_line = 0;
    for (const std::string_view line : SplitLines(file_.patch)) {
      if (line.starts_with('\\')) continue;  // "\\ No newline at end of file"
      if (*budget == 0) break;
      --*budget;
      if (line.starts_with("@@")) {
        ReadHunkHeader(line, &old_line, &new_line);
        rows.push_back(Row("hunk", "", "", "", line));
      } else if (line.starts_with('+')) {
        rows.push_back(Row("add", "", std::to_string(new_line), "+", line.substr(1)));
        rows.back()["threads"] = Take(0, new_line++);
      } else if (line.starts_with('-')) {
        rows.push_back(Row("del", std::to_string(old_line), "", "−", line.substr(1)));
        rows.back()["threads"] = Take(old_line++, 0);
      } else {
        const std::string_view text = line.empty() ? line : line.substr(1);
        rows.push_back(Row("same", std::to_string(old_line), std::to_string(new_line), "", text));
        rows.back()["threads"] = Take(old_line++, new_line++);
      }
      rows.back()["has_threads"] = !rows.back()["threads"].empty();
    }
    return rows;
  }

  /// Threads on the whole file, and those whose line is gone.
  Json Above() { return Take(0, 0); }

 private:
  static Json Row(const char* kind, std::string old_line, std::string new_line, const char* sign,
                  std::string_view text) {
    return {{"kind", kind},
            {"old", std::move(old_line)},
            {"new", std::move(new_line)},
            {"sign", sign},
            {"text", text.empty() ? " " : ToValidUtf8(text)},
            {"threads", Json::array()}};
  }

  Json Take(int old_line, int new_line) {
    Json threads = Json::array();
    const bool above = old_line == 0 && new_line == 0;
    for (const auto& [anchor, discussion] : waiting_) {
      const bool here =
          above ? anchor.line == 0
                : anchor.line != 0 && anchor.line == (anchor.right ? new_line : old_line);
      if (here) threads.push_back(DiscussionView(world_, *discussion));
    }
    return threads;
  }

  World& world_;
  const FileDiff& file_;
  std::vector<std::pair<Anchor, const Discussion*>> waiting_;
};

}  // namespace

Json DiffView(World& world, const Pull& pull, const std::vector<FileDiff>& files) {
  std::size_t budget = kMaxDiffRows;
  int additions = 0;
  int deletions = 0;
  Json views = Json::array();
  for (const FileDiff& file : files) {
    additions += file.additions;
    deletions += file.deletions;
    FileRows rows(world, pull, file);
    Json view = {
        {"path", file.path},           {"old_path", file.status == "renamed" ? file.old_path : ""},
        {"status", file.status},       {"additions", file.additions},
        {"deletions", file.deletions}, {"binary", file.binary},
        {"above", rows.Above()},       {"rows", rows.Build(&budget)}};
    view["has_above"] = !view["above"].empty();
    views.push_back(std::move(view));
  }
  return {{"files", views},
          {"count", std::to_string(files.size()) + (files.size() == 1 ? " file" : " files")},
          {"additions", additions},
          {"deletions", deletions},
          {"cut", budget == 0}};
}

}  // namespace swage::sandbox::page
