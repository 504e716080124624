#!/usr/bin/env python3
"""Builds a container image from a context without Docker, and pushes it to a registry.

    image.py build CONTEXT LAYOUT ARCHITECTURE   writes an OCI image layout; prints its digest
    image.py push LAYOUT REGISTRY REPOSITORY     pushes it; reads a password from standard input

The Dockerfile can copy files and set how they are started; it cannot run commands. The same context gives
the same image, byte for byte. Needs only Python 3.9.
"""

import base64, gzip, hashlib, io, json, pathlib, sys, tarfile, time, urllib.error, urllib.parse, urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def fail(words):
    sys.exit(f"image: {words}")


def instructions(dockerfile):
    """Yields the instructions of a Dockerfile, each as its name and its arguments."""
    for line in dockerfile.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, words = line.partition(" ")
            yield name, words.strip()


class Tree:
    """The files of the image as a reproducible tar."""

    def __init__(self):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.USTAR_FORMAT)
        self.folders = set()

    def add(self, path, content, mode, owner):
        entry = tarfile.TarInfo(path.strip("/"))
        entry.mode, entry.uid, entry.gid = mode, *owner
        if content is None:
            entry.type = tarfile.DIRTYPE
            self.folders.add(entry.name)
            self.tar.addfile(entry)
        else:
            entry.size = len(content)
            self.tar.addfile(entry, io.BytesIO(content))

    def parents(self, path, owner):
        parts = pathlib.PurePosixPath(path).parts[1:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in self.folders:
                # Folders that a copy creates belong to root, except the copied folder itself.
                self.add(folder, None, 0o755, (0, 0) if depth < len(parts) else owner)

    def copy(self, source, target, owner):
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            to = target + str(file.relative_to(source)) if source.is_dir() else target
            self.parents(to, owner if source.is_dir() else (0, 0))
            self.add(to, file.read_bytes(), file.stat().st_mode & 0o777, owner)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def image(context):
    """Returns the tar of the files, and the configuration that starts them."""
    tree, run = Tree(), {}
    for name, words in instructions(context / "Dockerfile"):
        if name == "COPY":
            owner, parts = (0, 0), words.split()
            if parts[0].startswith("--chown="):
                owner = tuple(int(part) for part in parts.pop(0)[len("--chown=") :].split(":"))
            tree.copy(context / parts[0], parts[1], owner)
        elif name == "VOLUME":
            run["Volumes"] = {path: {} for path in json.loads(words)}
        elif name == "ENV":
            run.setdefault("Env", []).append(words)
        elif name in ("USER", "WORKDIR"):
            run[{"USER": "User", "WORKDIR": "WorkingDir"}[name]] = words
        elif name == "ENTRYPOINT":
            run["Entrypoint"] = json.loads(words)
        elif (name, words) != ("FROM", "scratch"):
            fail(f"{name} {words}: the Dockerfile may only use FROM scratch, COPY, and instructions that set how it starts")
    return tree.bytes(), run


def build(context, layout, architecture):
    layout.joinpath("blobs/sha256").mkdir(parents=True, exist_ok=True)

    def blob(content, kind):
        digest = hashlib.sha256(content).hexdigest()
        layout.joinpath("blobs/sha256", digest).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}

    def document(value, kind):
        return blob(json.dumps(value, separators=(",", ":"), sort_keys=True).encode(), kind)

    tar, run = image(context)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as file:
        file.write(tar)
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": document(config, CONFIG),
        "layers": [blob(packed.getvalue(), LAYER)],
    }
    described = document(manifest, MANIFEST)
    layout.joinpath("index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    layout.joinpath("oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    print(described["digest"])


class Passing(Exception):
    """A failure that a retry may not see."""


class Registry:
    """A client of a registry's distribution API."""

    def __init__(self, url, repository, password):
        self.base = f"{url}/v2/{repository}"
        login = base64.b64encode(f"AWS:{password}".encode()).decode()
        self.login = f"Basic {login}" if password else None
        # A redirect would carry the login to another host.
        self.opener = urllib.request.build_opener(NoRedirects)

    def ask(self, method, url, content=None, size=0, kind="application/octet-stream"):
        """Sends a request; returns the headers of the response, or `None` if a HEAD finds nothing.

        `content` is bytes or a file.
        """
        request = urllib.request.Request(url, method=method, data=content)
        if self.login and urllib.parse.urlsplit(url).netloc == urllib.parse.urlsplit(self.base).netloc:
            request.add_header("Authorization", self.login)
        # Without this header, a registry answers 404 for a manifest that it has.
        if "/manifests/" in url:
            request.add_header("Accept", MANIFEST)
        if content is not None:
            request.add_header("Content-Type", kind)
            request.add_header("Content-Length", str(size))
        try:
            with self.opener.open(request, timeout=300) as answer:
                return answer.headers
        except urllib.error.HTTPError as error:
            if method == "HEAD" and error.code == 404:
                return None
            # A redirect to the blob means that it exists.
            if method == "HEAD" and 300 <= error.code < 400:
                return error.headers
            words = error.read().decode(errors="replace")[:500]
            words = f"the registry refused {method} {urllib.parse.urlsplit(url).path}: {error.code} {words}"
            if error.code == 429 or error.code >= 500:
                raise Passing(words) from error
            if error.code in (401, 403):
                words += "\nhint: pass a new password on standard input: aws ecr get-login-password. It lasts 12 hours"
            fail(words)
        except (urllib.error.URLError, OSError) as error:
            raise Passing(f"the registry at {self.base} cannot be reached: {error}") from error

    def put_blob(self, digest, file):
        if self.ask("HEAD", f"{self.base}/blobs/{digest}") is not None:
            return
        at = self.ask("POST", f"{self.base}/blobs/uploads/", b"")["Location"]
        with file.open("rb") as content:
            at = self.ask("PATCH", urllib.parse.urljoin(self.base, at), content, file.stat().st_size)["Location"]
        at = urllib.parse.urljoin(self.base, at)
        self.ask("PUT", f"{at}{'&' if '?' in at else '?'}digest={digest}", b"")

    def put_manifest(self, digest, content):
        if self.ask("HEAD", f"{self.base}/manifests/{digest}") is None:
            tag = digest.removeprefix("sha256:")[:12]
            self.ask("PUT", f"{self.base}/manifests/{tag}", content, len(content), MANIFEST)


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Returns every redirect as the response."""

    def redirect_request(self, *_):
        return None


def patiently(step, *words):
    """Runs a step of a push; retries it up to three times after a temporary failure."""
    for pause in (1, 2, 4):
        try:
            return step(*words)
        except Passing:
            time.sleep(pause)
    try:
        return step(*words)
    except Passing as error:
        fail(error)


def push(layout, registry, repository):
    def blob(digest):
        return layout.joinpath("blobs", *digest.split(":"))

    password = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    registry = Registry(registry.rstrip("/"), repository, password)
    digest = json.loads(layout.joinpath("index.json").read_text())["manifests"][0]["digest"]
    manifest = json.loads(blob(digest).read_bytes())
    for each in [*manifest["layers"], manifest["config"]]:
        patiently(registry.put_blob, each["digest"], blob(each["digest"]))
    patiently(registry.put_manifest, digest, blob(digest).read_bytes())
    print(digest)


command, *words = sys.argv[1:] or [""]
if command not in ("build", "push") or len(words) != 3:
    fail(__doc__.strip())
if command == "build":
    build(pathlib.Path(words[0]), pathlib.Path(words[1]), words[2])
else:
    push(pathlib.Path(words[0]), words[1], words[2])
