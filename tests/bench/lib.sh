# Sourced by the benchmarks: processes that end with us, medians, and the lines of the report.

build=${SWAGE_BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build}
scratch=$(mktemp -d)
pids=()

# Servers end when their input does; whoever does not is told to.
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
  wait 2>/dev/null
  rm -rf "$scratch"
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
