#include "forge/sandbox/webhooks.h"

#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "config/base/crypto.h"
#include "config/base/text.h"

namespace swage::sandbox {
namespace {

constexpr std::size_t kKeptResponse = 4'096;

// Random, in the form of a version 4 UUID (RFC 9562).
std::string NewGuid() {
  std::string hex = RandomHex(16);
  hex[12] = '4';
  hex[16] = "89ab"[hex[16] % 4];
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

struct Target {
  std::string origin;  ///< scheme, host and port
  std::string path;
};

Target SplitUrl(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t slash =
      scheme == std::string::npos ? std::string::npos : url.find('/', scheme + 3);
  if (slash == std::string::npos) return {url, "/"};
  return {url.substr(0, slash), url.substr(slash)};
}

}  // namespace

struct WebhookSender::State {
  struct Job {
    Hook hook;
    Id delivery = 0;
  };

  const ApiDialect& dialect;
  Faults& faults;
  const Clock& clock;
  const std::chrono::milliseconds delay;
  const std::function<void(const Delivery&)> on_done;

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  bool stopping = false;
  bool busy = false;
  Id next_id = 1;
  std::deque<Delivery> deliveries;
  std::deque<Job> queue;
  std::map<Id, Job> held;  ///< by hook: to be sent after the next one
  httplib::Client* client = nullptr;
  std::thread thread;

  State(const ApiDialect& d, Faults& f, const Clock& c, std::chrono::milliseconds wait,
        std::function<void(const Delivery&)> done)
      : dialect(d), faults(f), clock(c), delay(wait), on_done(std::move(done)) {}

  // With the lock held. Newest first: those are asked for.
  Delivery* Find(Id id) {
    const auto found = std::find_if(deliveries.rbegin(), deliveries.rend(),
                                    [id](const Delivery& delivery) { return delivery.id == id; });
    return found == deliveries.rend() ? nullptr : &*found;
  }

  // With the lock held. The oldest delivery is forgotten first.
  Id Enqueue(const Hook& hook, Delivery delivery) {
    if (queue.size() >= kMaxQueued) return 0;
    delivery.id = next_id++;
    deliveries.push_back(std::move(delivery));
    if (deliveries.size() > kMaxDeliveries) deliveries.pop_front();
    queue.push_back({hook, deliveries.back().id});
    changed.notify_all();
    return deliveries.back().id;
  }

  void Run();
  void Process(const Job& job);
  void Post(const Job& job);
};

void WebhookSender::State::Run() {
  std::unique_lock lock(mutex);
  for (;;) {
    busy = false;
    changed.notify_all();
    changed.wait(lock, [this] { return stopping || !queue.empty(); });
    if (stopping) return;
    busy = true;
    const Job job = std::move(queue.front());
    queue.pop_front();
    if (delay.count() > 0 && changed.wait_for(lock, delay, [this] { return stopping; })) return;
    lock.unlock();
    Process(job);
    lock.lock();
  }
}

void WebhookSender::State::Process(const Job& job) {
  std::string event;
  {
    const std::lock_guard lock(mutex);
    if (const Delivery* delivery = Find(job.delivery)) event = delivery->event;
  }
  const std::optional<FaultRule> fault = faults.TakeForWebhook(event);
  int copies = 1;
  if (fault.has_value() && fault->action == FaultAction::kWebhookReorder) {
    const std::lock_guard lock(mutex);
    held[job.hook.id] = job;
    return;
  }
  if (fault.has_value() && fault->action == FaultAction::kWebhookDrop) {
    const std::lock_guard lock(mutex);
    if (Delivery* delivery = Find(job.delivery)) delivery->done = delivery->dropped = true;
    return;
  }
  if (fault.has_value() && fault->action == FaultAction::kWebhookDuplicate) copies += fault->copies;
  for (int i = 0; i < copies; ++i) Post(job);
  std::optional<Job> late;
  {
    const std::lock_guard lock(mutex);
    const auto it = held.find(job.hook.id);
    if (it != held.end()) late = std::move(it->second);
    held.erase(job.hook.id);
  }
  if (late.has_value()) Post(*late);
}

void WebhookSender::State::Post(const Job& job) {
  const Target target = SplitUrl(job.hook.url);
  httplib::Client post(target.origin);
  post.set_connection_timeout(kTimeout);
  post.set_read_timeout(kTimeout);
  post.set_write_timeout(kTimeout);
  Delivery delivery;
  {
    const std::lock_guard lock(mutex);
    const Delivery* kept = Find(job.delivery);
    if (kept == nullptr || stopping) return;
    delivery = *kept;
    client = &post;
  }
  delivery.headers = dialect.Headers(job.hook, delivery, clock.Now());
  delivery.delivered_at = clock.Now();
  const MonotonicTime start = clock.Monotonic();
  httplib::Headers headers;
  std::string type = "application/json";
  for (const auto& [name, value] : delivery.headers) {
    if (EqualsIgnoreCase(name, "content-type")) {
      type = value;
    } else {
      headers.emplace(name, value);
    }
  }
  const httplib::Result answer = post.Post(target.path, headers, delivery.payload, type);
  delivery.duration_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.Monotonic() - start).count();
  delivery.status = answer ? answer->status : 0;
  delivery.response = answer ? answer->body.substr(0, kKeptResponse) : "";
  delivery.done = true;
  {
    const std::lock_guard lock(mutex);
    client = nullptr;
    if (Delivery* kept = Find(delivery.id)) *kept = delivery;
  }
  if (on_done) on_done(delivery);
}

WebhookSender::WebhookSender(const ApiDialect& dialect, Faults& faults, const Clock& clock,
                             std::chrono::milliseconds delay,
                             std::function<void(const Delivery&)> on_done)
    : state_(std::make_unique<State>(dialect, faults, clock, delay, std::move(on_done))) {
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
}

WebhookSender::~WebhookSender() {
  Stop();
}

void WebhookSender::Stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    if (state_->client != nullptr) state_->client->stop();
    state_->changed.notify_all();
  }
  if (state_->thread.joinable()) state_->thread.join();
}

Id WebhookSender::Send(const Hook& hook, Id repo, Payload payload) {
  Delivery delivery;
  delivery.hook = hook.id;
  delivery.repo = repo;
  delivery.guid = NewGuid();
  delivery.event = std::move(payload.event);
  delivery.action = std::move(payload.action);
  delivery.url = hook.url;
  delivery.payload = std::move(payload.body);
  const std::lock_guard lock(state_->mutex);
  return state_->Enqueue(hook, std::move(delivery));
}

std::optional<Id> WebhookSender::Redeliver(const Hook& hook, Id delivery) {
  const std::lock_guard lock(state_->mutex);
  const Delivery* earlier = state_->Find(delivery);
  if (earlier == nullptr) return std::nullopt;
  Delivery again = *earlier;
  again.redelivery = true;
  again.done = again.dropped = false;
  again.status = 0;
  again.response.clear();
  again.headers.clear();
  return state_->Enqueue(hook, std::move(again));
}

std::vector<Delivery> WebhookSender::Deliveries() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->deliveries.begin(), state_->deliveries.end()};
}

std::vector<Delivery> WebhookSender::Deliveries(Id hook) const {
  std::vector<Delivery> all = Deliveries();
  std::erase_if(all, [hook](const Delivery& delivery) { return delivery.hook != hook; });
  return all;
}

std::optional<Delivery> WebhookSender::Find(Id delivery) const {
  const std::lock_guard lock(state_->mutex);
  const Delivery* found = state_->Find(delivery);
  return found == nullptr ? std::nullopt : std::optional<Delivery>(*found);
}

bool WebhookSender::WaitIdle(std::chrono::milliseconds limit) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, limit,
                                  [this] { return state_->queue.empty() && !state_->busy; });
}

}  // namespace swage::sandbox
