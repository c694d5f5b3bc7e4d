# Durable deliveries a second into the store alone, in batches as the server adds them, in both engines in turns. What the
# server adds to that: ingest.sh.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rounds=3
seconds=3
threads=4

need swage_store_bench
bench=$build/bin/swage_store_bench
make_data
engines=(sqlite)
if start_postgres; then
  engines+=(postgres)
  new_database
fi

# measure ENGINE
measure() {
  local where=TMPDIR=$bench_data
  [ "$1" = sqlite ] || where=SWAGE_BENCH_POSTGRES=$url
  env "$where" "$bench" deliveries "$seconds" "$threads" >"$scratch/out" || exit 1
  awk '$2 == "store_deliveries" { print $3 }' "$scratch/out" >>"$scratch/$1.rate"
  awk '$2 == "store_batch_p99" { print $3 }' "$scratch/out" >>"$scratch/$1.p99"
}
for _ in $(seq "$rounds"); do
  for engine in "${engines[@]}"; do measure "$engine"; done
done
for engine in "${engines[@]}"; do
  figure "deliveries_${engine}_per_s" "$(median <"$scratch/$engine.rate")" deliveries/s
  figure "deliveries_${engine}_batch_p99_ms" "$(median <"$scratch/$engine.p99")" ms
done
