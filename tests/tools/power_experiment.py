#!/usr/bin/env python3
"""Measures real processes at Lambda's sizes on this machine, and compares them with the curve from one size.

Each function is a process that cgroups hold to size / 1769 of a CPU, as Lambda does: it computes on one thread or on
four (PBKDF2), waits, does both, or allocates. Its reports at one size are imported, and `rightsizer curve` predicts the
other sizes. Needs root, and cgroups of version 1 or 2.

    tests/tools/power_experiment.py [--known 512] [--runs 12]

RIGHTSIZER_BINARY is the program (default: target/release/rightsizer); it is not built here.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SIZES = (128, 256, 512, 1024, 1769, 2048, 3008, 3538)
# Lambda's own period is 20 ms: in a longer one, a short computation is not throttled.
PERIOD_US = 20_000
# Rounds of PBKDF2 are set so that one unit takes this long on a whole core.
UNIT_MS = 10.0
MEGABYTE = 1 << 20


def rounds_of_a_unit():
    """Returns the number of PBKDF2 rounds that take UNIT_MS of CPU time."""
    rounds = 20_000
    before = time.thread_time()
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", rounds)
    return max(1, int(rounds * UNIT_MS / 1000 / (time.thread_time() - before)))


def compute(rounds, units):
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", int(rounds * units))


def at_once(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def request(rounds):
    """Waits for an answer, then works on it."""
    time.sleep(0.020)
    compute(rounds, 0.3)


def allocate(rounds):
    block = bytearray(48 * MEGABYTE)
    for page in range(0, len(block), 4096):
        block[page] = 1
    compute(rounds, 2)


WORK = {
    "one-thread": lambda rounds: compute(rounds, 4),
    "four-threads": lambda rounds: at_once(*[lambda: compute(rounds, 2)] * 4),
    "waits": lambda rounds: time.sleep(0.060),
    "mixed": lambda rounds: (time.sleep(0.040), compute(rounds, 2)),
    "one-by-one": lambda rounds: [request(rounds) for _ in range(8)],
    "all-at-once": lambda rounds: at_once(*[lambda: request(rounds)] * 8),
    "allocates": allocate,
}


def child(name, rounds, runs):
    """Runs the work in this process, and prints wall and CPU milliseconds of each run."""
    WORK[name](rounds)
    for _ in range(runs):
        # A rest of some periods: what was used before is forgotten.
        time.sleep(0.1)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic()
        WORK[name](rounds)
        wall = time.monotonic() - wall
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime - cpu
        print(json.dumps([wall * 1000, cpu * 1000]), flush=True)


class Share:
    """A group of processes held to a share of the CPU, with priority over the rest of the machine."""

    def __init__(self, size):
        quota = str(int(PERIOD_US * size / 1769))
        name = f"rightsizer-power-{os.getpid()}-{size}"
        first = pathlib.Path("/sys/fs/cgroup/cpu")
        if first.is_dir():
            self.group = first / name
            limits = {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": quota, "cpu.shares": "262144"}
        else:
            self.group = pathlib.Path("/sys/fs/cgroup") / name
            limits = {"cpu.max": f"{quota} {PERIOD_US}", "cpu.weight": "10000"}
        self.group.mkdir()
        for file, value in limits.items():
            (self.group / file).write_text(value)

    def join(self):
        (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.group.rmdir()


def measure(name, rounds, size, runs):
    """Returns [wall_ms, cpu_ms] of each run at a size."""
    arguments = [sys.executable, __file__, "--child", name, "--rounds", str(rounds), "--runs", str(runs)]
    with Share(size) as share:
        done = subprocess.run(arguments, check=True, capture_output=True, text=True, preexec_fn=share.join)
    return [json.loads(line) for line in done.stdout.splitlines()]


def record(name, size, runs, at):
    """Returns the record that the extension of this function would send."""
    rows, past = [], 0.0
    for wall, _ in runs:
        past += wall + 100
        rows.append([int(past), 60, round(wall, 3), int(wall) + 1, 0, None])
    return {
        "v": 1,
        "kind": "reports",
        "function": f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        "version": "$LATEST",
        "env": f"{abs(hash((name, size))) % (1 << 60):x}",
        "seq": 0,
        "total": len(rows),
        "memory_mb": size,
        "t0": at,
        "reports": rows,
        "cpu_ms": round(sum(cpu for _, cpu in runs)),
        "cores": 2,
    }


def predicted(name, size, runs, binary, folder):
    """Returns the curve that the program draws from the runs at one size."""
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    file = pathlib.Path(folder) / f"{name}.jsonl"
    file.write_text(json.dumps(record(name, size, runs, at.strftime("%Y-%m-%dT%H:%M:%S.000Z"))) + "\n")
    store = ["--store", str(pathlib.Path(folder) / f"{name}.db")]
    subprocess.run([binary, "import", str(file), *store], check=True, capture_output=True, cwd=folder)
    done = subprocess.run([binary, "curve", name, "--json", *store], check=True, capture_output=True, cwd=folder)
    return {point["memory_mb"]: point for point in json.loads(done.stdout)["points"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--known", type=int, default=512, help="the size that the curve knows")
    parser.add_argument("--runs", type=int, default=12, help="runs at each size, ten or more")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.rounds, options.runs)
        return
    binary = os.environ.get("RIGHTSIZER_BINARY", "target/release/rightsizer")
    binary = str(pathlib.Path(binary).resolve())
    rounds = rounds_of_a_unit()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {options.runs} runs at each size, four times as many at")
    print(f"{options.known} MB, which the curve knows alone, with the CPU time there.")
    print("\n| function | MB | measured, ms | CPU, ms | predicted, ms | 90 % interval | within | error |")
    print("|---|---|---|---|---|---|---|---|")
    errors, within, asked = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name in WORK:
            # Production has many invocations at its size; CPU time counts from a second of durations on.
            runs_at = {size: options.runs for size in SIZES} | {options.known: 4 * options.runs}
            sizes = {size: measure(name, rounds, size, runs) for size, runs in runs_at.items()}
            points = predicted(name, options.known, sizes[options.known], binary, folder)
            for size, runs in sizes.items():
                wall = statistics.median(run[0] for run in runs)
                cpu = statistics.median(run[1] for run in runs)
                point = points.get(size, {})
                cells = [name, str(size), f"{wall:.1f}", f"{cpu:.1f}"]
                if size == options.known:
                    cells += ["known", "", "", ""]
                elif point.get("p50_ms") is None:
                    cells += ["refused", "", "", ""]
                else:
                    error = point["p50_ms"] / wall - 1
                    inside = point["p50_low"] <= wall <= point["p50_high"]
                    errors.append(abs(error))
                    within, asked = within + inside, asked + 1
                    interval = f"{point['p50_low']:.0f} to {point['p50_high']:.0f}"
                    cells += [f"{point['p50_ms']:.1f}", interval, "yes" if inside else "no", f"{error:+.0%}"]
                print("| " + " | ".join(cells) + " |", flush=True)
    print(
        f"\n{asked} predictions: error {statistics.mean(errors):.1%} mean, {statistics.median(errors):.1%} median; "
        f"{within / asked:.0%} within their intervals"
    )


if __name__ == "__main__":
    main()
