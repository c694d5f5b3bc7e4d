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
Result<GitHttp::Pack> Spool(const BodyReader& body, const std::filesystem::path& dir) {
  GitHttp::Pack pack{Fd(open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)), 0};
  if (!pack.file.valid()) return MakeError(ErrorCode::kInternal, "cannot keep the pack");
  const bool complete = body([&](std::string_view bytes) {
    pack.size += bytes.size();
    if (pack.size > GitHttp::kMaxPack) return false;
    while (!bytes.empty()) {
      const ssize_t written = write(pack.file.get(), bytes.data(), bytes.size());
      if (written <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  });
  if (!complete) return MakeError(ErrorCode::kTooLarge, "the pack did not arrive whole");
  lseek(pack.file.get(), 0, SEEK_SET);
  return pack;
}

struct CgiHead {
  Reply reply;
  std::string rest;  ///< what came of the body along with the header
};

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

Result<CgiHead> ReadHead(Command& command) {
  std::string output;
  while (output.size() < kMaxCgiHeader) {
    SWAGE_ASSIGN_OR_RETURN(const std::string some, command.Read());
    if (some.empty()) break;
    output += some;
    const std::size_t split = output.find("\r\n\r\n");
    if (split == std::string::npos) continue;
    return CgiHead{ParseCgiHeader(std::string_view(output).substr(0, split)),
                   output.substr(split + 4)};
  }
  return MakeError(ErrorCode::kInternal, "git gave no answer");
}

/// The whole answer at once: a push has to be over before anybody is told of it.
Answer RunWhole(const CommandSpec& spec) {
  Result<Command> command = Command::Start(spec);
  if (!command.ok()) return Say(500, "git does not run\n");
  Result<CgiHead> head = ReadHead(*command);
  if (!head.ok()) return Say(500, head.error().message + "\n");
  const Result<std::string> more = command->ReadAll(kMaxPushReply);
  if (!more.ok()) return Say(500, more.error().message + "\n");
  command->Wait();
  head->reply.body = head->rest + *more;
  return {std::move(head->reply), nullptr, false};
}

/// The answer as it comes: a clone may be of any size.
Answer RunStreaming(const CommandSpec& spec) {
  Result<Command> started = Command::Start(spec);
  if (!started.ok()) return Say(500, "git does not run\n");
  const auto command = std::make_shared<Command>(std::move(*started));
  Result<CgiHead> head = ReadHead(*command);
  if (!head.ok()) return Say(500, head.error().message + "\n");
  const auto source = [command, first = std::move(head->rest)]() mutable -> Result<std::string> {
    return first.empty() ? command->Read() : std::exchange(first, {});
  };
  return {std::move(head->reply), source, false};
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

std::optional<Answer> GitHttp::Refuse(const Asked& asked, const User* user,
                                      std::string_view token) {
  if (!token.empty() && user == nullptr) return AskForCredentials();
  const Role role = asked.repo == nullptr ? Role::kNone : world_.RoleOf(*asked.repo, user);
  // Like the real ones: a stranger is asked who he is before he hears that there is nothing to see.
  if (role == Role::kNone) return user == nullptr ? AskForCredentials() : Say(404, "Not found\n");
  if (!world_.apps().Allows(token, *asked.repo, "contents", asked.writes, world_.Now())) {
    return Say(asked.writes ? 403 : 404, "Repository not accessible by integration\n");
  }
  if (!asked.writes) return std::nullopt;
  if (user == nullptr) return AskForCredentials();
  if (asked.repo->archived) return Say(403, "This repository was archived so it is read-only.\n");
  if (role < Role::kWrite) return Say(403, fmt::format("Permission denied to {}.\n", user->login));
  return std::nullopt;
}

CommandSpec GitHttp::Backend(const Request& request, const Asked& asked, const std::string& login,
                             const Pack& pack) const {
  const std::string query = request.target.size() > request.path.size()
                                ? request.target.substr(request.path.size() + 1)
                                : std::string();
  // A renamed repository stays where it was made.
  const std::string place = asked.repo->git_dir.lexically_relative(world_.GitRoot()).string();
  const std::pair<std::string_view, std::string> variables[] = {
      {"GIT_PROJECT_ROOT", world_.GitRoot().string()},
      {"GIT_HTTP_EXPORT_ALL", "1"},
      {"PATH_INFO", fmt::format("/{}{}", place, asked.end)},
      {"REQUEST_METHOD", request.method},
      {"QUERY_STRING", query},
      {"CONTENT_TYPE", request.Header("content-type")},
      {"CONTENT_LENGTH", std::to_string(pack.size)},  // inflated: the encoding is gone already
      {"GIT_PROTOCOL", request.Header("git-protocol")},
      {"REMOTE_USER", login},
      {"GIT_CONFIG_COUNT", "1"},
      {"GIT_CONFIG_KEY_0", "safe.directory"},
      {"GIT_CONFIG_VALUE_0", "*"},
  };
  CommandSpec spec;
  spec.argv = {"git", "http-backend"};
  spec.env = GitEnvironment(data_dir_ / "home");
  spec.stdin_fd = pack.file.get();
  for (const auto& [name, value] : variables) {
    if (!value.empty()) spec.env.push_back(fmt::format("{}={}", name, value));
  }
  return spec;
}

Answer GitHttp::Serve(const Request& request, const BodyReader& body, std::string& login) {
  const Result<Pack> pack = Spool(body, data_dir_);
  if (!pack.ok()) return Say(413, pack.error().message + "\n");

  std::unique_lock lock(mutex_);
  const std::optional<Asked> asked = Read(request);
  if (!asked.has_value()) return Say(404, "Not found\n");
  const std::string token = BasicToken(request);
  const User* user = world_.FindUserByToken(token);
  if (user != nullptr) login = user->login;
  if (auto refused = Refuse(*asked, user, token)) return *refused;

  const CommandSpec spec = Backend(request, *asked, login, *pack);
  if (asked->end == "/git-receive-pack") {
    const auto before = world_.RefsOf(*asked->repo);
    const Answer answer = RunWhole(spec);
    world_.RefsMoved(*asked->repo, *user, before);
    return answer;
  }
  lock.unlock();
  return RunStreaming(spec);
}

}  // namespace swage::sandbox
