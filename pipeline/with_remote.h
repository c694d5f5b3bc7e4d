// Git work at a forge whose credentials end or are taken back: one that is refused is asked for
// anew, once. Then either the forge says why there is none, or git gets another try.
#pragma once

#include "forge/forge.h"

namespace swage {

/// `act` takes a `const GitRemote&` and returns a Result. Errors: Forge::Remote's and `act`'s.
template <class Act>
auto WithRemote(Forge& forge, const RepoRef& repo, GitAccess access, const Act& act)
    -> decltype(act(GitRemote{})) {
  SWAGE_ASSIGN_OR_RETURN(const GitRemote remote, forge.Remote(repo, access));
  auto done = act(remote);
  const bool refused = !done.ok() && (done.error().code == ErrorCode::kUnauthenticated ||
                                      done.error().code == ErrorCode::kDenied);
  if (!refused) return done;
  forge.ForgetRights();
  SWAGE_ASSIGN_OR_RETURN(const GitRemote fresh, forge.Remote(repo, access));
  // A token that a person put there is the same one.
  if (fresh.password == remote.password) return done;
  return act(fresh);
}

}  // namespace swage
