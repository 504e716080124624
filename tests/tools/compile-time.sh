#!/usr/bin/env bash
# What compiling takes, from nothing and after an edit, against the goals of docs/decisions/compile-time.md.
# Uses a target folder of its own, which it removes. `--timings` reports of the first build are kept in
# target/cargo-timings. CPU time is measured: it hardly depends on what else the machine does.
set -euo pipefail
cd "$(dirname "$0")/../.."

kept=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d)
export CARGO_TARGET_DIR=$work/target
cargo fetch --locked --quiet

trap '[ $? = 0 ] || tail -40 "$work/log" >&2; rm -rf "$work"' EXIT
# CPU and elapsed seconds of a command, as "CPU ELAPSED".
measured() {
    local TIMEFORMAT='%U %S %R'
    { time "$@" >"$work/log" 2>&1 || exit 1; } 2>"$work/time"
    awk '{ print $1 + $2, $3 }' "$work/time"
}
failed=0
row() { # what, value, goal, unit
    local verdict=met
    awk -v value="$2" -v goal="$3" 'BEGIN { exit !(value > goal) }' && { verdict="NOT MET"; failed=1; }
    printf '%-58s %8.1f %-12s goal %5s  %s\n' "$1" "$2" "$4" "$3" "$verdict"
}

read -r cpu elapsed < <(measured cargo build --release --locked -p rightsizer --timings)
mkdir -p "$kept/cargo-timings"
cp "$CARGO_TARGET_DIR"/cargo-timings/cargo-timing.html "$kept/cargo-timings/compile-time.html"
row 'cargo build --release -p rightsizer, from nothing' "$(awk "BEGIN { print $cpu / 60 }")" 14 'CPU minutes'
row 'the same, on this machine' "$(awk "BEGIN { print $elapsed / 60 }")" 99 'minutes'
bytes=$(wc -c <"$CARGO_TARGET_DIR/release/rightsizer")
row 'target/release/rightsizer' "$(awk "BEGIN { print $bytes / 1e6 }")" 45 'MB'

# One message of the rules, edited in a copy of the workspace, up to the result of its test.
mkdir "$work/copy"
git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$work/copy"
# A snapshot test holds the message, so its result is a failure; a result it has to be.
edit() {
    cd "$work/copy"
    cargo test --locked --quiet -p rightsizer-rules --lib "$@" >"$work/tests" 2>&1 && return
    grep -q '^test result: FAILED. [0-9]* passed; 1 failed' "$work/tests" || { cat "$work/tests"; return 1; }
}
measured edit --no-run >/dev/null
sed -i.before 's/is below the smallest size/is under the smallest size/' "$work/copy/aggregator/rules/src/policy/phrases.rs"
cmp -s "$work/copy/aggregator/rules/src/policy/phrases.rs"{,.before} && { echo "the message to edit is gone" >&2; exit 1; }
read -r _ elapsed < <(measured edit)
row 'an edited message of rules, to the result of all its tests' "$elapsed" 20 'seconds'
exit "$failed"
