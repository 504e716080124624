#!/usr/bin/env python3
"""Fails if top modules of a library use one another in a circle.

Cargo refuses a circle of crates; nothing refuses one of modules, and what is in a circle can only be read as a whole.
Arrows are paths that begin with `crate::` or `super::`, without comments, strings and tests. A name that `lib.rs`
exports again belongs to its module.

    module_circles.py             the check
    module_circles.py --self-test
"""

import re
import subprocess
import sys
from pathlib import Path

# library: its circles that are meant (docs/decisions/crates.md)
KNOWN = {
    # Readers of formats that hold each other.
    "aggregator/formats/": ["*"],
    # The unit of work hands out the repositories that borrow it.
    "aggregator/store/": ["*"],
    "aggregator/rules/": [{"comparison", "evidence"}, {"bytes", "policy", "window"}],
}

TESTS_AT_THE_END = re.compile(r"#\[cfg\(test\)\]\s*(?:pub(?:\(\w+\))? )?mod \w+ \{")
OF_TESTS = re.compile(r"#\[cfg\(test\)\]\s*(?:pub(?:\(\w+\))? )?mod (\w+);")
TEST_FILES = re.compile(r"(?:^|/)tests(?:/|\.rs$)|_tests\.rs$")
BLANKED = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"', re.DOTALL)
A_PATH = re.compile(r"\b(crate|super)((?:::super)*)::(\w+|\{[^;]*?\})")
AGAIN = re.compile(r"pub(?:\(\w+\))? use (?:self::|crate::)?(\w+)::([^;]+);")


def code(text):
    """The text without comments, strings and the tests at its end."""
    return BLANKED.sub('""', TESTS_AT_THE_END.split(text)[0])


def firsts(path):
    """The first names of a path, or of each path of a group: `{a::B, c}` has a and c."""
    if not path.startswith("{"):
        return [path]
    flat = path[1:-1]
    while "{" in flat:
        inner = re.sub(r"\{[^{}]*\}", "", flat)
        if inner == flat:
            break
        flat = inner
    return re.findall(r"(?:^|,)\s*(\w+)", flat)


def arrows(files):
    """Which top modules each one uses, from {path below src: text}."""
    for_tests = {name for text in files.values() for name in OF_TESTS.findall(text)}
    read = {path: code(text) for path, text in files.items() if not TEST_FILES.search(path)}
    top = {path: path.split("/")[0].removesuffix(".rs") for path in read}
    modules = set(top.values()) - {"lib", "main", "bin"} - for_tests
    again = {}
    for module, names in AGAIN.findall(read.get("lib.rs", "")):
        for name in re.findall(r"\w+", names):
            again.setdefault(name, module)
    uses = {module: set() for module in modules}
    for path, text in read.items():
        if top[path] not in modules or Path(path).stem in for_tests:
            continue
        depth = len(path.removesuffix("/mod.rs").removesuffix(".rs").split("/"))
        for root, more, rest in A_PATH.findall(text):
            if root == "super" and 1 + more.count("super") != depth:
                continue
            names = (name if name in modules else again.get(name) for name in firsts(rest))
            uses[top[path]] |= {name for name in names if name in modules and name != top[path]}
    return uses


def circles(uses):
    """The sets of modules that reach each other."""
    reach = {module: set(used) for module, used in uses.items()}
    grows = True
    while grows:
        grows = False
        for module, seen in reach.items():
            more = set().union(*(reach[other] for other in seen)) - seen
            if more:
                seen |= more
                grows = True
    found = {frozenset(a for a in reach if a in reach[b] and b in reach[a]) for b in reach if b in reach[b]}
    return sorted(found, key=sorted)


def main():
    listed = subprocess.run(["git", "ls-files", "-z", "*.rs"], check=True, stdout=subprocess.PIPE, text=True)
    paths = [path for path in listed.stdout.split("\0") if path and Path(path).exists()]
    faults = 0
    for root in (path.removesuffix("src/lib.rs") for path in paths if path.endswith("src/lib.rs")):
        own = root + "src/"
        mine = [path for path in paths if path.startswith(own)]
        uses = arrows({path.removeprefix(own): Path(path).read_text(encoding="utf-8") for path in mine})
        for circle in circles(uses):
            if any(known == "*" or circle <= known for known in KNOWN.get(root, ())):
                continue
            faults += 1
            print(f"error: {root}: a circle of modules", file=sys.stderr)
            for module in sorted(circle):
                print(f"  {module} uses {', '.join(sorted(uses[module] & circle))}", file=sys.stderr)
    if faults:
        print("hint: move what two of them share into a module below both", file=sys.stderr)
    return 1 if faults else 0


def self_test():
    one_way = {
        "lib.rs": "mod a;\nmod b;\nmod c;\npub use c::{Deep, Other};\n#[cfg(test)]\nmod case;\n",
        "a.rs": "use crate::{b::B, c};\n// crate::a\n",
        "b/mod.rs": "use super::c::X;\nconst TEXT: &str = \"crate::a\";\n"
        "#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n",
        "b/tests.rs": "use crate::a;",
        "c.rs": "use crate::Deep;\n",
        "c/inner.rs": "use super::a;\n",
        "case.rs": "use crate::a::A;\n",
    }
    assert arrows(one_way) == {"a": {"b", "c"}, "b": {"c"}, "c": set()}, arrows(one_way)
    assert circles(arrows(one_way)) == []
    for text in ("use crate::a;", "fn f() -> super::a::A {}", "use crate::{x, a::{B, C}};"):
        round_trip = {**one_way, "c.rs": text}
        assert circles(arrows(round_trip)) == [{"a", "b", "c"}], (text, arrows(round_trip))
    by_name = {**one_way, "lib.rs": "pub use a::Name;", "c.rs": "use crate::Name;"}
    assert circles(arrows(by_name)) == [{"a", "b", "c"}]
    deep = {**one_way, "c/inner.rs": "use super::super::b;\n"}
    assert circles(arrows(deep)) == [{"b", "c"}]
    print("module_circles: the self-test passes")
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv else main())
