#include "pipeline/store/postgres/listener.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace swage::postgres {
namespace {

constexpr std::chrono::milliseconds kFirstPause{250};
constexpr std::chrono::milliseconds kLongestPause{5'000};
// Keepalives find a dead server; this only bounds what they miss.
constexpr std::chrono::milliseconds kIdle{60'000};
constexpr Topic kTopics[] = {Topic::kDeliveries, Topic::kTasks, Topic::kEffects};

std::string Channel(Topic topic) {
  return fmt::format("swage_{}", Name(topic));
}

unsigned Bit(Topic topic) {
  return 1u << static_cast<unsigned>(topic);
}

}  // namespace

Listener::Listener(Address address)
    : address_(std::move(address)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { Loop(); }) {}

Listener::~Listener() {
  stopping_ = true;
  Wake();
  thread_.join();
}

void Listener::OnNews(std::function<void(Topic)> tell) {
  const std::lock_guard lock(mutex_);
  tell_ = std::move(tell);
}

void Listener::Announce(Topic topic) {
  if ((announced_.fetch_or(Bit(topic)) & Bit(topic)) == 0) Wake();
}

void Listener::Wake() {
  const std::uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof one);
}

void Listener::Tell(Topic topic) {
  const std::lock_guard lock(mutex_);
  if (tell_) tell_(topic);
}

void Listener::Wait(int socket, std::chrono::milliseconds limit) {
  pollfd fds[] = {{wake_.get(), POLLIN, 0}, {socket, POLLIN, 0}};
  poll(fds, socket < 0 ? 1 : 2, static_cast<int>(limit.count()));
  std::uint64_t count = 0;
  (void)!read(wake_.get(), &count, sizeof count);
}

void Listener::Loop() {
  const SystemClock clock;
  std::chrono::milliseconds pause = kFirstPause;
  while (!stopping_) {
    if (const auto db = Connection::Open(address_); db.ok()) {
      pause = kFirstPause;
      Serve(**db);
    }
    // An announcement wakes the wait, and must not make it short.
    for (const MonotonicTime until = clock.Monotonic() + pause;
         !stopping_ && clock.Monotonic() < until;) {
      Wait(-1, std::chrono::ceil<std::chrono::milliseconds>(until - clock.Monotonic()));
    }
    pause = std::min(2 * pause, kLongestPause);
  }
}

void Listener::Serve(Connection& db) {
  const SystemClock clock;
  for (const Topic topic : kTopics) {
    if (!db.Script("LISTEN " + Channel(topic)).ok()) return;
  }
  for (const Topic topic : kTopics) Tell(topic);  // whatever came before was not heard
  MonotonicTime next_round = clock.Monotonic();
  while (!stopping_) {
    const auto early = next_round - clock.Monotonic();
    if (announced_ == 0) {
      Wait(PQsocket(db.handle()), kIdle);
    } else if (early > early.zero()) {
      Wait(PQsocket(db.handle()), std::chrono::ceil<std::chrono::milliseconds>(early));
    } else {
      if (!SendAnnounced(db)) return;
      next_round = clock.Monotonic() + kGather;
    }
    if (!ReadNews(db)) return;
  }
}

bool Listener::SendAnnounced(Connection& db) {
  const unsigned bits = announced_.exchange(0);
  std::string script;
  for (const Topic topic : kTopics) {
    if ((bits & Bit(topic)) != 0) script += fmt::format("NOTIFY {};", Channel(topic));
  }
  return db.Script(script).ok();
}

bool Listener::ReadNews(Connection& db) {
  struct Free {
    void operator()(PGnotify* news) const { PQfreemem(news); }
  };
  if (PQconsumeInput(db.handle()) == 0) return false;
  while (const std::unique_ptr<PGnotify, Free> news{PQnotifies(db.handle())}) {
    if (news->be_pid == PQbackendPID(db.handle())) continue;
    for (const Topic topic : kTopics) {
      if (Channel(topic) == news->relname) Tell(topic);
    }
  }
  return !db.lost();
}

}  // namespace swage::postgres
