# The bot's own share of a task: see task_bench.cc. Works on a memory file system where there is one, because the
# figures are about the bot and not about the disk.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need swage_task_bench
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
  mkdir /dev/shm/swage-bench-$$
  trap 'rm -rf "/dev/shm/swage-bench-$$"; cleanup' EXIT
  export TMPDIR=/dev/shm/swage-bench-$$
  note "task: on tmpfs"
fi
"$build/bin/swage_task_bench" 2>"$scratch/task.err" || { note "$(tail -n 5 "$scratch/task.err")"; exit 1; }
