#!/usr/bin/env python3
"""Makes a container image of a context without Docker, and puts it into a registry.

    image.py build CONTEXT LAYOUT ARCHITECTURE   an OCI image layout; prints its digest
    image.py push LAYOUT REGISTRY REPOSITORY     the password on standard input, if there is one

The Dockerfile may copy files and say how they are started; it cannot run anything. The same context
gives the same image, byte for byte.
"""

import base64, gzip, hashlib, io, json, pathlib, sys, tarfile, urllib.error, urllib.parse, urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def fail(words):
    sys.exit(f"image: {words}")


def instructions(dockerfile):
    """The instructions of a Dockerfile, each as its name and its words."""
    for line in dockerfile.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, words = line.partition(" ")
            yield name, words.strip()


class Tree:
    """The files of the image, as a tar whose bytes depend on nothing but them."""

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
                # A folder that a copy makes belongs to root, but for the one that is copied.
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
    """The tar of the files, and how they are started."""
    tree, run = Tree(), {}
    for name, words in instructions(context / "Dockerfile"):
        match name:
            case "FROM" if words == "scratch":
                pass
            case "COPY":
                owner, parts = (0, 0), words.split()
                if parts[0].startswith("--chown="):
                    owner = tuple(int(part) for part in parts.pop(0)[len("--chown=") :].split(":"))
                tree.copy(context / parts[0], parts[1], owner)
            case "VOLUME":
                run["Volumes"] = {path: {} for path in json.loads(words)}
            case "ENV":
                run.setdefault("Env", []).append(words)
            case "USER":
                run["User"] = words
            case "WORKDIR":
                run["WorkingDir"] = words
            case "ENTRYPOINT":
                run["Entrypoint"] = json.loads(words)
            case _:
                fail(f"{name} {words}: the Dockerfile may start from scratch, copy, and say how to start")
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


class Registry:
    """A registry by the distribution API, as Docker talks to it."""

    def __init__(self, url, repository, password):
        self.base = f"{url}/v2/{repository}"
        login = base64.b64encode(f"AWS:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {login}"} if password else {}

    def ask(self, method, url, content=None, kind="application/octet-stream", missing=False):
        request = urllib.request.Request(url, method=method, data=content, headers=dict(self.headers))
        # Without it, a registry does not tell of a manifest that it has.
        if "/manifests/" in url:
            request.add_header("Accept", MANIFEST)
        if content is not None:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.headers
        except urllib.error.HTTPError as error:
            if missing and error.code == 404:
                return None
            words = error.read().decode(errors="replace")[:500]
            fail(f"the registry refused {method} {urllib.parse.urlsplit(url).path}: {error.code} {words}")
        except urllib.error.URLError as error:
            fail(f"the registry at {self.base} cannot be reached: {error.reason}")

    def put_blob(self, digest, content):
        if self.ask("HEAD", f"{self.base}/blobs/{digest}", missing=True) is not None:
            return
        at = self.ask("POST", f"{self.base}/blobs/uploads/", b"")["Location"]
        at = self.ask("PATCH", urllib.parse.urljoin(self.base, at), content)["Location"]
        at = urllib.parse.urljoin(self.base, at)
        self.ask("PUT", f"{at}{'&' if '?' in at else '?'}digest={digest}", b"")

    def put_manifest(self, digest, content):
        if self.ask("HEAD", f"{self.base}/manifests/{digest}", missing=True) is None:
            tag = digest.removeprefix("sha256:")[:12]
            self.ask("PUT", f"{self.base}/manifests/{tag}", content, MANIFEST)


def push(layout, registry, repository):
    def read(digest):
        return layout.joinpath("blobs", *digest.split(":")).read_bytes()

    password = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    registry = Registry(registry.rstrip("/"), repository, password)
    digest = json.loads(layout.joinpath("index.json").read_text())["manifests"][0]["digest"]
    manifest = json.loads(read(digest))
    for blob in [*manifest["layers"], manifest["config"]]:
        registry.put_blob(blob["digest"], read(blob["digest"]))
    registry.put_manifest(digest, read(digest))
    print(digest)


match sys.argv[1:]:
    case ["build", context, layout, architecture]:
        build(pathlib.Path(context), pathlib.Path(layout), architecture)
    case ["push", layout, registry, repository]:
        push(pathlib.Path(layout), registry, repository)
    case _:
        fail(__doc__.strip())
