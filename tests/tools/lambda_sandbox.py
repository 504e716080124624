"""Plays one execution environment of Lambda around real processes: the extension as it is in the layer, and a function,
both in the same control group, which holds them to the CPU share of a memory size. Needs root, because the extension
gets a /proc/stat that shows only what its group used, as in an environment of Lambda.

It knows nothing of curves or of what the function does: `power_experiment.py` does.
"""

import contextlib
import datetime
import http.server
import json
import os
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading
import urllib.request
import uuid

# Lambda's own period is 20 ms: in a longer one, a short computation is not throttled.
PERIOD_US = 20_000
# Memory of one CPU.
ONE_CPU_MB = 1769
# How long the platform waits for an extension.
PATIENCE_S = 60
ACCOUNT = "123456789012"
REGION = "eu-west-1"


class Share:
    """A group of processes held to the CPU share of a size, with priority over the rest of the machine."""

    def __init__(self, size):
        quota = str(int(PERIOD_US * size / ONE_CPU_MB))
        name = f"rightsizer-power-{os.getpid()}-{size}"
        root = pathlib.Path("/sys/fs/cgroup")
        if (root / "cpu").is_dir():
            self.groups = [root / "cpu" / name, root / "cpuacct" / name]
            limits = {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": quota, "cpu.shares": "262144"}
        else:
            self.groups = [root / name]
            limits = {"cpu.max": f"{quota} {PERIOD_US}", "cpu.weight": "10000"}
        for group in self.groups:
            # Both controllers may be mounted together.
            group.mkdir(exist_ok=True)
        for file, value in limits.items():
            (self.groups[0] / file).write_text(value)

    def join(self):
        for group in self.groups:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    def used_ms(self):
        """Returns the CPU time of all processes that were in the group."""
        usage = self.groups[-1] / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e6
        stat = dict(line.split() for line in (self.groups[0] / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e3

    def close(self):
        for group in self.groups:
            if group.exists():
                group.rmdir()


class RuntimeApi(http.server.ThreadingHTTPServer):
    """The Extensions API and the telemetry subscription."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Requests)
        self.ready, self.events, self.destination = threading.Event(), queue.Queue(), None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Requests(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.body()
        self.answer({"functionName": "played", "functionVersion": "$LATEST", "handler": "main", "accountId": ACCOUNT})

    def do_PUT(self):
        uri = json.loads(self.body())["destination"]["URI"]
        self.server.destination = uri.replace("sandbox.localdomain", "127.0.0.1")
        self.answer("OK")

    def do_GET(self):
        self.server.ready.set()
        self.answer(self.server.events.get())

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Lambda-Extension-Identifier", "00000000-0000-4000-8000-000000000001")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Sandbox:
    """One environment: an extension that reports to `stream`, and a function.

    The function is a command that prints one line of JSON when it is ready, and one for each line that it reads.
    """

    def __init__(self, name, size, command, extension, stream):
        self.name, self.size, self.command, self.extension, self.stream = name, size, command, extension, stream
        self.unreported, self.undo = [], contextlib.ExitStack()

    def __enter__(self):
        with self.undo as undo:
            self.share = Share(self.size)
            undo.callback(self.share.close)
            folder = pathlib.Path(undo.enter_context(tempfile.TemporaryDirectory()))
            self.stat = folder / "stat"
            self.stat.touch()
            self.count_cpu()
            self.api = RuntimeApi()
            undo.callback(self.api.shutdown)
            self.observer = self.begin_extension()
            undo.callback(end, self.observer)
            if not self.api.ready.wait(PATIENCE_S):
                raise RuntimeError("the extension never asked for its next event")
            self.function = self.begin(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            undo.callback(end, self.function)
            self.function.stdout.readline()
            self.freeze()
            self.undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self.undo.close()

    def begin(self, command, **more):
        return subprocess.Popen(command, preexec_fn=self.share.join, **more)

    def begin_extension(self):
        port = self.api.server_address[1]
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "PATH": os.environ["PATH"],
            "RIGHTSIZER_STREAM": "reports",
            "RIGHTSIZER_ENDPOINT": self.stream,
        }
        own_stat = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /proc/stat && exec "$1"']
        return self.begin([*own_stat, str(self.stat), str(self.extension)], env=environment, stdout=subprocess.DEVNULL)

    def count_cpu(self):
        """Writes what the group used as /proc/stat of the environment has it, in ticks of 10 ms."""
        ticks = int(self.share.used_ms() / 10)
        cores = "".join(f"cpu{n} 0 0 0 0\n" for n in range(os.cpu_count() or 1))
        # In place: the file is mounted.
        with open(self.stat, "r+", encoding="ascii") as file:
            file.truncate()
            file.write(f"cpu  {ticks} 0 0 0 0 0 0 0 0 0\n{cores}")

    def freeze(self):
        self.observer.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.count_cpu()
        self.observer.send_signal(signal.SIGCONT)

    def invoke(self):
        """Runs the function once; returns its line. The report of an invocation reaches the extension with the next."""
        request = str(uuid.uuid4())
        self.thaw()
        events = [*self.unreported, event("start", requestId=request, version="$LATEST")]
        delivery = threading.Thread(target=self.post, args=(events,))
        delivery.start()
        self.function.stdin.write("\n")
        self.function.stdin.flush()
        ran = json.loads(self.function.stdout.readline())
        delivery.join()
        self.freeze()
        metrics = {
            "durationMs": round(ran["wall_ms"], 3),
            "billedDurationMs": int(ran["wall_ms"]) + 1,
            "memorySizeMB": self.size,
            "maxMemoryUsedMB": ran["used_mb"],
        }
        done = event("runtimeDone", requestId=request, status="success", metrics={"durationMs": metrics["durationMs"]})
        self.unreported = [done, event("report", requestId=request, status="success", metrics=metrics)]
        return ran

    def shut_down(self):
        """Ends the environment as Lambda does: the extension has two seconds to send what it has."""
        self.thaw()
        self.post(self.unreported)
        deadline = int((datetime.datetime.now().timestamp() + 2) * 1000)
        self.api.events.put({"eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": deadline})
        if self.observer.wait(PATIENCE_S) != 0:
            raise RuntimeError(f"the extension ended with {self.observer.returncode}")

    def post(self, events):
        data = json.dumps(events).encode()
        request = urllib.request.Request(self.api.destination, data, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=PATIENCE_S).close()


def event(kind, **record):
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"time": now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z", "type": f"platform.{kind}", "record": record}


def end(process):
    process.kill()
    process.wait()
