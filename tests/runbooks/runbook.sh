#!/usr/bin/env bash
# What runbooks say, word by word. Runs against the server of FLAGCONSOLE_URL with the Thorbis catalogue, and changes its flags.
# A line that begins with `fails N` must end with that exit code.
set -euo pipefail
exec 2>&1

fails() {
  local wanted=$1 got=0
  shift
  "$@" || got=$?
  [ "$got" -eq "$wanted" ] || { echo "exit code $got instead of $wanted: $*"; exit 1; }
}

echo "## Set up"
thorbis-flags config set-api-key "$RUNBOOK_KEY"
thorbis-flags config set-tenant tenant-17

echo "## Look"
thorbis-flags list
thorbis-flags list --domain=invoices
thorbis-flags list --state=off
thorbis-flags list --domain invoices --state off --json
thorbis-flags get invoices.write
thorbis-flags get invoices.write --json
thorbis-flags get --json invoices.write
thorbis-flags --json get invoices.write
thorbis-flags status
thorbis-flags history invoices.write
thorbis-flags canary-status

echo "## Roll out"
thorbis-flags set invoices.write shadow "Start shadow mode"
thorbis-flags set invoices.write canary "Begin canary" --percentage 10
thorbis-flags set invoices.write canary --percentage 50 --reason "Metrics look good"
thorbis-flags set --percentage=60 invoices.write canary --reason="Wider"
thorbis-flags set invoices.write canary "Wider still" --percentage 70 --reason "CSAT is 97 %"
thorbis-flags set invoices.write on "Full rollout"
thorbis-flags override invoices.write off --reason "Customer asked"
thorbis-flags override invoices.write shadow --reason "Look first" --expires 2030-01-01T00:00:00Z
thorbis-flags override invoices.write off --tenant tenant-18 --reason "Customer asked too"

echo "## Watch"
thorbis-flags start pos.loyalty_points "By the plan"
fails 11 thorbis-flags monitor pos.loyalty_points --duration 1s --auto-rollback-on-failure
thorbis-flags abort pos.loyalty_points "Enough"
fails 3 thorbis-flags monitor invoices.write --duration 1s
fails 2 thorbis-flags monitor invoices.write --duration soon

echo "## Stop"
thorbis-flags kill invoices.write "Error rate above 2 %"
thorbis-flags get invoices.write --tenant tenant-17
fails 4 thorbis-flags set invoices.write on "Back on"
thorbis-flags revive invoices.write "Fixed in 4.2.1"
thorbis-flags rollback invoices.write "Not fixed after all"
thorbis-flags revive --reason "Fixed now" invoices.write
thorbis-flags set pos.lite on "Start"
thorbis-flags rollback pos.lite "Wrong flag"
thorbis-flags set pos.lite shadow "Look"
thorbis-flags set pos.lite canary "Some" --percentage 5
LOOK=$(thorbis-flags history pos.lite --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["changes"][1]["change_id"])')
thorbis-flags rollback pos.lite "Back to looking" --to-change-id "$LOOK"
thorbis-flags kill --reason "Killed by an option" pos.lite
thorbis-flags kill pos.lite --reason "Killed twice" --json
thorbis-flags revive pos.lite "Calm again"

echo "## Many at once"
cat >bulk.yaml <<'YAML'
reason: Storm
flags:
  - name: pos.lite
    state: off
  - name: pos.loyalty_points
    state: shadow
YAML
thorbis-flags bulk-set --file bulk.yaml
thorbis-flags bulk-rollback --domain pos "Storm is over" --allow-raise
thorbis-flags bulk-verify --domain pos
thorbis-flags bulk-rollback --domain v0
thorbis-flags override invoices.write on

echo "## Mistakes"
fails 3 thorbis-flags get invoices.wirte
fails 2 thorbis-flags set invoices.write onn "Typo"
fails 2 thorbis-flags kill invoices.write
fails 2 thorbis-flags kil invoices.write "Typo"
echo "## Under the other name"
flagconsole list --domain=invoices --state=canary
flagconsole kill pos.offline_mode "Killed by the other name" --reason "Twice is fine" --tenant tenant-17 --json
flagconsole revive pos.offline_mode "Calm again"
thorbis-flags audit verify
