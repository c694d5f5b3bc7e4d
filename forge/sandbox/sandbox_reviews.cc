// Reviewing as a person does it on the forge's page.
#include "config/base/result.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/sandbox_forge.h"

namespace swage::sandbox {
namespace {

Position PlaceOf(const Repo& repo, const Pull& pull, const NewReview::OnLine& comment) {
  Position position;
  position.path = position.old_path = comment.path;
  position.line = position.new_line = comment.line;
  position.start_line = comment.start_line;
  if (comment.start_line > 0) position.start_side = position.side;
  const auto base = MergeBase(repo.git_dir, pull.base_sha, pull.head_sha);
  position.base_sha = base.ok() ? *base : pull.base_sha;
  position.start_sha = pull.base_sha;
  position.head_sha = pull.head_sha;
  return position;
}

}  // namespace

void SandboxForge::ReviewPull(std::string_view repo, std::string_view login, std::int64_t number,
                              const NewReview& review) {
  With([&](World& world) {
    Repo* const in = world.FindRepo(repo);
    User* const user = world.FindUser(login);
    SWAGE_CHECK(in != nullptr && user != nullptr);
    Pull* const pull = world.FindPull(*in, number);
    SWAGE_CHECK(pull != nullptr);
    const auto comment = [&](Id of) {
      for (const NewReview::OnLine& one : review.comments) {
        world.StartDiscussion(*in, *user, *pull, PlaceOf(*in, *pull, one), one.body, of,
                              pull->head_sha);
      }
    };
    if (world.dialect() != Dialect::kGitLab) {
      comment(world.AddReview(*in, *user, *pull, review.state, review.body, pull->head_sha).id);
      return;
    }
    // Threads, a note, and then the reviewer's state.
    comment(0);
    if (!review.body.empty()) world.AddNote(*in, *user, *pull, review.body);
    world.AddReview(*in, *user, *pull, review.state, "", pull->head_sha);
  });
}

Id SandboxForge::ReplyToNote(std::string_view repo, std::string_view login, Id note,
                             std::string_view body) {
  Id reply = 0;
  With([&](World& world) {
    Repo* const in = world.FindRepo(repo);
    User* const user = world.FindUser(login);
    SWAGE_CHECK(in != nullptr && user != nullptr);
    const World::DiffNoteAt at = world.FindDiffNote(*in, note);
    SWAGE_CHECK(at.discussion != nullptr);
    // Gitea counts it to the review that it answers, GitHub makes one of its own.
    Id review = at.discussion->notes.front().review;
    if (world.dialect() == Dialect::kGitHub) {
      review = world.AddReview(*in, *user, *at.pull, "COMMENTED", "", at.pull->head_sha).id;
    }
    reply = world.ReplyToDiscussion(*in, *user, *at.pull, *at.discussion, body, review).id;
  });
  return reply;
}

}  // namespace swage::sandbox
