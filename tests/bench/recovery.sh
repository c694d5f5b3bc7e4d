# Seconds from a SIGKILL of a server with four tasks in flight
#   restart    one server on SQLite, started again at once: until it serves, and until all of its tasks run again
#   takeover   two nodes on PostgreSQL with the default lease: until the other one runs them (at most 90 s, B5)
# See recovery_bench.cc. LEASE=10s shows what the lease is of that.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lease=${LEASE:-60s}  # node.lease

need swage_recovery_bench
bench=$build/bin/swage_recovery_bench
failed=0
for what in restart "takeover $lease"; do
  # shellcheck disable=SC2086  # two words
  "$bench" $what 2>"$scratch/recovery.err" || { note "recovery, $what: $(tail -n 1 "$scratch/recovery.err")"; failed=1; }
done
exit "$failed"
