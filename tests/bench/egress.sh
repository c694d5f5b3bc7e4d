#!/bin/bash
# egress: milliseconds per request through the proxy of tasks without a network, beside direct ones.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need swage_egress_bench
"$build/bin/swage_egress_bench"
