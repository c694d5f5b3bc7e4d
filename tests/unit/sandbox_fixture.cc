#include "tests/unit/sandbox_fixture.h"

#include <fmt/format.h>
#include <httplib.h>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/command.h"

namespace swage::sandbox {
namespace {

std::string NumberedLines(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) text += fmt::format("line {}\n", i);
  return text;
}

}  // namespace

SandboxTest::SandboxTest(Dialect dialect) : dir_("sandbox-test-") {
  SandboxOptions options;
  options.dialect = dialect;
  options.data_dir = dir_.path() / "forge";
  auto started = SandboxForge::Start(std::move(options));
  SWAGE_CHECK(started.ok());
  forge_ = std::move(*started);
  const Result<void> made = forge_->CreateRepoFromFiles(
      repo_, {{"README.md", "# widget\n"}, {"src/a.txt", NumberedLines(40)}});
  SWAGE_CHECK(made.ok());
  admin_ = forge_->CreateUser("acme");
  bot_ = forge_->CreateUser("swage-bot", true);
  reader_ = forge_->CreateUser("rita");
  stranger_ = forge_->CreateUser("sam");
  forge_->SetMember(repo_, "swage-bot", Role::kWrite);
  forge_->SetMember(repo_, "rita", Role::kRead);
}

HttpAnswer SandboxTest::Call(const std::string& method, const std::string& path,
                             const std::string& token, const nlohmann::json& body,
                             const std::map<std::string, std::string>& headers) {
  httplib::Client client(forge_->Url());
  httplib::Request request;
  request.method = method;
  request.path = path;
  for (const auto& [name, value] : headers) request.headers.emplace(name, value);
  if (!token.empty()) request.headers.emplace("Authorization", "token " + token);
  if (!body.is_null()) {
    request.headers.emplace("Content-Type", "application/json");
    request.body = DumpJson(body);
  }
  const httplib::Result result = client.send(request);
  HttpAnswer answer;
  if (!result) return answer;
  answer.status = result->status;
  for (const auto& [name, value] : result->headers) answer.headers[ToLower(name)] = value;
  answer.text = result->body;
  const Result<nlohmann::json> parsed = ParseJson(answer.text);
  if (parsed.ok()) answer.body = *parsed;
  return answer;
}

std::string SandboxTest::Commit(const std::string& branch,
                                const std::map<std::string, std::string>& files) {
  const Result<std::string> sha =
      forge_->CommitToBranch(repo_, "swage-bot", branch, files, "Change");
  SWAGE_CHECK(sha.ok());
  return *sha;
}

std::int64_t SandboxTest::OpenPull(const std::string& branch) {
  NewPull pull;
  pull.head_ref = branch;
  pull.base_ref = "main";
  pull.title = "Change " + branch;
  const Result<std::int64_t> number = forge_->CreatePull(repo_, "swage-bot", pull);
  SWAGE_CHECK(number.ok());
  return *number;
}

int SandboxTest::Git(const std::vector<std::string>& arguments, std::string* output) {
  CommandSpec spec;
  spec.argv = {"git", "-c", "user.name=Dev", "-c", "user.email=dev@example.com"};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.env = GitEnvironment(dir_.path());
  spec.merge_stderr = true;
  Result<Command> command = Command::Start(spec);
  SWAGE_CHECK(command.ok());
  Result<std::string> said = command->ReadAll(std::size_t{8} << 20);
  if (output != nullptr) *output = said.ok() ? *said : said.error().message;
  return command->Wait();
}

std::string SandboxTest::CloneUrl(const std::string& token) const {
  return fmt::format("http://x:{}@127.0.0.1:{}/{}.git", token, forge_->Port(), repo_);
}

}  // namespace swage::sandbox
