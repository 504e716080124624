"""Tests of the container's context and of the push of its image, without an account."""

import hashlib
import http.server
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

INFRA = Path(__file__).resolve().parent.parent


class Certificates(unittest.TestCase):
    """The list of trusted certificates, from a checkout with only what `context.sh` reads."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.here = Path(temporary.name)
        for name in ("context.sh", "container/Dockerfile"):
            self.at(f"infra/{name}").write_bytes((INFRA / name).read_bytes())
        self.mozilla = self.at(".tools/layer/lib/python3.11/site-packages/certifi/cacert.pem")
        self.mozilla.write_text("Mozilla's")
        self.of_release = self.at("release/ca-certificates.crt")
        self.of_release.write_text("a release's")
        self.own = self.at("own.pem")
        self.own.write_text("a company's own")

    def at(self, name):
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def trusted(self, **variables):
        """Returns the container's list and what the script prints."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("RIGHTSIZER_")}
        script = ["sh", self.here / "infra/context.sh", "/bin/sh", self.here / "context"]
        run = subprocess.run(script, env={**env, **variables}, check=True, capture_output=True, text=True)
        return (self.here / "context/ca-certificates.crt").read_bytes(), run.stdout

    def test_it_is_mozillas_and_not_what_this_machine_trusts(self):
        found, printed = self.trusted(SSL_CERT_FILE=str(self.own))
        self.assertEqual(found, b"Mozilla's")
        self.assertNotIn("will trust", printed)

    def test_a_releases_list_comes_with_its_binaries(self):
        self.assertEqual(self.trusted(RIGHTSIZER_BINARIES=str(self.of_release.parent))[0], b"a release's")

    def test_a_named_list_replaces_every_other(self):
        both = {"RIGHTSIZER_BINARIES": str(self.of_release.parent), "RIGHTSIZER_CA_BUNDLE": str(self.own)}
        self.assertEqual(self.trusted(**both)[0], b"a company's own")

    def test_a_named_list_that_is_missing_is_an_error(self):
        with self.assertRaises(subprocess.CalledProcessError) as refused:
            self.trusted(RIGHTSIZER_CA_BUNDLE=str(self.here / "missing.pem"))
        self.assertIn("missing.pem", refused.exception.stderr)

    def test_without_mozillas_list_it_prints_whose_it_takes(self):
        system = Path("/etc/ssl/certs/ca-certificates.crt")
        if not system.exists():
            self.skipTest("this system keeps its list elsewhere")
        self.mozilla.unlink()
        found, printed = self.trusted(SSL_CERT_FILE=str(self.own))
        self.assertEqual(found, system.read_bytes())
        self.assertIn(f"will trust what this machine trusts ({system})", printed)

    def test_the_list_is_installed_at_a_pinned_version(self):
        self.assertRegex((INFRA / "requirements.txt").read_text(), r"(?m)^certifi==\d")


class Registry(http.server.BaseHTTPRequestHandler):
    """A registry that a test lets misbehave, through attributes of its server."""

    def answer(self):
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        host = self.headers.get("Host")
        self.server.seen.append((self.command, host, self.headers.get("Authorization")))
        fault = self.server.faults.pop(0) if self.command == "PUT" and self.server.faults else None
        if fault == "cut":
            self.close_connection = True
            return
        self.send_response(fault or self.status())
        if "/blobs/" in self.path:
            self.send_header("Location", f"http://{self.server.elsewhere}/v2/rightsizer/blobs/uploads/1")
        self.end_headers()

    def status(self):
        if self.command == "HEAD":
            return 307 if "/blobs/" in self.path and self.server.has_blobs else 404
        return {"POST": 202, "PATCH": 202}.get(self.command, 201)

    do_HEAD = do_PUT = do_POST = do_PATCH = do_GET = answer

    def log_message(self, *_):
        pass


class Push(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
        port = self.server.server_port
        self.here, self.server.elsewhere = f"127.0.0.1:{port}", f"localhost:{port}"
        self.server.seen, self.server.faults, self.server.has_blobs = [], [], True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def push(self, layer=None, limit=None):
        """Pushes an image with this file as its layer, with a bound on the program's address space."""
        with tempfile.TemporaryDirectory() as folder:
            blobs = Path(folder, "blobs/sha256")
            blobs.mkdir(parents=True)

            def blob(content):
                digest = hashlib.sha256(content).hexdigest()
                (blobs / digest).write_bytes(content)
                return {"digest": f"sha256:{digest}"}

            first = blob(b"layer")
            if layer:
                shutil.move(layer, blobs / first["digest"].removeprefix("sha256:"))
            manifest = blob(json.dumps({"layers": [first], "config": blob(b"config")}).encode())
            Path(folder, "index.json").write_text(json.dumps({"manifests": [manifest]}))
            words = [sys.executable, INFRA / "image.py", "push", folder, f"http://{self.here}", "rightsizer"]
            bound = (lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))) if limit else None
            return subprocess.run(words, input=b"password", capture_output=True, preexec_fn=bound)

    def methods(self):
        return [method for method, *_ in self.server.seen]

    def test_a_redirect_of_a_blob_means_that_it_is_there_and_is_not_followed(self):
        pushed = self.push()
        self.assertEqual(pushed.returncode, 0, pushed.stderr)
        self.assertEqual(self.methods(), ["HEAD", "HEAD", "HEAD", "PUT"])
        self.assertEqual({(host, bool(login)) for _, host, login in self.server.seen}, {(self.here, True)})

    def test_an_upload_that_continues_on_another_host_gets_no_login_there(self):
        self.server.has_blobs = False
        pushed = self.push()
        self.assertEqual(pushed.returncode, 0, pushed.stderr)
        hosts = {(host, bool(login)) for _, host, login in self.server.seen}
        self.assertEqual(hosts, {(self.here, True), (self.server.elsewhere, False)})

    def test_a_temporary_failure_is_retried(self):
        for fault in (503, 429, "cut"):
            self.server.seen, self.server.faults = [], [fault]
            pushed = self.push()
            self.assertEqual(pushed.returncode, 0, pushed.stderr)
            self.assertEqual(self.methods()[-4:], ["HEAD", "PUT", "HEAD", "PUT"], fault)

    def test_a_refused_login_is_not_retried_and_names_the_command(self):
        self.server.faults = [401]
        pushed = self.push()
        self.assertEqual(self.methods().count("PUT"), 1)
        self.assertIn(b"refused PUT /v2/rightsizer/manifests/", pushed.stderr)
        self.assertIn(b"hint: pass a new password on standard input: aws ecr get-login-password", pushed.stderr)

    def test_a_large_blob_does_not_fill_the_memory(self):
        self.server.has_blobs = False
        with tempfile.TemporaryDirectory() as folder:
            large = Path(folder, "large")
            with large.open("wb") as file:
                file.truncate(128 << 20)
            pushed = self.push(large, limit=112 << 20)
        self.assertEqual(pushed.returncode, 0, pushed.stderr)


if __name__ == "__main__":
    unittest.main()
