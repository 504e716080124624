#!/usr/bin/env bash
# Installs the servers that the tests start into .tools of this checkout: again only when their
# pinned versions changed. Stops at the first missing prerequisite and prints how to get it.
set -euo pipefail
cd "$(dirname "$0")/../.."

[[ $(uname -s) = Linux ]] || {
    echo "tools: the tests start Linux programs, a virtual machine and namespaces among them, and this is $(uname -s). Run them on Linux, for example in a container of debian:12. \`make demo\` and \`make deploy\` run here." >&2
    exit 1
}

need() { # program, version wanted, how to get it
    command -v "$1" >/dev/null 2>&1 || {
        echo "tools: $1 is missing ($2). $3" >&2
        exit 1
    }
}

rust='Install it from https://rustup.rs; rust-toolchain.toml then picks the version.'
node='Install it from https://nodejs.org or as package nodejs and npm of your system.'
python='Install it from https://www.python.org or as package python3 of your system.'
need cc 'a C compiler, for SQLite and TLS' \
    'Debian, Ubuntu: apt install build-essential. Fedora: dnf install gcc. macOS: xcode-select --install.'
need cargo 'Rust' "$rust"
need rustc 'Rust' "$rust"
need node 'Node.js 20 or later' "$node"
need npm 'comes with Node.js' "$node"
need python3 'Python 3.11 or later' "$python"

need git 'the changes that export shows are applied by it' \
    'Debian, Ubuntu: apt install git. Fedora: dnf install git.'

node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' || {
    echo "tools: node is $(node --version), 20 or later is needed. $node" >&2
    exit 1
}
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "tools: python3 is $(python3 --version), 3.11 or later is needed. $python" >&2
    exit 1
}
python3 -c 'import venv, ensurepip' 2>/dev/null || {
    echo "tools: Python's venv module is missing. Debian, Ubuntu: apt install python3-venv." >&2
    exit 1
}

need unshare 'mount namespaces, in which AWS'"'"'s own emulator gets its fixed folders' \
    'Debian, Ubuntu: apt install util-linux. Fedora: dnf install util-linux.'

# The Flink job's tests run it; building the product itself needs neither.
java_is_there() {
    command -v javac >/dev/null && command -v mvn >/dev/null &&
        [[ $(javac -version 2>&1 | sed 's/^javac \([0-9]*\).*/\1/') -ge 17 ]]
}
java_is_there || {
    if [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; then
        echo "tools: apt packages openjdk-17-jdk-headless and maven (the Flink job is tested with them)"
        packages=(openjdk-17-jdk-headless maven)
        apt-get install --yes --quiet "${packages[@]}" >/dev/null || { apt-get update --quiet && apt-get install --yes --quiet "${packages[@]}"; } >/dev/null
    else
        echo "tools: Java 17 and Maven are missing: the Flink job is tested with them. Debian, Ubuntu: apt install openjdk-17-jdk-headless maven. Fedora: dnf install java-17-openjdk-devel maven. macOS: brew install openjdk@17 maven." >&2
        exit 1
    fi
}

# The copy of the lock file is written last: it stands for a finished installation.
if ! cmp -s tests/tools/package-lock.json .tools/node/installed-lock.json; then
    echo "tools: npm packages into .tools/node"
    rm -rf .tools/node
    mkdir -p .tools/node
    cp tests/tools/package.json tests/tools/package-lock.json .tools/node/
    npm ci --prefix .tools/node --omit=dev --no-audit --no-fund --loglevel=error
    cp tests/tools/package-lock.json .tools/node/installed-lock.json
fi
# A browser for the page's tests: the system's, else one that needs no installation.
if [[ ! -x /usr/bin/chromium && -z ${RIGHTSIZER_CHROMIUM:-} && ! -x .tools/chromium/chromium ]]; then
    if [[ $(uname -m) != x86_64 ]]; then
        echo "tools: Chromium is missing. Debian: apt install chromium; elsewhere set RIGHTSIZER_CHROMIUM to one." >&2
        exit 1
    fi
    echo "tools: Chromium into .tools/chromium (70 MB)"
    packed=$(mktemp --directory)
    (cd "$packed" && npm pack --silent @sparticuz/chromium@153.0.0 >/dev/null && tar -xzf ./*.tgz)
    node tests/tools/chromium.js "$packed/package" .tools/chromium
    rm -rf "$packed"
fi
if ! cmp -s tests/tools/requirements.txt .tools/python/installed-requirements.txt; then
    echo "tools: Python packages into .tools/python"
    rm -rf .tools/python
    python3 -m venv .tools/python
    .tools/python/bin/pip install --quiet --disable-pip-version-check --no-deps \
        --requirement tests/tools/requirements.txt
    .tools/python/bin/pip check --disable-pip-version-check >&2
    cp tests/tools/requirements.txt .tools/python/installed-requirements.txt
fi
if ! cmp -s tests/tools/rie-requirements.txt .tools/rie/installed-requirements.txt; then
    echo "tools: AWS's Lambda runtime interface emulator into .tools/rie"
    rm -rf .tools/rie
    mkdir -p .tools/rie
    .tools/python/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --dest .tools/rie --requirement tests/tools/rie-requirements.txt
    arch=$(uname -m)
    .tools/python/bin/python - .tools/rie "${arch/aarch64/arm64}" <<'PYTHON'
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
wheel = next(folder.glob("*.whl"))
emulator = folder / "aws-lambda-rie"
with zipfile.ZipFile(wheel) as files:
    emulator.write_bytes(files.read(f"samcli/local/rapid/aws-lambda-rie-{sys.argv[2]}"))
emulator.chmod(0o755)
wheel.unlink()
PYTHON
    cp tests/tools/rie-requirements.txt .tools/rie/installed-requirements.txt
fi
tests/tools/debian.sh
echo "tools: ready in .tools"
