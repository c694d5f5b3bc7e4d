# Sourced by the benchmarks: processes that end with us, medians, and the lines of the report.

build=${SWAGE_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}
scratch=$(mktemp -d)
pids=()
bench_data=
postgres_data=

# Servers end when their input does; whoever does not is told to.
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
  [ -z "$postgres_data" ] || as_postgres "$postgres_programs/pg_ctl" -D "$postgres_data/db" -m immediate stop >/dev/null 2>&1
  wait 2>/dev/null
  rm -rf "$scratch" ${postgres_data:+"$postgres_data" "$postgres_socket"} ${bench_data:+"$bench_data"}
}
trap cleanup EXIT

figure() { printf 'figure %s %s %s\n' "$1" "$2" "$3"; }
ratio() { awk -v n="$1" -v a="$2" -v b="$3" 'BEGIN { if (b > 0) printf "ratio %s %.2f\n", n, a / b }'; }
note() { echo "bench: $*" >&2; }
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
need() { [ -x "$build/bin/$1" ] || { note "$build/bin/$1 is not built"; exit 1; }; }

# start NAME COMMAND...: runs it with an input that stays open; its first line goes to first_line.
start() {
  local name=$1
  shift
  mkfifo "$scratch/$name.in"
  (exec 9<>"$scratch/$name.in"; exec "$@" <&9 >"$scratch/$name.out" 2>"$scratch/$name.err") &
  pids+=($!)
  for _ in $(seq 200); do
    [ -s "$scratch/$name.out" ] && break
    kill -0 "$!" 2>/dev/null || break
    sleep 0.05
  done
  first_line=$(head -n 1 "$scratch/$name.out")
  [ -n "$first_line" ] || { note "$name did not start: $(tail -n 1 "$scratch/$name.err")"; return 1; }
}

# npm_packages NAME@VERSION: prints the folder that holds node_modules with it, installing it once.
npm_packages() {
  local cache="${SWAGE_BENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/swage/bench}/${1/@/-}" fresh
  command -v npm >/dev/null || { note "$1 skipped: npm is not installed"; return 1; }
  if [ ! -e "$cache/.complete" ]; then
    mkdir -p "$(dirname "$cache")"
    fresh=$(mktemp -d "$cache.XXXXXX")
    if ! timeout 300 npm install --prefix "$fresh" --no-audit --no-fund --ignore-scripts --loglevel=error \
      "$1" </dev/null >"$scratch/npm.log" 2>&1; then
      note "$1 skipped: it could not be installed: $(tail -n 1 "$scratch/npm.log")"
      rm -rf "$fresh"
      return 1
    fi
    touch "$fresh/.complete"
    mv -T "$fresh" "$cache" 2>/dev/null || rm -rf "$fresh"
  fi
  echo "$cache"
}

# make_data: bench_data, a folder on a disk: the build is on one, /tmp may not be. BENCH_DATA=DIR says another place.
make_data() { bench_data=$(mktemp -d "${BENCH_DATA:-$build}/bench.XXXXXX"); }

# PostgreSQL does not run as root, nor in a folder that its user cannot enter.
as_postgres() (
  cd / || exit 1
  if [ "$(id -u)" -ne 0 ]; then exec "$@"; else exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"; fi
)
# start_postgres: a server of Debian's package with its own settings, which commits durably, its data in a place as that
# of make_data. False, with a note, when there is none.
start_postgres() {
  postgres_programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$postgres_programs" ] || { note "PostgreSQL skipped: its server is not installed (Debian's package postgresql)"; return 1; }
  postgres_data=$(mktemp -d "${BENCH_DATA:-$build}/bench-postgres.XXXXXX")
  postgres_socket=$(mktemp -d /tmp/swage-bench.XXXXXX)
  [ "$(id -u)" -ne 0 ] || chown postgres "$postgres_data" "$postgres_socket"
  as_postgres "$postgres_programs/initdb" -D "$postgres_data/db" -U bench --auth=trust >"$scratch/initdb.log" 2>&1 &&
    as_postgres "$postgres_programs/pg_ctl" -D "$postgres_data/db" -w -o "-k $postgres_socket -c listen_addresses=''" \
      -l "$postgres_data/server.log" start >"$scratch/start.log" 2>&1 ||
    { note "PostgreSQL did not start: $(tail -n 1 "$scratch/start.log" "$scratch/initdb.log")"; return 1; }
}
# new_database: url, of an empty one.
databases=0
new_database() {
  databases=$((databases + 1))
  as_postgres "$postgres_programs/createdb" -h "$postgres_socket" -U bench "bench$databases"
  url="postgres://bench@/bench$databases?host=$postgres_socket"
}
