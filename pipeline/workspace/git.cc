#include "pipeline/workspace/git.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "config/base/text.h"
#include "config/settings.h"
#include "pipeline/workspace/checks.h"

namespace swage {
namespace {

constexpr std::size_t kMaxFailureBytes = 500;
constexpr std::string_view kNowhere = "/nonexistent";

struct Setting {
  std::string_view name;
  std::string_view value;
};

// In the scope of the command line: above every file that somebody may have written.
constexpr std::array<Setting, 20> kSettings = {{
    {"core.hooksPath", "/dev/null"},
    {"core.fsmonitor", "false"},
    {"core.untrackedCache", "false"},
    {"core.splitIndex", "false"},
    {"core.excludesFile", "/dev/null"},
    {"core.attributesFile", "/dev/null"},
    {"core.autocrlf", "false"},
    {"core.sshCommand", "/bin/false"},
    {"credential.helper", ""},
    {"gc.auto", "0"},
    {"maintenance.auto", "false"},
    {"submodule.recurse", "false"},
    {"fetch.recurseSubmodules", "false"},
    {"push.recurseSubmodules", "no"},
    {"transfer.credentialsInUrl", "die"},
    {"http.followRedirects", "false"},  // a redirect would carry the header elsewhere (T50)
    // A server that counts objects sends a keep-alive of a few bytes every five seconds.
    {"http.lowSpeedLimit", "1"},
    {"http.lowSpeedTime", "300"},
    {"checkout.workers", "0"},                     // one per core ...
    {"checkout.thresholdForParallelism", "1000"},  // ... where starting them pays
}};

// Writes the numbered triple that git reads its command-line configuration from.
class ConfigEnvironment {
 public:
  explicit ConfigEnvironment(std::map<std::string, std::string>& env, int count = 0)
      : env_(env), count_(count) {}
  void Add(std::string_view name, std::string_view value) {
    env_[fmt::format("GIT_CONFIG_KEY_{}", count_)] = name;
    env_[fmt::format("GIT_CONFIG_VALUE_{}", count_)] = value;
    env_["GIT_CONFIG_COUNT"] = std::to_string(++count_);
  }

 private:
  std::map<std::string, std::string>& env_;
  int count_;
};

std::map<std::string, std::string> BaseEnvironment() {
  const char* path = std::getenv("PATH");
  std::map<std::string, std::string> env = {
      {"PATH", path != nullptr && *path != '\0' ? std::string(path) : std::string(kCommandPath)},
      {"HOME", std::string(kNowhere)},
      {"XDG_CONFIG_HOME", std::string(kNowhere)},
      {"LC_ALL", "C"},  // failures are told apart by their text
      {"TZ", "UTC"},
      {"GIT_CONFIG_NOSYSTEM", "1"},
      {"GIT_CONFIG_GLOBAL", "/dev/null"},
      {"GIT_ATTR_NOSYSTEM", "1"},
      {"GIT_TERMINAL_PROMPT", "0"},
      {"GIT_OPTIONAL_LOCKS", "0"},
      {"GIT_NO_REPLACE_OBJECTS", "1"},
      {"GIT_NO_LAZY_FETCH", "1"},
      {"GIT_ALLOW_PROTOCOL", ""},  // none, unless the call names a remote
  };
  ConfigEnvironment config(env);
  for (const Setting& setting : kSettings) config.Add(setting.name, setting.value);
  return env;
}

std::string BasicCredential(const GitRemote& remote) {
  return Base64Encode(remote.username + ":" + remote.password);
}

std::string WithoutCredential(std::string text, const GitRemote* remote) {
  if (remote == nullptr) return text;
  for (const std::string& secret :
       {BasicCredential(*remote), remote->password, PercentEncode(remote->password),
        remote->proxy.password.value, PercentEncode(remote->proxy.password.value)}) {
    text = ReplaceAll(std::move(text), secret, "[redacted]");
  }
  return text;
}

// "https://user:secret@host" -> "https://host", in any text.
std::string WithoutUserInfo(std::string_view text) {
  std::string out;
  for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://")) {
    out.append(text.substr(0, at + 3));
    text.remove_prefix(at + 3);
    const std::size_t end = std::min(text.find_first_of("/ '\"\n"), text.size());
    const std::size_t user_end = text.substr(0, end).rfind('@');
    if (user_end != std::string_view::npos) text.remove_prefix(user_end + 1);
  }
  return out.append(text);
}

struct Symptom {
  std::string_view text;  // lower case
  ErrorCode code;
};

// The first that occurs decides, so causes stand before the noise that follows them.
constexpr std::array<Symptom, 44> kSymptoms = {{
    {"from proxy after connect", ErrorCode::kUnavailable},
    {"connect tunnel failed", ErrorCode::kUnavailable},
    {"proxy connect aborted", ErrorCode::kUnavailable},
    {"authentication failed", ErrorCode::kUnauthenticated},
    {"could not read username", ErrorCode::kUnauthenticated},
    {"could not read password", ErrorCode::kUnauthenticated},
    {"returned error: 401", ErrorCode::kUnauthenticated},
    {"returned error: 403", ErrorCode::kDenied},
    {"returned error: 404", ErrorCode::kNotFound},
    {"returned error: 429", ErrorCode::kRateLimited},
    {"returned error: 5", ErrorCode::kUnavailable},
    {"returned error: 3", ErrorCode::kInvalid},
    {"repository not found", ErrorCode::kNotFound},
    {"' not found", ErrorCode::kNotFound},
    {"does not appear to be a git repository", ErrorCode::kNotFound},
    {"couldn't find remote ref", ErrorCode::kNotFound},
    {"not allowed to ", ErrorCode::kDenied},
    {"' not allowed", ErrorCode::kInvalid},
    {"stale info", ErrorCode::kConflict},
    {"non-fast-forward", ErrorCode::kConflict},
    {"fetch first", ErrorCode::kConflict},
    {"already exists)", ErrorCode::kConflict},
    {"cannot lock ref", ErrorCode::kConflict},
    {"failed to update ref", ErrorCode::kConflict},
    {"[remote rejected]", ErrorCode::kDenied},
    {"permission to", ErrorCode::kDenied},
    {"access denied", ErrorCode::kDenied},
    {"no space left on device", ErrorCode::kUnavailable},
    {"could not resolve host", ErrorCode::kUnavailable},
    {"couldn't resolve host", ErrorCode::kUnavailable},
    {"failed to connect", ErrorCode::kUnavailable},
    {"couldn't connect", ErrorCode::kUnavailable},
    {"connection refused", ErrorCode::kUnavailable},
    {"connection reset", ErrorCode::kUnavailable},
    {"timed out", ErrorCode::kUnavailable},
    {"too slow", ErrorCode::kUnavailable},
    {"empty reply", ErrorCode::kUnavailable},
    {"hung up", ErrorCode::kUnavailable},
    {"early eof", ErrorCode::kUnavailable},
    {"rpc failed", ErrorCode::kUnavailable},
    {"unexpected disconnect", ErrorCode::kUnavailable},
    {"certificate", ErrorCode::kUnavailable},
    {"ssl", ErrorCode::kUnavailable},
    {"tls", ErrorCode::kUnavailable},
}};

ErrorCode CodeOfLimit(ProcessEnd end) {
  return end == ProcessEnd::kStopped ? ErrorCode::kCancelled : ErrorCode::kTimeout;
}

}  // namespace

ErrorCode ClassifyGitFailure(std::string_view stderr_text) {
  const std::string text = ToLower(stderr_text);
  for (const Symptom& symptom : kSymptoms) {
    if (text.find(symptom.text) != std::string::npos) return symptom.code;
  }
  return ErrorCode::kInternal;
}

std::string SummariseGitFailure(std::string_view stderr_text) {
  const std::string clean = ToValidUtf8(StripControl(stderr_text));
  // Whatever a forge's hook says is why it declined.
  const bool declined = clean.find("[remote rejected]") != clean.npos;
  std::string telling, last;
  for (const std::string_view raw : SplitLines(clean)) {
    const std::string_view line = Trim(raw);
    if (line.empty()) continue;
    last = line;
    const bool tells =
        line.starts_with("fatal: ") || line.starts_with("error: ") || line.starts_with("! ") ||
        line.starts_with("remote: error") || line.starts_with("remote: GitLab") ||
        line.starts_with("remote: Permission") || (declined && line.starts_with("remote: "));
    if (tells && !line.starts_with("error: failed to push")) {
      if (!telling.empty()) telling += "; ";
      telling += line;
    }
  }
  return Truncate(WithoutUserInfo(telling.empty() ? last : telling), kMaxFailureBytes);
}

Result<ProcessSpec> Git::MakeSpec(const GitCall& call) const {
  ProcessSpec spec;
  spec.env = BaseEnvironment();
  spec.argv = {options_.git, "--git-dir=" + call.git_dir.string()};
  if (!call.work_tree.empty()) spec.argv.push_back("--work-tree=" + call.work_tree.string());
  spec.argv.push_back("--no-pager");
  spec.argv.insert(spec.argv.end(), call.arguments.begin(), call.arguments.end());
  spec.cwd = call.work_tree.empty() ? call.git_dir : call.work_tree;
  spec.time_limit = call.time_limit;
  spec.merge_stderr = false;
  spec.output_cap = call.output_cap;
  spec.stdin_bytes = call.input;
  if (!call.index.empty()) spec.env["GIT_INDEX_FILE"] = call.index;
  if (call.remote == nullptr) return spec;

  const GitRemote& remote = *call.remote;
  SWAGE_ASSIGN_OR_RETURN(spec.env["GIT_ALLOW_PROTOCOL"],
                         ProtocolFor(remote.url, options_.allow_file_remotes));
  const bool proxied = remote.proxy.Serves(remote.url);
  if (!remote.password.empty() || !remote.ca_file.empty() || proxied) {
    ConfigEnvironment config(spec.env, static_cast<int>(kSettings.size()));
    const std::string section = fmt::format("http.{}/.", OriginOf(remote.url));
    if (!remote.password.empty()) {
      config.Add(section + "extraHeader", "Authorization: Basic " + BasicCredential(remote));
    }
    if (!remote.ca_file.empty()) config.Add(section + "sslCAInfo", remote.ca_file);
    if (proxied) {
      config.Add(section + "proxy", remote.proxy.AddressWithCredential());
      config.Add(section + "proxyAuthMethod", "basic");
    }
  }
  return spec;
}

Result<std::string> Git::Run(const GitCall& call, std::stop_token stop) const {
  SWAGE_ASSIGN_OR_RETURN(const ProcessSpec spec, MakeSpec(call));
  std::string output;
  const auto collect = [&output](std::string_view bytes) { output.append(bytes); };
  const std::string name = "git " + call.arguments.front();
  auto ran = processes_.Run(spec, collect, std::move(stop));
  if (!ran.ok()) return ran.error().With(name);
  const ProcessResult& result = *ran;
  if (result.end != ProcessEnd::kExited && result.end != ProcessEnd::kSignalled) {
    return MakeError(CodeOfLimit(result.end), fmt::format("{}: {}", name, result.Describe()));
  }
  const bool answered = result.end == ProcessEnd::kExited && result.exit_code == call.also_fine;
  if (!result.Succeeded() && !answered) {
    const std::string why = SummariseGitFailure(WithoutCredential(result.stderr_tail, call.remote));
    return MakeError(ClassifyGitFailure(result.stderr_tail),
                     fmt::format("{}: {}", name, why.empty() ? result.Describe() : why));
  }
  if (result.dropped_bytes > 0) {
    return MakeError(ErrorCode::kTooLarge,
                     fmt::format("{}: more than {} bytes", name, call.output_cap));
  }
  return output;
}

Result<void> Git::CheckVersion() const {
  ProcessSpec spec;
  spec.env = BaseEnvironment();
  spec.argv = {options_.git, "--version"};
  spec.cwd = "/";
  spec.time_limit = std::chrono::seconds(10);
  const auto version = RunAndCapture(processes_, std::move(spec));
  if (!version.ok()) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("{}; install git 2.39.4 or newer", version.error().message));
  }
  return CheckGitVersion(*version);
}

}  // namespace swage
