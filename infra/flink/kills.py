#!/usr/bin/env python3
"""Kills the processes of a Flink cluster at random while the job runs: kills.py FOLDER KILLS.

The cluster has one JobManager and two TaskManagers. From savepoints, the script also changes the job's parallelism and the
version of the states. The job reads FOLDER/reports and FOLDER/decisions, and writes FOLDER/proposals,
FOLDER/quarantine and FOLDER/states. After the loss of
a TaskManager the script starts another one, and Flink recovers. After the loss of the JobManager it submits the job
again from the last checkpoint, as an operator does without high availability. At the end it prints the counts as JSON.

The job starts with one task for each file of FOLDER/reports, because a task reads one file after the other.
"""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
JAR = HERE / "target" / "rightsizer-flink.jar"
OPENS = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.util", "java.lang", "java.time")]
CONFIG = """\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc}
rest.address: localhost
rest.port: {rest}
jobmanager.memory.process.size: 900m
taskmanager.host: localhost
taskmanager.numberOfTaskSlots: 4
taskmanager.cpu.cores: 1.0
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 64m
taskmanager.memory.task.heap.size: 256m
taskmanager.memory.task.off-heap.size: 0b
taskmanager.memory.managed.size: 128m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.jvm-metaspace.size: 128m
taskmanager.memory.jvm-overhead.min: 64m
taskmanager.memory.jvm-overhead.max: 64m
# A machine may be busy with something else.
pekko.startup-timeout: 60s
heartbeat.interval: 500
heartbeat.timeout: 3000
state.backend.type: rocksdb
execution.checkpointing.interval: 300ms
execution.checkpointing.dir: file://{folder}/checkpoints
execution.checkpointing.savepoint-dir: file://{folder}/savepoints
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
execution.checkpointing.num-retained: 3
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 100000
restart-strategy.fixed-delay.delay: 300ms
io.tmp.dirs: {folder}/tmp
"""
# What is done to the job.
EACH = ["rescalings", "upgrades", "jobmanagers", "taskmanagers"]
# The states that the release before wrote.
OLDER_STATE = ["--state-version", "1"]


def free_port():
    """A port that no outgoing connection takes while the process that listens on it is started again."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.rest = free_port()
        self.parallelism = [len(list((folder / "reports").iterdir())), 4, 2]
        self.counts = {"taskmanagers": 0, "jobmanagers": 0, "rescalings": 0, "upgrades": 0, "submissions": 0}
        self.state_version = OLDER_STATE
        self.classpath = (HERE / "target" / "cluster.classpath").read_text().strip()
        for name in ("tmp", "checkpoints", "savepoints", "conf"):
            (folder / name).mkdir(exist_ok=True)
        config = CONFIG.format(rpc=free_port(), rest=self.rest, folder=folder)
        (folder / "conf" / "config.yaml").write_text(config)
        self.log = open(folder / "cluster.log", "ab")
        self.managers = []
        self.jobmanager = None
        self.start_jobmanager()
        self.managers = [self.taskmanager() for _ in range(2)]

    def java(self, heap, main, *arguments):
        command = ["java", f"-Xmx{heap}", *OPENS, "-cp", self.classpath, main, *arguments]
        environment = dict(os.environ, FLINK_CONF_DIR=str(self.folder / "conf"))
        return subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)

    def launch_jobmanager(self):
        main = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        return self.java("512m", main, "--configDir", str(self.folder / "conf"))

    def start_jobmanager(self):
        self.jobmanager = self.launch_jobmanager()
        self.until(lambda: self.get("/overview") is not None, "the JobManager")

    def taskmanager(self):
        main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        return self.java("384m", main, "--configDir", str(self.folder / "conf"))

    def start_the_dead(self):
        """Starts what ended by itself: a port was taken, or it lost the JobManager for too long."""
        if self.jobmanager and self.jobmanager.poll() is not None:
            self.jobmanager = self.launch_jobmanager()
        for place, manager in enumerate(self.managers):
            if manager.poll() is not None:
                self.managers[place] = self.taskmanager()

    def get(self, path, data=None):
        url = f"http://localhost:{self.rest}{path}"
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None

    def until(self, condition, what, seconds=300):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.start_the_dead()
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        sys.exit(f"{what} did not come up within {seconds} s: see {self.folder}/cluster.log")

    def submit(self, parallelism, state=None):
        self.counts["submissions"] += 1
        slots = lambda: (self.get("/overview") or {}).get("slots-available", 0) >= parallelism
        self.until(slots, "slots")
        place = lambda name: f"file://{self.folder}/{name}"
        restore = ["-s", state] if state else []
        arguments = ["run", "-d", "-p", str(parallelism), *restore, str(JAR)]
        for name in ("reports", "decisions", "proposals", "quarantine", "states"):
            arguments += [f"--{name}", place(name)]
        settings = (self.folder / "settings.toml").read_text()
        arguments += ["--settings-text", settings, "--clock", "event", *self.state_version]
        client = self.java("256m", "org.apache.flink.client.cli.CliFrontend", *arguments)
        if client.wait(timeout=300) != 0:
            sys.exit(f"the job was not accepted: see {self.folder}/cluster.log")
        jobs = self.until(lambda: (self.get("/jobs/overview") or {}).get("jobs"), "the job")
        return max(jobs, key=lambda job: job["start-time"])["jid"]

    def tasks(self, turn):
        """The parallelism after this many changes of it."""
        return self.parallelism[turn % len(self.parallelism)]

    def state(self, job):
        return (self.get(f"/jobs/{job}") or {}).get("state")

    def last_checkpoint(self):
        # By the time of the metadata, which is written last: that of a folder changes when it is being deleted.
        # A savepoint is one of them: what came before it is written already.
        done = []
        for path in [*self.folder.glob("checkpoints/*/chk-*/_metadata"), *self.folder.glob("savepoints/*/_metadata")]:
            try:
                done.append((path.stat().st_mtime_ns, path.parent))
            except FileNotFoundError:
                continue
        return f"file://{max(done)[1]}" if done else None

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self):
        for process in [*self.managers, self.jobmanager]:
            if process and process.poll() is None:
                self.kill(process)


def restart(cluster, job, parallelism):
    """Stops the job with a savepoint and starts it with this parallelism; None if there was no savepoint."""
    trigger = cluster.get(f"/jobs/{job}/stop", {"drain": False})
    if not trigger:
        return None
    def ended():
        answer = cluster.get(f"/jobs/{job}/savepoints/{trigger['request-id']}")
        return answer if answer and answer["status"]["id"] == "COMPLETED" else None
    operation = cluster.until(ended, "the savepoint")["operation"]
    if "location" not in operation:
        return None
    return cluster.submit(parallelism, operation["location"])


def disturb(cluster, job, action, turn, chance):
    """Does one thing to a running job; returns the job that runs afterwards, or None if it could not be done."""
    if action in ("rescalings", "upgrades"):
        if action == "upgrades":
            cluster.state_version = []
        restarted = restart(cluster, job, cluster.tasks(turn))
        cluster.counts["rescalings"] += restarted is not None
        cluster.counts["upgrades"] += restarted is not None and action == "upgrades"
        return restarted
    cluster.counts[action] += 1
    if action == "taskmanagers":
        victim = chance.randrange(len(cluster.managers))
        cluster.kill(cluster.managers[victim])
        cluster.managers[victim] = cluster.taskmanager()
        return job
    cluster.kill(cluster.jobmanager)
    cluster.start_jobmanager()
    return cluster.submit(cluster.tasks(turn - 1), cluster.last_checkpoint())


def run(cluster, kills, chance):
    """One job to its end. Each kind of disturbance comes once, then any: 1 to 4 tasks, an upgrade to 2."""
    plan = list(EACH)
    while sum(action.endswith("managers") for action in plan) < kills:
        plan.append(chance.choice(["taskmanagers"] * 4 + ["jobmanagers", "rescalings"]))
    done, turn = 0, 1
    job = cluster.submit(cluster.tasks(0))
    while True:
        wanted = ("RUNNING", "FINISHED", "FAILED")
        state = cluster.until(lambda: (s := cluster.state(job)) in wanted and s, "the job")
        if state == "FAILED":
            sys.exit(f"the job failed: see {cluster.folder}/cluster.log")
        if state == "FINISHED" and plan:
            sys.exit(f"the input ended before {', '.join(plan)}: make it longer")
        if state == "FINISHED":
            return
        # Each kind comes soon, while there is input on a fast machine too.
        time.sleep(chance.uniform(0.1, 0.5 if done < len(EACH) else 1.5))
        if plan and cluster.last_checkpoint() and cluster.state(job) == "RUNNING":
            disturbed = disturb(cluster, job, plan[0], turn, chance)
            if disturbed is None:
                # Not every moment allows a savepoint.
                continue
            job = disturbed
            done += 1
            turn += plan.pop(0) in ("rescalings", "upgrades")


def main():
    folder, kills = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2])
    chance = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    cluster = Cluster(folder)
    try:
        run(cluster, kills, chance)
    finally:
        cluster.stop()
    print(json.dumps(cluster.counts))


if __name__ == "__main__":
    main()
