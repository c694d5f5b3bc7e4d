# What deploy/quickstart and tests/run share. Sourced by bash with `set -u`; sets nothing but functions and
# the SWAGE_* names below.

SWAGE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SWAGE_SANITIZE=${SWAGE_SANITIZE:-}  # address or thread: see CMakeLists.txt; a folder of its own each
SWAGE_BUILD=${SWAGE_BUILD:-$SWAGE_ROOT/build${SWAGE_SANITIZE:+-$SWAGE_SANITIZE}}
export SWAGE_BUILD

# One compiler process of this project may take so much (KiB).
readonly SWAGE_COMPILER_KIB=1000000
# What a first build takes with the tests, and the compiler's cache with it (MiB).
readonly SWAGE_BUILD_MIB=1000

say() { printf 'swage: %s\n' "$*"; }

die() {
  printf 'swage: %s\n' "$*" >&2
  exit 1
}

# is_there PACKAGE: whether it is installed, by apt or (node) otherwise.
is_there() {
  case $1 in
    nodejs) command -v node >/dev/null && [ "$(node -p 'parseInt(process.versions.node)' 2>/dev/null || echo 0)" -ge 18 ] ;;
    npm) command -v npm >/dev/null ;;
    *) [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] ;;
  esac
}

# packages_for PURPOSE...: the names in deploy/packages that have one of the purposes.
packages_for() {
  local package purposes wanted
  while read -r package purposes _; do
    [[ -z $package || $package == \#* ]] && continue
    for wanted in "$@"; do
      [[ ",$purposes," == *",$wanted,"* ]] && echo "$package" && break
    done
  done <"$SWAGE_ROOT/deploy/packages"
}

# as_root COMMAND...: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# can_be_root: whether as_root will work: without a password, or with somebody there to type it.
can_be_root() {
  [ "$(id -u)" -eq 0 ] && return
  command -v sudo >/dev/null || return
  sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }
}

# need_packages PURPOSE...: installs what is missing, and says what.
need_packages() {
  local package missing=()
  for package in $(packages_for "$@"); do
    is_there "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local install="apt-get install -y --no-install-recommends ${missing[*]}"
  command -v apt-get >/dev/null || die "this machine has no apt; install what these Debian packages hold: ${missing[*]}"
  say "installing from Debian with apt: ${missing[*]}"
  can_be_root || die "installing needs root or sudo; have somebody run this as root, then start again: $install"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  as_root "${apt[@]}" update || say "apt could not refresh its lists; trying with those that are here"
  without_cluster as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt could not install them, see above; with the network and space on the disk, start again (or try by hand: $install)"
}

# without_cluster COMMAND...: runs it so that Debian's PostgreSQL, should it be installed by that, makes no database
# cluster and starts no server for the machine: tests start their own. A machine that has it is left as it is.
without_cluster() {
  local settings=/etc/postgresql-common/createcluster.conf template=/usr/share/postgresql-common/createcluster.conf
  [ ! -e "$settings" ] || { "$@"; return; }
  as_root mkdir -p "${settings%/*}"
  echo 'create_main_cluster = false' | as_root tee "$settings" >/dev/null
  "$@"
  local status=$?
  # As the package would have left it, for whoever wants a cluster later.
  if [ -e "$template" ]; then as_root cp "$template" "$settings"; else as_root rm -f "$settings"; fi
  return $status
}

# need_space DIR: room for a first build there.
need_space() {
  local free
  free=$(df --output=avail -BM "$1" 2>/dev/null | tail -n 1 | tr -dc 0-9)
  [ "${free:-$SWAGE_BUILD_MIB}" -ge "$SWAGE_BUILD_MIB" ] ||
    die "only $free MiB are free in $1, a build takes $SWAGE_BUILD_MIB; make room, or set SWAGE_BUILD to a folder elsewhere"
}

# build_jobs: as many compilers at once as there are processors and memory for.
build_jobs() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  local fit=$((memory / SWAGE_COMPILER_KIB))
  [ "$fit" -ge 1 ] || fit=1
  [ "$fit" -lt "$processors" ] && echo "$fit" || echo "$processors"
}

# build app|tests [TARGET...]: configures if need be and builds; the log is in build/build.log. `app` leaves the
# tests out, unless an earlier run has put them in.
build() {
  local what=$1 tests=OFF
  shift
  [ "$what" = app ] || tests=ON
  local cache=$SWAGE_BUILD/CMakeCache.txt log=$SWAGE_BUILD/build.log
  mkdir -p "$SWAGE_BUILD" && [ -w "$SWAGE_BUILD" ] ||
    die "cannot write to $SWAGE_BUILD; set SWAGE_BUILD to a folder of yours, or clone as the user that you are"
  [ -f "$SWAGE_BUILD/build.ninja" ] || need_space "$SWAGE_BUILD"
  if [ ! -f "$SWAGE_BUILD/build.ninja" ] || { [ $tests = ON ] && ! grep -q '^SWAGE_TESTS:BOOL=ON' "$cache"; }; then
    cmake -S "$SWAGE_ROOT" -B "$SWAGE_BUILD" -G Ninja -DSWAGE_TESTS=$tests \
      -DSWAGE_SANITIZE="$SWAGE_SANITIZE" >"$log" 2>&1 || {
      tail -n 30 "$log" >&2
      die "cmake could not configure; see $log"
    }
  fi
  local start=$SECONDS
  # One line in twenty-five: enough to see that it moves.
  local line lines=0
  NINJA_STATUS='[%f/%t] ' ninja -C "$SWAGE_BUILD" -j "$(build_jobs)" "$@" 2>&1 | tee "$log" |
    while IFS= read -r line; do
      [[ $line =~ ^\[[1-9][0-9]*/[0-9]+\] ]] && [ $((lines++ % 25)) -eq 0 ] && echo "  built ${BASH_REMATCH[0]}"
    done
  if [ "${PIPESTATUS[0]}" -ne 0 ]; then
    grep -A 20 -m 3 -E 'FAILED:|error:' "$log" | head -n 60 >&2
    die "the build failed; see $log"
  fi
  [ $((SECONDS - start)) -lt 5 ] || say "built in $((SECONDS - start)) s"
}
