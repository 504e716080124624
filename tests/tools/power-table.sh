#!/usr/bin/env bash
# Prints what the power curve comes to, as docs/POWER.md has it: power-table.sh FOLDER, the folder that holds the
# public measurements named there. RIGHTSIZER_BINARY is the program; it is not built here.
set -euo pipefail

data=${1:?usage: power-table.sh FOLDER, the folder with power_curves.csv and the two sweeps}
rightsizer=${RIGHTSIZER_BINARY:-target/release/rightsizer}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk -F, 'NR==1{print "function,memory_mb,duration_ms";next}{print $1","$2","$3}' \
    "$data/power_curves.csv" >"$work/curves.csv"
awk -F, 'NR==1{print "function,memory_mb,duration_ms,max_used_mb,init_ms";next}{print $1"-"$2","$3","$4","$6","$7}' \
    "$data/lambda_size_sweep_io.csv" >"$work/io.csv"
awk -F, 'NR==FNR{n[$1]++;s[$1]+=$4>=50;next} FNR==1{print "function,memory_mb,duration_ms,cpu_ms,max_used_mb";next}
    $1!=""&&$9==""&&$10=="False"&&$4>=50&&2*s[$1]>=n[$1]{print $1","$2","$4","$7+$8","$3}' \
    "$data/lambda_size_sweep_cpu.csv" "$data/lambda_size_sweep_cpu.csv" >"$work/cpu.csv"

printf '| data | known | mean | median | down | between | up | cost regret | p90 | refused | covered | score | best constant |\n'
printf '|---|---|---|---|---|---|---|---|---|---|---|---|---|\n'
row() { # data, known, options
    "$rightsizer" simulate --power "$work/$1.csv" --known "$2" --json "${@:3}" | python3 -c '
import json, sys
r = json.load(sys.stdin)
share = lambda x: "–" if x is None else "%.1f %%" % (100 * x)
both = lambda e: "–" if e["mean"] is None else "%.1f, %.1f %%" % (100 * e["mean"], 100 * e["median"])
cells = sys.argv[1:] + [share(r["mean_error"]), share(r["median_error"])]
cells += [both(r[where]) for where in ("down", "between", "up")]
cells += [share(r[key]) for key in ("cost_regret_mean", "cost_regret_p90", "refused", "coverage_90")]
cells += ["%.2f" % r[key] for key in ("interval_score", "constant_interval_score")]
print("| " + " | ".join(cells) + " |")' "$1${3:+ $3}" "$2"
}
for known in 1 2 3; do row curves "$known"; done
for known in 1 2; do row io "$known"; done
for known in 1 2; do row cpu "$known"; done
row cpu 1 --all-runs
