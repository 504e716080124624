#!/usr/bin/env python3
"""Packs the program so that it can be installed without compiling.

    dist.py pack BINARY FOLDER        writes an archive, a Python wheel and an npm package of one binary
    dist.py finish FOLDER [ADDRESS]   writes what covers all binaries in the folder: the npm package that selects
                                      one, the Homebrew formula, checksums

ADDRESS is the page under which the archives of a release are, such as https://HOST/OWNER/NAME/releases/download/v1.
The system and architecture come from the binary itself. The same binary gives the same files. Needs only Python 3.9.
"""

import base64, gzip, hashlib, io, json, os, pathlib, re, stat, struct, subprocess, sys, tarfile, tempfile, zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = "rightsizer"
SUMMARY = "Right-sizes the memory of AWS Lambda functions from what their invocations used"
LICENCES = ("LICENSE-APACHE", "LICENSE-MIT")


def fail(words):
    sys.exit(f"dist: {words}")


def version():
    """Returns the version of the workspace."""
    return re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]


class Target:
    """The system that a binary runs on, in the words of each registry."""

    def __init__(self, triple, wheel, os_name, cpu):
        self.triple, self.wheel, self.os, self.cpu = triple, wheel, os_name, cpu

    @property
    def npm(self):
        return f"{NAME}-{self.os}-{self.cpu}"


def target(binary):
    """Returns the target of an executable, by its header."""
    head = binary[:20]
    if head[:5] == b"\x7fELF\x02":
        machine = struct.unpack_from("<H", head, 18)[0]
        known = {62: ("x86_64", "x64"), 183: ("aarch64", "arm64")}
        if machine in known:
            arch, cpu = known[machine]
            # A wheel is installed only where this version of the C library, or a later one, is.
            needed = [int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)\b", binary)]
            if not needed:
                fail("the binary is bound to no version of glibc; only binaries for glibc are packed")
            return Target(f"{arch}-unknown-linux-gnu", f"manylinux_2_{max(needed)}_{arch}", "linux", cpu)
    elif head[:4] == b"\xcf\xfa\xed\xfe":
        known = {0x01000007: ("x86_64", "x86_64", "x64"), 0x0100000C: ("aarch64", "arm64", "arm64")}
        cpu_type = struct.unpack_from("<I", head, 4)[0]
        if cpu_type in known:
            arch, wheel, cpu = known[cpu_type]
            return Target(f"{arch}-apple-darwin", f"macosx_11_0_{wheel}", "darwin", cpu)
    fail("the binary is for a system that is not packed (Linux with glibc and macOS, x86-64 and arm64)")


def tarball(files, folder):
    """Returns a compressed tar of (name, content, executable), below a folder."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, content, executable in files:
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mode = len(content), 0o755 if executable else 0o644
                tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def licences():
    return [(name, (ROOT / name).read_bytes(), False) for name in LICENCES]


def extras(path):
    """Returns the manual pages and completions that a binary of this machine prints; none of a foreign one."""
    files = []
    try:
        for shell, name in (("bash", "rightsizer.bash"), ("zsh", "_rightsizer"), ("fish", "rightsizer.fish")):
            script = subprocess.run([path, "completions", shell], check=True, capture_output=True).stdout
            files.append((f"completions/{name}", script, False))
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([path, "man", folder], check=True)
            pages = sorted(pathlib.Path(folder).iterdir())
            files += [(f"man/{page.name}", page.read_bytes(), False) for page in pages]
    except OSError:
        return []
    return files


def wheel(binary, goal):
    """Returns the name and the content of a wheel whose only content is a script: the binary."""
    number, info = version(), f"{NAME}-{version()}.dist-info"
    metadata = (
        f"Metadata-Version: 2.4\nName: {NAME}\nVersion: {number}\nSummary: {SUMMARY}\n"
        "License-Expression: MIT OR Apache-2.0\nRequires-Python: >=3.8\n"
        "Description-Content-Type: text/markdown\n" + "".join(f"License-File: {name}\n" for name in LICENCES) + "\n"
    ).encode() + (ROOT / "README.md").read_bytes()
    tag = f"py3-none-{goal.wheel}"
    about = f"Wheel-Version: 1.0\nGenerator: {NAME}\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    files = [(f"{NAME}-{number}.data/scripts/{NAME}", binary, 0o755)]
    files += [(f"{info}/licenses/{name}", content, 0o644) for name, content, _ in licences()]
    files += [(f"{info}/METADATA", metadata, 0o644), (f"{info}/WHEEL", about, 0o644)]
    record = ""
    for name, content, _ in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(content)}\n"
    files.append((f"{info}/RECORD", (record + f"{info}/RECORD,,\n").encode(), 0o644))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content, mode in files:
            entry = zipfile.ZipInfo(name)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | mode) << 16
            packed.writestr(entry, content)
    return f"{NAME}-{number}-{tag}.whl", buffer.getvalue()


def manifest(name, **more):
    """Returns the package.json of an npm package."""
    about = {"name": name, "version": version(), "description": SUMMARY, "license": "MIT OR Apache-2.0", **more}
    return ("package.json", (json.dumps(about, indent=2) + "\n").encode(), False)


def pack(path, out):
    """Writes the archive, the wheel and the npm package of one binary."""
    binary = pathlib.Path(path).read_bytes()
    goal, number = target(binary), version()
    out.mkdir(parents=True, exist_ok=True)
    program = (NAME, binary, True)
    readme = ("README.md", (ROOT / "README.md").read_bytes(), False)
    archive = f"{NAME}-{number}-{goal.triple}"
    files = [program, readme, *licences(), *extras(path)]
    package = manifest(goal.npm, os=[goal.os], cpu=[goal.cpu], files=[NAME])
    written = {
        f"{archive}.tar.gz": tarball(files, archive),
        f"{goal.npm}-{number}.tgz": tarball([package, program, *licences()], "package"),
    }
    written.update([wheel(binary, goal)])
    for name, content in written.items():
        (out / name).write_bytes(content)
        print(f"dist: {out / name} ({len(content)} bytes)")


LAUNCHER = """#!/usr/bin/env node
// Starts the program of the package for this system; npm installs that one alone.
const { spawn } = require("child_process");
const { constants } = require("os");

const name = `rightsizer-${process.platform}-${process.arch}`;
let program;
try {
  program = require.resolve(`${name}/rightsizer`);
} catch {
  console.error(`error: rightsizer has no program for ${process.platform} ${process.arch} (the package ${name} is missing)`);
  console.error("hint: install with optional dependencies, or compile it");
  process.exit(1);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// Ctrl-C reaches the program by itself; other signals reach this process alone.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => { throw error; });
child.on("exit", (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
"""

FORMULA = """# Made by infra/dist.py for each release.
class Rightsizer < Formula
  desc "{summary}"
  version "{version}"
  license any_of: ["MIT", "Apache-2.0"]
{systems}
  def install
    bin.install "rightsizer"
    man1.install Dir["man/*.1"]
    generate_completions_from_executable(bin/"rightsizer", "completions")
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/rightsizer --version")
  end
end
"""


def formula(archives, address):
    """Returns the Homebrew formula of these archives, by triple."""
    systems = ""
    for system, suffix in (("macos", "apple-darwin"), ("linux", "unknown-linux-gnu")):
        cpus = ""
        for cpu, arch in (("arm", "aarch64"), ("intel", "x86_64")):
            archive = archives.get(f"{arch}-{suffix}")
            if archive:
                digest = hashlib.sha256(archive.read_bytes()).hexdigest()
                cpus += f'\n    on_{cpu} do\n      url "{address}/{archive.name}"\n      sha256 "{digest}"\n    end\n'
        if cpus:
            systems += f"\n  on_{system} do{cpus}  end\n"
    return FORMULA.format(summary=SUMMARY, version=version(), systems=systems)


def finish(out, address):
    """Writes what covers all binaries in the folder."""
    number = version()
    archives = {file.name[len(f"{NAME}-{number}-") : -len(".tar.gz")]: file for file in out.glob(f"{NAME}-{number}-*.tar.gz")}
    if not archives:
        fail(f"{out} has no archives: run dist.py pack first")
    packages = [file.name[: -len(f"-{number}.tgz")] for file in sorted(out.glob(f"{NAME}-*-{number}.tgz"))]
    files = [
        manifest(
            NAME,
            bin={NAME: f"bin/{NAME}.js"},
            optionalDependencies={package: number for package in packages},
            engines={"node": ">=16"},
        ),
        (f"bin/{NAME}.js", LAUNCHER.encode(), True),
        ("README.md", (ROOT / "README.md").read_bytes(), False),
        *licences(),
    ]
    (out / f"{NAME}-{number}.tgz").write_bytes(tarball(files, "package"))
    if address:
        (out / f"{NAME}.rb").write_text(formula(archives, address))
    sums = ""
    for file in sorted(file for file in out.iterdir() if file.is_file() and file.name != "SHA256SUMS"):
        sums += f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
    (out / "SHA256SUMS").write_text(sums)
    print(f"dist: {out} is complete: {', '.join(sorted(archives))}")


def main(words):
    if len(words) == 3 and words[0] == "pack":
        pack(os.path.abspath(words[1]), pathlib.Path(words[2]))
    elif len(words) in (2, 3) and words[0] == "finish":
        finish(pathlib.Path(words[1]), words[2] if len(words) == 3 else "")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
