#include "pipeline/store/crash_store.h"

#include <string>

#include "pipeline/store/store_filter.h"

namespace swage {
namespace {

/// Owns what the filter before it refers to.
struct InnerStore {
  std::unique_ptr<Store> store;
};

class CrashStore final : private InnerStore, public StoreFilter {
 public:
  CrashStore(std::unique_ptr<Store> inner, CrashPoints& points)
      : InnerStore{std::move(inner)}, StoreFilter(*store), points_(points) {}

 private:
  std::optional<Error> After(const Operation& operation) override {
    if (operation.access == Access::kWrite) {
      points_.Pass("store/" + std::string(operation.name));
    }
    return std::nullopt;
  }

  CrashPoints& points_;
};

}  // namespace

std::unique_ptr<Store> WithCrashPoints(std::unique_ptr<Store> inner, CrashPoints& points) {
  return std::make_unique<CrashStore>(std::move(inner), points);
}

}  // namespace swage
