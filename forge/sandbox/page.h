// The inside of the hand page: views are JSON, templates are Mustache (which escapes), actions are
// forms.
//
// Runs with the world's lock held, on loopback, without a login: whoever can reach it may act as
// any user. It is a forge for playing and for tests, never one to keep anything in.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "forge/sandbox/dialect.h"
#include "forge/sandbox/diff.h"
#include "forge/sandbox/http.h"
#include "forge/sandbox/webhooks.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox::page {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxShown = 500;       ///< rows of any list
inline constexpr std::size_t kMaxDiffRows = 4'000;  ///< of one page

/// The template of that name with the view's values; the files part_* are partials.
std::string RenderTemplate(std::string_view name, const Json& view);

/// What every page needs: the users to act as, the repository's tabs, the words of the dialect.
Json Layout(const Call& call, const User* viewer, std::string_view title, const Repo* repo);
/// The user that the visitor acts as: the cookie's, else the first one.
User* ViewerOf(const Call& call);

/// The stand-in for a group that owns repositories is nobody to act as.
bool IsGroup(const User& user);
/// A field of the posted form; empty when absent.
std::string Field(const Call& call, std::string_view name);
std::string RepoUrl(const Repo& repo);
std::string ThreadUrl(Dialect dialect, const Repo& repo, bool on_pull, std::int64_t number);
/// "3 min ago"
std::string Age(WallTime then, WallTime now);

Json RepoRows(World& world);
Json IssueRows(World& world, const Repo& repo);
Json PullRows(World& world, const Repo& repo);
Json DeliveryRows(const World& world, const Repo& repo, const WebhookSender& sender);
Json IssueView(World& world, Repo& repo, const Issue& issue);
Json PullView(World& world, Repo& repo, const Pull& pull);

/// One comment: author, age, rendered body, reactions.
Json NoteView(World& world, Id author, std::string_view body, WallTime created, WallTime updated,
              const std::vector<Award>& awards);
/// The files of a pull request as rows of a table, with the threads at their lines.
Json DiffView(World& world, const Pull& pull, const std::vector<FileDiff>& files);

/// POST /_page/act: does what the form says and leads back to where it was.
Reply Act(const Call& call);
Reply Message(const Call& call, int status, std::string_view text);

}  // namespace swage::sandbox::page
