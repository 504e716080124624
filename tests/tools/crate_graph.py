#!/usr/bin/env python3
"""Holds the crate graph to docs/ARCHITECTURE.md, and prints it.

What a crate must not know, its Cargo.toml does not list: each crate has a row here with the crates that
it may depend on. A dependency outside its row, a circle, or tokio, an AWS crate or SQLite anywhere below
`rules` and `formats` (tests included) fails the check.
"""

import json
import subprocess
import sys

# Allowed in every crate: serialization and error types.
EVERYWHERE = {"serde", "serde_json", "thiserror"}

# crate: (crates of this workspace, crates of others)
ROWS = {
    "rightsizer-records": ((), ("jiff",)),
    "rightsizer-rules": (("records",), ("jiff", "sha2", "toml")),
    "rightsizer-formats": (("records", "rules"), ("base64", "csv-core", "flate2", "foldhash", "memchr")),
    "rightsizer-export": (("records", "rules"), ("hcl-edit", "jsonc-parser", "saphyr-parser", "similar")),
    "rightsizer-flink": (("records", "rules", "formats"), ("jni", "toml")),
    "rightsizer-store": (
        ("records", "rules"),
        ("anyhow", "foldhash", "getrandom", "indexmap", "nix", "rusqlite"),
    ),
    "rightsizer-page": (
        ("records", "rules", "store"),
        ("base64", "form_urlencoded", "hdrhistogram", "maud", "pulldown-cmark", "sha2"),
    ),
    "rightsizer-updater": (
        ("records",),
        ("anyhow", "aws-*", "base64", "futures-util", "lambda_runtime", "tokio", "tracing", "tracing-subscriber"),
    ),
    "rightsizer-aws": (
        ("records", "rules", "formats", "updater"),
        (
            "anyhow", "aws-*", "form_urlencoded", "futures-util", "http", "http-body-util",
            "prometheus-client", "roxmltree", "tokio", "tokio-util", "tracing",
        ),
    ),
    "rightsizer": (("records", "rules", "formats", "export", "store", "aws", "page", "updater"), ("*",)),
    "rightsizer-extension": (
        ("records",),
        (
            "anyhow", "aws-credential-types", "aws-sigv4", "base64", "getrandom", "http-body-util", "httparse",
            "hyper", "hyper-util", "libc", "mio", "socket2", "tokio", "tokio-rustls",
        ),
    ),
    "rightsizer-reference-extension": (("records",), ("*",)),
    "rightsizer-tests": (("records", "updater"), ("*",)),
    "rightsizer-fuzz": (("*",), ("*",)),
    "rightsizer-speed": (("*",), ("*",)),
}

# What these two must build and test without, at any depth.
PURE = ("rightsizer-rules", "rightsizer-formats")
IMPURE = ("tokio", "aws-", "rusqlite", "libsqlite3-sys", "hyper")


def allowed(name, patterns):
    return any(
        pattern == "*" or name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
        for pattern in patterns
    )


def short(name):
    return name.removeprefix("rightsizer-")


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
    read = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if read.returncode != 0:
        return read.returncode  # cargo has printed the reason
    metadata = json.loads(read.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    members = {packages[member]["name"]: packages[member] for member in metadata["workspace_members"]}
    faults = [f"{name} has no row in tests/tools/crate_graph.py" for name in members if name not in ROWS]
    arrows = {}
    for name, package in members.items():
        inner, outer = ROWS.get(name, (("*",), ("*",)))
        arrows[name] = set()
        for dependency in package["dependencies"]:
            if dependency["kind"] is not None:
                continue
            other = dependency["name"]
            if other in members:
                arrows[name].add(other)
                if not allowed(short(other), inner):
                    faults.append(f"{name} must not know {other}")
            elif other not in EVERYWHERE and not allowed(other, outer):
                faults.append(f"{name} must not depend on {other}")
    faults += impure(metadata, packages)
    floors = levels(arrows, faults)
    for floor in sorted(set(floors.values()), reverse=True):
        for name in sorted(name for name, at in floors.items() if at == floor):
            below = ", ".join(short(other) for other in sorted(arrows[name])) or "nothing of ours"
            print(f"  {floor}  {short(name):22} knows {below}")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        print("hint: docs/ARCHITECTURE.md describes each crate", file=sys.stderr)
    return 1 if faults else 0


def impure(metadata, packages):
    """What is below the pure crates and must not be."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    for root, package in packages.items():
        if package["name"] not in PURE:
            continue
        seen, waiting = set(), [root]
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            # Dev-dependencies count for the crate itself, not for those below it.
            wanted = (None, "dev") if at == root else (None,)
            for dependency in nodes[at]["deps"]:
                if any(kind["kind"] in wanted for kind in dependency["dep_kinds"]):
                    waiting.append(dependency["pkg"])
        for name in sorted(packages[at]["name"] for at in seen):
            if name.startswith(IMPURE):
                yield f"{package['name']} must build and test without {name}"


def levels(arrows, faults):
    """The floor of each crate: one above the highest that it knows."""
    floors, left = {}, dict(arrows)
    while left:
        ready = [name for name, below in left.items() if below <= set(floors)]
        if not ready:
            faults.append("a circle of crates: " + ", ".join(sorted(left)))
            break
        for name in ready:
            floors[name] = 1 + max((floors[other] for other in left.pop(name)), default=-1)
    return floors


if __name__ == "__main__":
    sys.exit(main())
