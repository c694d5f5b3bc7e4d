#!/bin/bash
# The agent of the day: writes a file of its own for each issue, in the mood that the issue asks for.
#
# usage: agent.sh TASK_FILE MEETING_FOLDER     in the task's workspace
is_said() { grep -qF -- "$1" "$task"; }
task=$1
slept=$2/slept-$SWAGE_ISSUE
mine=answers/$SWAGE_ISSUE.txt

if is_said 'mood: sleepy' && ! { is_said 'mood: sleepy once' && [ -e "$slept" ]; }; then
  : >"$slept"
  exec sleep 600
fi
! is_said 'mood: idle' || { echo 'All is well as it is.'; exit; }

mkdir -p answers
echo right >"$mine"
# The gate names the lines that it does not like.
if is_said 'mood: hasty' && ! is_said "$mine:wrong"; then echo wrong >"$mine"; fi
if is_said 'mood: stubborn'; then printf 'wrong\n%s\n' "$RANDOM$RANDOM" >"$mine"; fi
if is_said 'write more'; then echo 'and more' >>"$mine"; fi
echo "I wrote $mine."
