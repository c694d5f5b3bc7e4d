# Workspaces beside `git worktree add` and `git worktree remove`: see provision_bench.cc. On a journaled ext4 of its own
# where one can be mounted, else on tmpfs; a root file system without a journal would make git look bad.
# WAY=recycled (or plain) measures another way; SIZES="1000 10000" others.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need swage_provision_bench
make_data
disk=$bench_data/disk
mkdir "$disk"
leave() { umount "$disk" 2>/dev/null || umount -l "$disk" 2>/dev/null; }
trap 'leave; cleanup' EXIT
if truncate -s 12G "$bench_data/image" && mkfs.ext4 -q -E nodiscard "$bench_data/image" 2>/dev/null &&
  mount -o loop "$bench_data/image" "$disk" 2>/dev/null; then
  note "provision: on a loop-mounted ext4 with a journal"
elif mount -t tmpfs -o size=8G tmpfs "$disk" 2>/dev/null; then
  note "provision: on tmpfs"
elif [ -d /dev/shm ] && [ -w /dev/shm ]; then
  disk=$(mktemp -d /dev/shm/swage-bench.XXXXXX)
  leave() { rm -rf "$disk"; }
  note "provision: on tmpfs"
fi
TMPDIR=$disk "$build/bin/swage_provision_bench" "$disk/bench" "${WAY:-auto}" ${SIZES:-1000 10000 50000}
