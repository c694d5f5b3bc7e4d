# Deliveries a second: signed 12 KB issue events with ids of their own, over keep-alive connections, against
#   ours       the webhook server over SQLite: every 2xx is on disk and told apart from its repetition
#   postgres   the same server over PostgreSQL
#   ceiling    the same server, which checks the signature and keeps nothing
#   probot     Probot from npm with a handler that does nothing
# in turns, so that whatever else the machine does meets all of them. BENCH_DATA=DIR puts the data of
# ours there.
#
# What the figures depend on: the clients and the servers share the processors, so all three are bound by those. Ours
# is also bound by how long the disk takes for a sync, since a connection waits for one before it sends again: with C
# connections no more than C / (time of a sync) a second. BENCH_DATA=/dev/shm shows it without a disk. Nothing takes
# deliveries out of the inbox, so it grows from round to round.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rounds=5
connections=128
probot_version=13.4.7

need swage_ingest_bench
bench=$build/bin/swage_ingest_bench
make_data

# measure NAME PORT PATH: one line "RATE P50 P99 REFUSED" to NAME.runs
measure() {
  local line
  line=$("$bench" load "$2" "$3" "$connections") || { note "$1: the load did not run"; exit 1; }
  [ "${line##* }" = 0 ] || note "$1 refused ${line##* } requests"
  echo "$line" >>"$scratch/$1.runs"
}
column() { awk -v c="$2" '{ print $c }' "$scratch/$1.runs" | median; }

start ours "$bench" serve store "$bench_data" || exit 1
ours=$first_line
postgres=
if start_postgres; then
  new_database
  start postgres "$bench" serve store "$url" || exit 1
  postgres=$first_line
fi
start ceiling "$bench" serve verify || exit 1
ceiling=$first_line
probot=
if packages=$(npm_packages "probot@$probot_version") &&
  start probot node "$(dirname "${BASH_SOURCE[0]}")/probot/server.mjs" "$packages"; then
  probot=$first_line
fi

for _ in $(seq "$rounds"); do
  measure ours "$ours" /hooks/github
  [ -z "$postgres" ] || measure postgres "$postgres" /hooks/github
  measure ceiling "$ceiling" /hooks/github
  [ -z "$probot" ] || measure probot "$probot" /
done

figure ingest_per_s "$(column ours 1)" deliveries/s
figure ingest_ceiling_per_s "$(column ceiling 1)" deliveries/s
figure ingest_p50_ms "$(column ours 2)" ms
figure ingest_p99_ms "$(column ours 3)" ms
ratio ingest_vs_ceiling "$(column ours 1)" "$(column ceiling 1)"
if [ -n "$postgres" ]; then
  figure ingest_postgres_per_s "$(column postgres 1)" deliveries/s
  figure ingest_postgres_p99_ms "$(column postgres 3)" ms
fi
if [ -n "$probot" ]; then
  figure ingest_probot_per_s "$(column probot 1)" deliveries/s
  ratio ingest_vs_probot "$(column ours 1)" "$(column probot 1)"
fi
