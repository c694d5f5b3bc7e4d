// A running sandbox forge with a repository "acme/widget", and a plain HTTP client to speak to it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/base/files.h"
#include "forge/sandbox/sandbox_forge.h"

namespace swage::sandbox {

struct HttpAnswer {
  int status = 0;  ///< 0 = no answer
  std::map<std::string, std::string> headers;
  std::string text;
  nlohmann::json body;
};

class SandboxTest : public ::testing::Test {
 protected:
  explicit SandboxTest(Dialect dialect = Dialect::kGitHub);

  /// `token` empty = anonymous. `body` null = none.
  HttpAnswer Call(const std::string& method, const std::string& path, const std::string& token,
                  const nlohmann::json& body = nullptr,
                  const std::map<std::string, std::string>& headers = {});
  /// A branch with one commit that changes these files.
  std::string Commit(const std::string& branch, const std::map<std::string, std::string>& files);
  /// Opens a pull request of `branch` as the bot; returns its number.
  std::int64_t OpenPull(const std::string& branch);
  /// Runs git with an empty environment; returns its exit code and, in `output`, what it said.
  int Git(const std::vector<std::string>& arguments, std::string* output = nullptr);
  /// The repository's URL with the token as the password.
  std::string CloneUrl(const std::string& token) const;

  TempDir dir_;
  std::unique_ptr<SandboxForge> forge_;
  std::string admin_;     ///< token of the owner, "acme"
  std::string bot_;       ///< token of "swage-bot", a writer
  std::string reader_;    ///< token of "rita", who may only read
  std::string stranger_;  ///< token of "sam", no member
  const std::string repo_ = "acme/widget";
};

}  // namespace swage::sandbox
