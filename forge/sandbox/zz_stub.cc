#include "forge/sandbox/dialect.h"
namespace swage::sandbox {
std::unique_ptr<ApiDialect> MakeGitHubDialect() { return nullptr; }
void MountPage(Router&, Dialect) {}
}
