#!/usr/bin/env python3
"""Holds the crate graph to docs/ARCHITECTURE.md, and prints it.

What a crate must not know, its Cargo.toml does not list: each crate has a row here with the crates that
it may depend on. A dependency outside its row (its build script's included), a crate of ours outside it that its
tests use, a circle, or tokio, an AWS crate or SQLite anywhere below `rules` and `formats` (tests included) fails
the check. So does a crate without a README of one screen, or one that docs/ARCHITECTURE.md does not draw on its level.

    crate_graph.py            the check
    crate_graph.py --self-test
"""

import json
import re
import subprocess
import sys
from pathlib import Path

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

# What the tests of a crate may use of ours besides its row: scenarios make the calls of `aws` against real servers, and
# look into what the binary wrote.
TESTS_USE = {"rightsizer-tests": ("rightsizer", "rules", "formats", "store", "aws")}

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
    arrows, floors, faults = graph(metadata)
    faults += drawn(floors, Path("docs/ARCHITECTURE.md").read_text(encoding="utf-8"))
    faults += without_readme(metadata)
    for floor in sorted(set(floors.values()), reverse=True):
        for name in sorted(name for name, at in floors.items() if at == floor):
            below = ", ".join(short(other) for other in sorted(arrows[name])) or "nothing of ours"
            print(f"  {floor}  {short(name):22} knows {below}")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        print("hint: docs/ARCHITECTURE.md describes each crate", file=sys.stderr)
    return 1 if faults else 0


def graph(metadata):
    """Which crates of ours each one knows, the floor of each, and what its row does not allow."""
    packages = {package["id"]: package for package in metadata["packages"]}
    members = {packages[member]["name"]: packages[member] for member in metadata["workspace_members"]}
    faults = [f"{name} has no row in tests/tools/crate_graph.py" for name in members if name not in ROWS]
    faults += [f"the row of {name} has no crate" for name in ROWS if name not in members]
    arrows = {}
    for name, package in members.items():
        inner, outer = ROWS.get(name, (("*",), ("*",)))
        arrows[name] = set()
        for dependency in package["dependencies"]:
            other, of_tests = dependency["name"], dependency["kind"] == "dev"
            if other in members:
                if not of_tests:
                    arrows[name].add(other)
                if not allowed(short(other), inner + (TESTS_USE.get(name, ()) if of_tests else ())):
                    faults.append(f"{name} must not know {other}" + (" in its tests" if of_tests else ""))
            elif not of_tests and other not in EVERYWHERE and not allowed(other, outer):
                faults.append(f"{name} must not depend on {other}")
    faults += impure(metadata, packages)
    floors = levels(arrows, faults)
    return arrows, floors, faults


def drawn(floors, page):
    """Where the picture of the page differs from the graph."""
    lines = re.findall(r"^ level (\d+) +(.*)$", page, re.MULTILINE)
    there = {
        name.split(" (")[0]: int(level) for level, names in lines for name in re.split(r"  +", names.strip())
    }
    cells = re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
    rows = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
    is_there = {short(name): level for name, level in floors.items()}
    for name in sorted({*there, *is_there}):
        if there.get(name) != is_there.get(name):
            yield f"docs/ARCHITECTURE.md draws {name} on level {there.get(name)}; it is on level {is_there.get(name)}"
        if name in is_there and name not in rows:
            yield f"docs/ARCHITECTURE.md has no row for {name}"


# A README of more lines is not seen at once.
SCREEN = 40


def without_readme(metadata):
    members = set(metadata["workspace_members"])
    for package in metadata["packages"]:
        if package["id"] not in members:
            continue
        readme = Path(package["manifest_path"]).parent / "README.md"
        if not readme.exists():
            yield f"{package['name']} has no README.md"
        elif len(readme.read_text(encoding="utf-8").splitlines()) > SCREEN:
            yield f"the README.md of {package['name']} has more than {SCREEN} lines"


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


def self_test():
    """Adds one arrow at a time to a workspace with only the crates of ROWS, and looks for its fault."""

    def faults(*arrows, members=tuple(ROWS)):
        names = sorted({*members, *(end for arrow in arrows for end in arrow[:2])})
        packages, nodes = [], []
        for name in names:
            mine = [(other, kind) for one, other, kind in arrows if one == name]
            dependencies = [{"name": other, "kind": kind} for other, kind in mine]
            packages.append({"id": name, "name": name, "dependencies": dependencies})
            deps = [{"pkg": other, "dep_kinds": [{"kind": kind}]} for other, kind in mine]
            nodes.append({"id": name, "deps": deps})
        return graph({"packages": packages, "workspace_members": list(members), "resolve": {"nodes": nodes}})[2]

    def holds(wanted, *arrows, **more):
        found = faults(*arrows, **more)
        assert found == wanted, (found, wanted)

    rules, store, tests = "rightsizer-rules", "rightsizer-store", "rightsizer-tests"
    holds([])
    holds([], (rules, "jiff", None), (rules, "serde", None), (rules, "rightsizer-records", None))
    holds([f"{rules} must not depend on csv"], (rules, "csv", None))
    holds([f"{rules} must not depend on cc"], (rules, "cc", "build"))
    holds([], (rules, "insta", "dev"))
    holds([f"{rules} must not know {store} in its tests"], (rules, store, "dev"))
    holds([], (tests, store, "dev"))
    holds([f"{tests} must not know {store}"], (tests, store, None))
    holds([f"{rules} must build and test without tokio"], (rules, "toml", None), ("toml", "tokio", None))
    holds([f"{rules} must build and test without aws-types"], (rules, "aws-types", "dev"))
    holds([], (rules, "toml", None), ("toml", "tokio", "dev"))
    circle = faults((store, rules, None), (rules, store, None))
    assert f"{rules} must not know {store}" in circle and circle[-1].startswith("a circle of crates: "), circle
    holds(["rightsizer-more has no row in tests/tools/crate_graph.py"], members=(*ROWS, "rightsizer-more"))
    fewer = tuple(name for name in ROWS if name != "rightsizer-fuzz")
    holds(["the row of rightsizer-fuzz has no crate"], members=fewer)
    page = " level 1   rules      store (the file)\n level 0   records\n| `rules`, `records` | not `store` |\n"
    floors = {rules: 1, store: 1, "rightsizer-records": 0}
    assert list(drawn(floors, page + "| `store` | |\n")) == []
    assert list(drawn({**floors, store: 2}, page)) == [
        "docs/ARCHITECTURE.md draws store on level 1; it is on level 2",
        "docs/ARCHITECTURE.md has no row for store",
    ], list(drawn({**floors, store: 2}, page))
    print("crate_graph: the self-test passes")
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv else main())
