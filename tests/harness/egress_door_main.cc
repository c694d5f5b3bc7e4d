// swage-egress-door SOCKET COMMAND [ARGUMENT...]: offers a door to the egress proxy from inside of
// whatever encloses it, and becomes the command.
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "pipeline/isolation/egress_offer.h"

int main(int argc, char** argv) {
  if (argc < 3) return 64;
  const int error = swage::OfferEgress(argv[1], swage::kEgressDoorPort);
  if (error != 0) {
    std::fprintf(stderr, "no egress: %s\n", std::strerror(error));
    return 65;
  }
  execvp(argv[2], argv + 2);
  return 66;
}
