# The store over a million rows beside the store over a thousand, in turns, in both engines: claims with their completions,
# claims that look past a full repository's queue, and deliveries. See store_bench.cc. ROWS=100000 is quicker.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need swage_store_bench
make_data
TMPDIR=$bench_data "$build/bin/swage_store_bench" flat ${ROWS:+"$ROWS"} || exit 1
start_postgres || exit 0
new_database
SWAGE_BENCH_POSTGRES=$url "$build/bin/swage_store_bench" flat ${ROWS:+"$ROWS"}
