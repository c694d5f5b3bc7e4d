# Tasks claimed and completed a second on PostgreSQL, against graphile-worker from npm on the same server, in turns:
# each with its default number of workers, and both with as many. BENCH_DATA=DIR puts the server's data there.
# Both commit durably (fsync and synchronous_commit as PostgreSQL has them).
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/lib.sh"

rounds=3
jobs=4000
workers=8
ours_default=4  # limits.tasks
graphile_version=0.17.3

need swage_store_bench
bench=$build/bin/swage_store_bench
start_postgres || exit 0

# ours NAME WORKERS
ours() {
  new_database
  SWAGE_BENCH_POSTGRES=$url "$bench" runs "$jobs" "$2" "$jobs" >"$scratch/ours.out" 2>"$scratch/ours.err" ||
    { note "our run failed: $(tail -n 1 "$scratch/ours.err")"; exit 1; }
  awk '$1 == "figure" && $2 == "store_runs" { print $3 }' "$scratch/ours.out" >>"$scratch/$1.runs"
}
# graphile NAME [WORKERS]
graphile() {
  [ -n "$packages" ] || return 0
  new_database
  node "$here/graphile/worker.mjs" "$packages" "$url" "$jobs" ${2:+"$2"} \
    >>"$scratch/$1.runs" 2>"$scratch/graphile.err" || { note "graphile-worker: $(grep -m 1 -i error "$scratch/graphile.err")"; packages=; }
}

packages=$(npm_packages "graphile-worker@$graphile_version") || packages=
for _ in $(seq "$rounds"); do
  ours ours "$ours_default"
  graphile graphile
  ours ours_many "$workers"
  graphile graphile_many "$workers"
done

figure claims_per_s "$(median <"$scratch/ours.runs")" tasks/s
figure claims_at_${workers}_per_s "$(median <"$scratch/ours_many.runs")" tasks/s
if [ -n "$packages" ]; then
  figure claims_graphile_per_s "$(median <"$scratch/graphile.runs")" jobs/s
  figure claims_graphile_at_${workers}_per_s "$(median <"$scratch/graphile_many.runs")" jobs/s
  ratio claims_vs_graphile "$(median <"$scratch/ours.runs")" "$(median <"$scratch/graphile.runs")"
  ratio claims_vs_graphile_at_$workers "$(median <"$scratch/ours_many.runs")" "$(median <"$scratch/graphile_many.runs")"
fi
