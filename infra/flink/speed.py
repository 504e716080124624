#!/usr/bin/env python3
"""Measures wall and processor time of the job for each report: speed.py [FUNCTIONS ...].

Beside the job it runs `rightsizer import` and, over the telemetry, the mean of daily peaks in Flink SQL (seed/), each on
the same files, in turn, and takes medians of three. Each row is the difference between a small and a large input, so
that it excludes the start of a JVM.
`RIGHTSIZER_BINARY` names the release build of rightsizer.
"""

import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
RUNS = 3
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


OPENS = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.util", "java.lang", "java.nio")]


def job(folder):
    classpath = f"{HERE}/target/rightsizer-flink.jar:{(HERE / 'target/cluster.classpath').read_text().strip()}"
    return [
        "java", "-Xmx2g", *OPENS, "-cp", classpath, "rightsizer.Job",
        "--reports", f"{folder}/reports", "--proposals", f"{folder}/proposals", "--clock", "event",
        "--parallelism", "2", "--home", "123456789012/eu-central-1",
    ]


def imported(folder):
    program = os.environ.get("RIGHTSIZER_BINARY", HERE / "../../target/release/rightsizer")
    files = sorted(map(str, (folder / "reports").iterdir()))
    return [str(program), "import", "--store", f"{folder}/store.db", *files]


def sql(folder):
    classpath = HERE / "target" / "seed.classpath"
    if not classpath.exists():
        command = ["mvn", "--batch-mode", "--quiet", "--activate-profiles", "seed", "dependency:build-classpath"]
        command += [f"-Dmdep.outputFile={classpath}", "-Dmdep.includeScope=provided"]
        subprocess.run(command, check=True, cwd=HERE)
    return [
        "java", "-Xmx2g", *OPENS, "-cp", classpath.read_text().strip(), str(HERE / "seed" / "MeanOfPeaks.java"),
        f"{folder}/reports", f"{folder}/sizes",
    ]


def run(command, folder):
    """Wall and processor seconds of one run over the files of a folder."""
    for name in ("proposals", "sizes"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for file in folder.glob("store.db*"):
        file.unlink()
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command(folder), check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wall = time.monotonic() - begin
    if done.returncode != 0:
        sys.exit(f"{done.args[0]} failed: {done.stdout[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows(name, make, few, many, functions, engines):
    """A row for each engine: the difference between `few` and `many` records of 100 reports."""
    spent = {engine: [] for engine in engines}
    for count in (few, many):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "reports").mkdir()
            for part in range(2):
                with open(folder / "reports" / f"{part}.jsonl", "w", encoding="utf-8") as file:
                    file.writelines(make(count // 2, functions, random.Random(part)))
            runs = {engine: [] for engine in engines}
            for _ in range(RUNS):
                for engine, command in engines.items():
                    runs[engine].append(run(command, folder))
            for engine, figures in runs.items():
                spent[engine].append([statistics.median(figure) for figure in zip(*figures)])
    for engine, ((wall_a, cpu_a), (wall_b, cpu_b)) in spent.items():
        reports = 100 * (many - few)
        wall, cpu = (wall_b - wall_a) / reports, (cpu_b - cpu_a) / reports
        print(
            f"{name:22} {engine:10} {functions:>9,} functions  {1 / wall:>10,.0f} reports/s wall   {cpu * 1e6:6.2f} us CPU"
            f" a report ({2 / cpu:>9,.0f}/s on two cores)   load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def main():
    fleets = [int(text) for text in sys.argv[1:]] or [1_000]
    for functions in fleets:
        rows("records of 100 reports", records, 8_000, 88_000, functions, {"flink": job, "import": imported})
    rows("raw telemetry", telemetry, 4_000, 44_000, 1_000, {"flink": job, "import": imported, "flink sql": sql})


if __name__ == "__main__":
    main()
