#!/usr/bin/env python3
"""Measures wall and processor time of the job for each report: speed.py [FUNCTIONS ...].

Each row is the difference between a small and a large input, so that it excludes the start of the JVM.
"""

import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
DAY = 1_777_600_800_000  # 2026-05-01T02:00:00Z


def stamp(ms):
    seconds, rest = divmod(ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"


def records(count, functions, chance):
    """`reports` records of 100 invocations."""
    rows = [[n * 500, 100 + n % 60, 40 + n % 170, 100, 0, None] for n in range(100)]
    text = json.dumps(rows, separators=(",", ":"))
    for n in range(count):
        name = f"arn:aws:lambda:eu-central-1:123456789012:function:f{chance.randrange(functions)}"
        yield (
            f'{{"v":1,"kind":"reports","function":"{name}","version":"$LATEST","env":"{n // 8:016x}","seq":{n % 8},'
            f'"total":{100 * (n % 8 + 1)},"memory_mb":512,"t0":"{stamp(DAY + n % 3_600_000)}","reports":{text}}}\n'
        )


def telemetry(count, functions, chance):
    """Telemetry API events, 100 reports in a line."""
    for n in range(count):
        events = [
            {"time": stamp(DAY + n * 100 + k), "type": "platform.report", "record": {
                "requestId": f"{n}-{k}", "status": "success", "metrics": {
                    "durationMs": 40.5 + k % 170, "billedDurationMs": 41 + k % 170, "memorySizeMB": 512,
                    "maxMemoryUsedMB": 100 + k % 60}}}
            for k in range(100)
        ]
        name = f"arn:aws:lambda:eu-central-1:123456789012:function:f{chance.randrange(functions)}"
        yield json.dumps({"functionName": name, "records": events}, separators=(",", ":")) + "\n"


def run(make, count, functions):
    """Wall and processor seconds of one run."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "reports").mkdir()
        for part in range(2):
            with open(folder / "reports" / f"{part}.jsonl", "w", encoding="utf-8") as file:
                file.writelines(make(count // 2, functions, random.Random(part)))
        classpath = f"{HERE}/target/rightsizer-flink.jar:{(HERE / 'target/cluster.classpath').read_text().strip()}"
        command = [
            "java", "-Xmx2g", "--add-opens=java.base/java.util=ALL-UNNAMED", "-cp", classpath, "rightsizer.Job",
            "--reports", f"{folder}/reports", "--proposals", f"{folder}/proposals", "--clock", "event",
            "--parallelism", "2", "--home", "123456789012/eu-central-1",
        ]
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wall = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(name, make, few, many, functions):
    (wall_a, cpu_a), (wall_b, cpu_b) = run(make, few, functions), run(make, many, functions)
    reports = 100 * (many - few)
    wall, cpu = (wall_b - wall_a) / reports, (cpu_b - cpu_a) / reports
    print(
        f"{name:28} {functions:>9,} functions  {1 / wall:>10,.0f} reports/s wall   {cpu * 1e6:6.2f} us CPU a report"
        f" ({2 / cpu:,.0f}/s on two cores)   load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main():
    fleets = [int(text) for text in sys.argv[1:]] or [1_000]
    for functions in fleets:
        row("records of 100 reports", records, 4_000, 44_000, functions)
    row("raw telemetry", telemetry, 500, 5_500, 1_000)


if __name__ == "__main__":
    main()
