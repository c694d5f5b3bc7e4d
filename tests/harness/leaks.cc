#include "tests/harness/leaks.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/base/text.h"

namespace swage::test {
namespace fs = std::filesystem;
namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(3);

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool HoldsOne(std::string_view text, const std::vector<std::string>& forms) {
  for (const std::string& form : forms) {
    if (text.find(form) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> FormsOf(std::string_view secret) {
  const std::string plain(secret);
  return {plain,
          {plain.rbegin(), plain.rend()},
          Base64Encode(plain),
          Base64Encode("x-access-token:" + plain),
          Base64Encode("oauth2:" + plain)};
}

std::vector<std::string> LeaksOf(Box& box, const std::vector<std::string>& forms) {
  std::vector<std::string> places;
  if (HoldsOne(box.ServerLog(), forms)) places.emplace_back("the server's log");
  for (const auto& entry : fs::recursive_directory_iterator(box.data_dir())) {
    if (!entry.is_regular_file() || entry.is_symlink()) continue;
    if (HoldsOne(Slurp(entry.path()), forms)) places.push_back(entry.path());
  }
  for (const sandbox::LoggedRequest& request : box.forge().Requests()) {
    if (HoldsOne(request.target + "\n" + request.body, forms)) {
      places.push_back(request.method + " " + request.target);
    }
  }
  for (const std::string& text : box.BotTexts()) {
    if (HoldsOne(text, forms)) places.push_back("a text at the forge: " + text);
  }
  return places;
}

ArgvWatch::ArgvWatch(std::vector<std::string> forms)
    : forms_(std::move(forms)), thread_([this](std::stop_token stop) {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        while (!stop.stop_requested()) {
          LookOnce();
          never.wait_for(lock, stop, kBetweenLooks, [] { return false; });
        }
      }) {}

void ArgvWatch::LookOnce() {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc", gone)) {
    const std::string name = entry.path().filename();
    if (name.empty() || name[0] < '0' || name[0] > '9') continue;
    std::string command = Slurp(entry.path() / "cmdline");
    if (HoldsOne(command, forms_)) seen_.push_back(std::move(command));
  }
  ++rounds_;
}

std::vector<std::string> ArgvWatch::Stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  return seen_;
}

}  // namespace swage::test
