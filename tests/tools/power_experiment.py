#!/usr/bin/env python3
"""Measures real processes at Lambda's sizes on this machine, and compares them with the curve from one size.

Each function is a process that cgroups hold to size / 1769 of a CPU, as Lambda does, together with the extension: it
computes on one thread or on four (PBKDF2), waits, does both, or allocates. The extension reports to `rightsizer serve`,
and `rightsizer curve` predicts the other sizes from what it reported at one. Needs root, and cgroups of version 1 or 2.

    tests/tools/power_experiment.py [--known 512] [--runs 12]

RIGHTSIZER_BINARY is the program (default: target/release/rightsizer) and RIGHTSIZER_EXTENSION_BINARY the extension; they
are not built here.
"""

import argparse
import contextlib
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

from lambda_sandbox import ACCOUNT, REGION, Sandbox

SIZES = (128, 256, 512, 1024, 1769, 2048, 3008, 3538)
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


def child(name, rounds):
    """The function: runs the work for each line, and prints wall and CPU milliseconds and the memory in use."""
    WORK[name](rounds)
    print("ready", flush=True)
    for _ in sys.stdin:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu, wall = usage.ru_utime + usage.ru_stime, time.monotonic()
        WORK[name](rounds)
        wall = time.monotonic() - wall
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime - cpu
        used_mb = usage.ru_maxrss // 1024 + 1
        print(json.dumps({"wall_ms": wall * 1000, "cpu_ms": cpu * 1000, "used_mb": used_mb}), flush=True)


def measure(function, rounds, size, runs, extension, stream):
    """Returns what each run at a size printed; the extension reports them to `stream` under the name `reported`."""
    work, reported = function
    command = [sys.executable, __file__, "--child", work, "--rounds", str(rounds)]
    with Sandbox(reported, size, command, extension, stream) as sandbox:
        done = []
        for _ in range(runs):
            # A rest of some periods: what was used before is forgotten.
            time.sleep(0.1)
            done.append(sandbox.invoke())
        sandbox.shut_down()
    return done


@contextlib.contextmanager
def serving(binary, folder):
    """Runs the aggregator; yields its address and its store."""
    store = str(pathlib.Path(folder) / "experiment.db")
    command = [binary, "serve", "--store", store, "--listen", "127.0.0.1:0"]
    log = open(pathlib.Path(folder) / "serve.log", "w", encoding="utf-8")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
    try:
        yield "http://" + server.stdout.readline().split()[-1], store
    finally:
        server.terminate()
        server.wait()
        log.close()


def printed(binary, folder, *arguments):
    done = subprocess.run([binary, *arguments, "--json"], check=True, capture_output=True, cwd=folder)
    return json.loads(done.stdout)


def predicted(name, store, binary, folder):
    """Returns the points of the curve that the program draws, by size, and the CPU time that it knows."""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    curve = printed(binary, folder, "curve", function, "--store", store)
    shown = printed(binary, folder, "show", function, "--store", store)
    cores = [use["cores_used"] for use in shown["sizes"] if use["cores_used"] is not None]
    return {point["memory_mb"]: point for point in curve["points"]}, cores


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--known", type=int, default=512, help="the size that the curve knows")
    parser.add_argument("--runs", type=int, default=12, help="runs at each size, ten or more")
    parser.add_argument("--only", action="append", choices=WORK, help="only this function; may be repeated")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.rounds)
        return
    rounds = rounds_of_a_unit()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {options.runs} runs at each size, four times as many at")
    print(f"{options.known} MB, which the curve knows alone, with the CPU time that the extension reported there.")
    print("\n| function | MB | measured, ms | CPU, ms | predicted, ms | 90 % interval | within | error |")
    print("|---|---|---|---|---|---|---|---|")
    errors, within = [], []
    with tempfile.TemporaryDirectory() as folder, serving(program("RIGHTSIZER_BINARY"), folder) as (address, store):
        for name in options.only or WORK:
            sweep(name, rounds, options, (folder, address, store), (errors, within))
    print(
        f"\n{len(errors)} predictions: error {statistics.mean(errors):.1%} mean, {statistics.median(errors):.1%} median; "
        f"{sum(within) / len(within):.0%} within their intervals"
    )


def program(variable):
    """Returns the absolute path of a program that the environment names."""
    usual = {
        "RIGHTSIZER_BINARY": "target/release/rightsizer",
        "RIGHTSIZER_EXTENSION_BINARY": "target/layer/rightsizer-extension",
    }
    return str(pathlib.Path(os.environ.get(variable, usual[variable])).resolve())


def sweep(name, rounds, options, scene, results):
    """Measures one function at every size, and prints it beside the curve from the known one."""
    (folder, address, store), (errors, within) = scene, results
    extension = program("RIGHTSIZER_EXTENSION_BINARY")
    sizes = {}
    for size in SIZES:
        known = size == options.known
        # The extension runs at every size, but only the known one is reported under the function's name.
        function = (name, name if known else f"{name}-{size}")
        # Production has many invocations at its size; CPU time counts from a second of durations on.
        runs = 4 * options.runs if known else options.runs
        sizes[size] = measure(function, rounds, size, runs, extension, address)
    points, cores = predicted(name, store, program("RIGHTSIZER_BINARY"), folder)
    for size, runs in sizes.items():
        wall = statistics.median(run["wall_ms"] for run in runs)
        cpu = statistics.median(run["cpu_ms"] for run in runs)
        point = points.get(size, {})
        cells = [name, str(size), f"{wall:.1f}", f"{cpu:.1f}"]
        if size == options.known:
            cells += [f"known, {cores[0]:.2f} cores" if cores else "known", "", "", ""]
        elif point.get("p50_ms") is None:
            cells += ["refused", "", "", ""]
        else:
            error = point["p50_ms"] / wall - 1
            inside = point["p50_low"] <= wall <= point["p50_high"]
            errors.append(abs(error))
            within.append(inside)
            interval = f"{point['p50_low']:.0f} to {point['p50_high']:.0f}"
            cells += [f"{point['p50_ms']:.1f}", interval, "yes" if inside else "no", f"{error:+.0%}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
