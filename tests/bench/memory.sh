# Resident memory of `swage serve` with one forge, a few seconds after its start and with nothing to do.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

settle_s=3

need swage
need swage-sandbox

start sandbox "$build/bin/swage-sandbox" || exit 1
api_url=$(sed -n 's/.*"api_url":"\([^"]*\)".*/\1/p' <<<"$first_line")
url=$(sed -n 's/.*[{,]"url":"\([^"]*\)".*/\1/p' <<<"$first_line")
token=$(sed -n 's/.*"bot":{[^}]*"token":"\([^"]*\)".*/\1/p' <<<"$first_line")
echo "bench webhook secret" >"$scratch/secret"
echo "$token" >"$scratch/token"
chmod 600 "$scratch/secret" "$scratch/token"
cat >"$scratch/swage.yml" <<YAML
data_dir: $scratch/data
listen: 127.0.0.1:0
dashboard: 127.0.0.1:0
forges:
  - kind: github
    api_url: $api_url
    git_url: $url
    token: file:$scratch/token
    webhook_secret: file:$scratch/secret
    repos: ["acme/*"]
agent:
  preset: command
  command: ["true"]
YAML

"$build/bin/swage" serve --config "$scratch/swage.yml" >"$scratch/serve.log" 2>&1 </dev/null &
serve=$!
pids+=("$serve")
sleep "$settle_s"  # what is measured is a server that had time to come to rest
rss_kb=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$serve/status" 2>/dev/null)
if [ -z "$rss_kb" ]; then
  note "swage serve did not start: $(tail -n 1 "$scratch/serve.log")"
  exit 1
fi
figure idle_rss_mb "$(awk -v kb="$rss_kb" 'BEGIN { printf "%.1f", kb / 1024 }')" MB
