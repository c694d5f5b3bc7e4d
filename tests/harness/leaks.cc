#include "tests/harness/leaks.h"

#include <condition_variable>
#include <filesystem>

#include "config/base/text.h"

namespace swage::test {
namespace fs = std::filesystem;
namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(3);

constexpr std::size_t kLargestFile = 256 << 20;

// Empty for what has vanished meanwhile: a process that ended, a file that was released.
std::string Slurp(const fs::path& path) {
  const auto bytes = ReadFile(path, kLargestFile);
  return bytes.ok() ? *bytes : "";
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
  std::error_code gone;
  for (fs::recursive_directory_iterator at(box.data_dir(), gone), end; at != end;
       at.increment(gone)) {
    if (!at->is_regular_file(gone) || at->is_symlink(gone)) continue;
    if (HoldsOne(Slurp(at->path()), forms)) places.push_back(at->path());
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
  for (fs::directory_iterator at("/proc", gone), end; at != end; at.increment(gone)) {
    const std::string name = at->path().filename();
    if (name.empty() || name[0] < '0' || name[0] > '9') continue;
    std::string command = Slurp(at->path() / "cmdline");
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
