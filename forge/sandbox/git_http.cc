#include "forge/sandbox/git_http.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "config/base/files.h"
#include "config/base/text.h"
#include "forge/sandbox/command.h"

namespace swage::sandbox {
namespace {

constexpr std::array<std::string_view, 3> kEnds = {"/info/refs", "/git-upload-pack",
                                                   "/git-receive-pack"};
constexpr std::size_t kMaxPushReply = 16 << 20;
constexpr std::size_t kMaxCgiHeader = 64 << 10;

Answer Say(int status, std::string text) {
  return {Reply::Text(status, "text/plain; charset=utf-8", std::move(text)), nullptr, false};
}

Answer AskForCredentials() {
  Answer answer = Say(401, "Authentication required\n");
  answer.reply.headers["WWW-Authenticate"] = "Basic realm=\"Sandbox forge\"";
  return answer;
}

/// The token of a basic Authorization header: the password, or the user name when that is empty.
std::string BasicToken(const Request& request) {
  const std::string header = request.Header("authorization");
  if (!ToLower(header).starts_with("basic ")) return {};
  const std::string pair = Base64Decode(Trim(std::string_view(header).substr(6))).value_or("");
  const std::size_t colon = pair.find(':');
  if (colon == std::string::npos) return pair;
  const std::string password = pair.substr(colon + 1);
  return password.empty() || password == "x-oauth-basic" ? pair.substr(0, colon) : password;
}

/// The body in an unlinked file, so that a pack of any size neither fills the memory nor outlives
/// us.
Result<Fd> Spool(const BodyReader& body, const std::filesystem::path& dir, std::size_t& size) {
  Fd file(open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.valid()) return MakeError(ErrorCode::kInternal, "cannot keep the pack");
  size = 0;
  const bool complete = body([&](std::string_view bytes) {
    size += bytes.size();
    if (size > GitHttp::kMaxPack) return false;
    while (!bytes.empty()) {
      const ssize_t written = write(file.get(), bytes.data(), bytes.size());
      if (written <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  });
  if (!complete) return MakeError(ErrorCode::kTooLarge, "the pack did not arrive whole");
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

/// CGI's header block (RFC 3875, 6.3): "Status: 404 Not Found", "Content-Type: ...".
Reply ParseCgiHeader(std::string_view block) {
  Reply reply = Reply::Text(200, "", "");
  for (const std::string_view line : SplitLines(block)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string name = ToLower(line.substr(0, colon));
    const std::string_view value = Trim(line.substr(colon + 1));
    if (name == "status") {
      reply.status = static_cast<int>(ParseInt(value.substr(0, 3)).value_or(500));
    } else if (name == "content-type") {
      reply.content_type = value;
    } else {
      reply.headers[std::string(line.substr(0, colon))] = value;
    }
  }
  return reply;
}

}  // namespace

struct GitHttp::Asked {
  Repo* repo = nullptr;
  std::string end;  ///< one of kEnds
  bool writes = false;
};

GitHttp::GitHttp(World& world, std::mutex& mutex, std::filesystem::path data_dir)
    : world_(world), mutex_(mutex), data_dir_(std::move(data_dir)) {}

bool GitHttp::Owns(std::string_view path) {
  for (const std::string_view end : kEnds) {
    if (path.ends_with(end)) return true;
  }
  return false;
}

std::optional<GitHttp::Asked> GitHttp::Read(const Request& request) const {
  const std::optional<std::string> path = PercentDecode(request.path);
  if (!path.has_value()) return std::nullopt;
  for (const std::string_view end : kEnds) {
    if (!path->ends_with(end)) continue;
    std::string_view name = std::string_view(*path).substr(0, path->size() - end.size());
    if (name.starts_with('/')) name.remove_prefix(1);
    if (name.ends_with(".git")) name.remove_suffix(4);
    Asked asked;
    asked.repo = world_.FindRepo(name);
    asked.end = end;
    asked.writes = end == "/git-receive-pack" || request.Query("service") == "git-receive-pack";
    return asked;
  }
  return std::nullopt;
}

std::optional<Answer> GitHttp::Refuse(const Asked& asked, const User* user, bool bad_token) {
  if (bad_token) return AskForCredentials();
  const Role role = asked.repo == nullptr ? Role::kNone : world_.RoleOf(*asked.repo, user);
  // Like the real ones: a stranger is asked who he is before he hears that there is nothing to see.
  if (role == Role::kNone) return user == nullptr ? AskForCredentials() : Say(404, "Not found\n");
  if (!asked.writes) return std::nullopt;
  if (user == nullptr) return AskForCredentials();
  if (asked.repo->archived) return Say(403, "This repository was archived so it is read-only.\n");
  if (role < Role::kWrite) return Say(403, fmt::format("Permission denied to {}.\n", user->login));
  return std::nullopt;
}

Answer GitHttp::Serve(const Request& request, const BodyReader& body, std::string& login) {
  std::size_t size = 0;
  Result<Fd> pack = Spool(body, data_dir_, size);
  if (!pack.ok()) return Say(413, pack.error().message + "\n");

  std::unique_lock lock(mutex_);
  const std::optional<Asked> asked = Read(request);
  if (!asked.has_value()) return Say(404, "Not found\n");
  const std::string token = BasicToken(request);
  const User* user = world_.FindUserByToken(token);
  if (user != nullptr) login = user->login;
  if (auto refused = Refuse(*asked, user, !token.empty() && user == nullptr)) return *refused;

  CommandSpec spec;
  spec.argv = {"git", "http-backend"};
  spec.env = GitEnvironment(data_dir_ / "home");
  const std::string query = request.target.size() > request.path.size()
                                ? request.target.substr(request.path.size() + 1)
                                : std::string();
  const std::pair<std::string_view, std::string> variables[] = {
      {"GIT_PROJECT_ROOT", world_.GitRoot().string()},
      {"GIT_HTTP_EXPORT_ALL", "1"},
      {"PATH_INFO", fmt::format("/{}.git{}", asked->repo->Path(), asked->end)},
      {"REQUEST_METHOD", request.method},
      {"QUERY_STRING", query},
      {"CONTENT_TYPE", request.Header("content-type")},
      {"CONTENT_LENGTH", std::to_string(size)},  // the inflated size: the encoding is gone already
      {"GIT_PROTOCOL", request.Header("git-protocol")},
      {"REMOTE_USER", login},
      {"GIT_CONFIG_COUNT", "1"},
      {"GIT_CONFIG_KEY_0", "safe.directory"},
      {"GIT_CONFIG_VALUE_0", "*"},
  };
  for (const auto& [name, value] : variables) {
    if (!value.empty()) spec.env.push_back(fmt::format("{}={}", name, value));
  }
  spec.stdin_fd = pack->get();

  const bool pushes = asked->end == "/git-receive-pack";
  const auto before = pushes ? world_.RefsOf(*asked->repo) : std::map<std::string, std::string>();
  Result<Command> started = Command::Start(spec);
  if (!started.ok()) return Say(500, "git does not run\n");
  if (!pushes) lock.unlock();
  const auto command = std::make_shared<Command>(std::move(*started));

  std::string output;
  std::size_t split = std::string::npos;
  while (split == std::string::npos && output.size() < kMaxCgiHeader) {
    const Result<std::string> some = command->Read();
    if (!some.ok() || some->empty()) return Say(500, "git gave no answer\n");
    output += *some;
    split = output.find("\r\n\r\n");
  }
  if (split == std::string::npos) return Say(500, "git gave no answer\n");
  Answer answer;
  answer.reply = ParseCgiHeader(std::string_view(output).substr(0, split));
  std::string rest = output.substr(split + 4);
  if (!pushes) {
    answer.stream = [command, first = std::move(rest)]() mutable -> Result<std::string> {
      if (!first.empty()) return std::exchange(first, {});
      return command->Read();
    };
    return answer;
  }
  const Result<std::string> more = command->ReadAll(kMaxPushReply);
  if (!more.ok()) return Say(500, "git gave no whole answer\n");
  command->Wait();
  answer.reply.body = rest + *more;
  world_.RefsMoved(*asked->repo, *user, before);
  return answer;
}

}  // namespace swage::sandbox
