// The only place that names concrete forges and engines.
#include <iostream>

#include "bot/cli.h"

int main(int argc, char** argv) {
  swage::CliActions actions;
  actions.serve = [](const swage::ServeOptions&) { return swage::kExitFailed; };
  actions.demo = [](const swage::DemoOptions&) { return swage::kExitFailed; };
  actions.demo_forges = {"github", "gitlab"};
  return swage::RunCli(argc, argv, actions, std::cout, std::cerr);
}
