# What the levels of isolation cost for each command that starts: see isolation_bench.cc.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need swage_isolation_bench
"$build/bin/swage_isolation_bench" 2>"$scratch/isolation.err" || { note "$(tail -n 5 "$scratch/isolation.err")"; exit 1; }
cat "$scratch/isolation.err" >&2
