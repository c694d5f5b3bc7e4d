#include "forge/git_remote.h"

#include <utility>

namespace swage {

GitRemote RemoteOf(const ForgeSettings& settings, const RepoRef& repo, std::string username) {
  std::string url = settings.git_url;
  while (url.ends_with('/')) url.pop_back();
  return {url + "/" + repo.path + ".git", std::move(username), settings.token.value,
          settings.ca_file, settings.proxy};
}

}  // namespace swage
