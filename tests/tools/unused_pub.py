#!/usr/bin/env python3
"""Holds `pub` to what another crate uses.

A function or constant of a library that is `pub`, and whose name no code outside of the library has, is listed: it
should be `pub(crate)`, or go. Outside are other crates, and what cargo builds by itself: `main.rs`, programs in
`src/bin`, the folders `tests` and `benches`. rustc sees the other half: it warns of a `pub` that is not reachable
(`unreachable_pub`), and of a private item that nothing uses.

Only names are compared, so an unused `new` is not found if another type has a `new` that is used. In return
nothing is listed that is used. Types are not looked at: a signature may need one that nobody names.

    unused_pub.py             the check
    unused_pub.py --self-test
"""

import re
import subprocess
import sys
from pathlib import Path

ITEM = re.compile(r"^[ \t]*pub (?:const |async |unsafe )*(?:fn|const|static) (\w+)", re.MULTILINE)
# A test may use what is private.
OF_TESTS = re.compile(r"(?:^|/)tests(?:/|\.rs$)|_tests\.rs$")
TESTS_AT_THE_END = re.compile(r"#\[cfg\(test\)\]\s*mod \w+ \{")
AN_ALIAS = re.compile(r"\b(\w+) as (\w+)\b")
A_COMMENT = re.compile(r"//[^\n]*")


def code(text):
    """The text with comments blanked."""
    return A_COMMENT.sub("", text)


def unused(files):
    """The items that nothing outside their library uses, as (path, line, name), from {path: text}."""
    roots = sorted((path.removesuffix("src/lib.rs") for path in files if path.endswith("src/lib.rs")), key=len)
    words = {path: set(re.findall(r"\w+", code(text))) for path, text in files.items()}
    library = {path: library_of(path, roots) for path in files}
    found = []
    for root in roots:
        outside = set().union(*(words[path] for path in files if library[path] != root))
        own = [path for path in files if library[path] == root]
        outside |= {name for path in own for name, alias in AN_ALIAS.findall(code(files[path])) if alias in outside}
        for path in sorted(own):
            if OF_TESTS.search(path.removeprefix(root)):
                continue
            text = code(TESTS_AT_THE_END.split(files[path])[0])
            for item in ITEM.finditer(text):
                if item[1] not in outside:
                    found.append((path, text.count("\n", 0, item.start(1)) + 1, item[1]))
    return found


def library_of(path, roots):
    """The folder of the library that a file is compiled into, if it is."""
    of = [root for root in roots if path.startswith(root + "src/")]
    if not of or path == of[-1] + "src/main.rs" or path.startswith(of[-1] + "src/bin/"):
        return None
    return of[-1]


def main():
    listed = subprocess.run(["git", "ls-files", "-z", "*.rs"], check=True, stdout=subprocess.PIPE, text=True)
    paths = [path for path in listed.stdout.split("\0") if path and Path(path).exists()]
    found = unused({path: Path(path).read_text(encoding="utf-8") for path in paths})
    for path, line, name in found:
        print(f"{path}:{line}: nothing outside of this library uses `{name}`: make it pub(crate)", file=sys.stderr)
    return 1 if found else 0


def self_test():
    files = {
        "a/src/lib.rs": "pub use deep::{Deep, known as better_known};\n/// of_a_comment\n"
        "pub fn used() {}\npub const fn of_a_comment() {}\n",
        "a/src/deep.rs": "impl Deep {\n    pub async fn inner() {}\n    pub(crate) fn narrow() {}\n}\n"
        "pub fn known() {}\n",
        "a/src/main.rs": "a::for_main();",
        "a/src/more.rs": "pub fn for_main() {}\npub const FOR_TESTS: u8 = 1;\n"
        "#[cfg(test)]\nmod tests {\npub fn t() {}\n}",
        "a/tests/it.rs": "// inner\na::FOR_TESTS;",
        "a/b/src/lib.rs": "use a::{better_known, used};\npub static ALONE: u8 = 1;\npub struct Alone;",
    }
    found = [(path, line, name) for path, line, name in unused(files)]
    assert found == [
        ("a/src/deep.rs", 2, "inner"),
        ("a/src/lib.rs", 4, "of_a_comment"),
        ("a/b/src/lib.rs", 2, "ALONE"),
    ], found
    print("unused_pub: the self-test passes")
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv else main())
