#include "pipeline/store/hold.h"

#include <utility>

namespace swage {

class LocalHolds::LocalHold final : public Hold {
 public:
  LocalHold(std::shared_ptr<Taken> taken, std::string name)
      : taken_(std::move(taken)), name_(std::move(name)) {}
  ~LocalHold() override {
    const std::lock_guard lock(taken_->mutex);
    taken_->names.erase(name_);
  }
  Result<void> Check() override { return Ok(); }

 private:
  const std::shared_ptr<Taken> taken_;
  const std::string name_;
};

std::unique_ptr<Hold> LocalHolds::TryHold(std::string_view name) {
  const std::lock_guard lock(taken_->mutex);
  if (!taken_->names.insert(std::string(name)).second) return nullptr;
  return std::make_unique<LocalHold>(taken_, std::string(name));
}

}  // namespace swage
