#!/usr/bin/env python3
"""Holds the text of every message that a person can see to the reviewed list tests/messages.txt.

It reads the string literals of production code (tests left out): errors, hints, warnings, log lines, findings of
`doctor`, reasons and the page's texts, so that a change of wording is a diff to review. Help texts and rendered
output have snapshots of their own (insta).

    messages.py             the check
    messages.py --update    writes the list
    messages.py --self-test
"""

import re
import subprocess
import sys
from pathlib import Path

LIST = Path("tests/messages.txt")
FOLDERS = ("aggregator/", "extension/", "records/", "updater/")
TESTS = re.compile(r"(?:^|/)tests?(?:/|\.rs$)|_tests\.rs$|/sample\.rs$|/case\.rs$")
TOKEN = re.compile(
    r"""//[^\n]*
      | b?r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)
      | (?P<byte>b)?"(?P<string>(?:\\.|[^"\\])*)"
      | b?'(?:\\.[^']*|[^\\'\n])'""",
    re.S | re.X,
)
# What introduces a message, however short it is.
MESSAGE = re.compile(
    r"(?:\#\[error\(|\bbail!\(|\banyhow!\(|\.context\(|\bnote\(format_args!\(|\beprintln!\(|"
    r"\b(?:warn|error|info)!\((?:[%?]?[\w.]+(?:\s*=\s*[^,\"]+)?,\s*)*)\s*$"
)
# Texts for programmers and for programs: why a lint is off, what cannot happen, statements of SQL.
NOT_SHOWN = re.compile(r"(?:reason\s*=|\.expect\(|\b(?:unreachable|assert|assert_eq|debug_assert|panic|include_str)!\()\s*$")
SQL = re.compile(
    r"\b(?:SELECT|INSERT INTO|UPDATE \w+ (?:SET|INDEXED)|DELETE FROM|CREATE |PRAGMA|ORDER BY|GROUP BY|COALESCE|count\()|\?\d"
    r"|^[a-z_0-9]+(?:,\s+[a-z_0-9]+){2,}$"
)
WORD = re.compile(r"[A-Za-z][A-Za-z'’]*")


def messages(text):
    """The messages of one file, each on one line, in the order of the file."""
    text = re.split(r"^#\[cfg\(test\)\]\n(?:pub(?:\([a-z]+\))? )?mod \w+ \{", text, maxsplit=1, flags=re.M)[0]
    found = []
    for match in TOKEN.finditer(text):
        literal = match["raw"] if match["raw"] is not None else match["string"]
        if literal is None or match["byte"]:
            continue
        before = text[max(0, match.start() - 200) : match.start()]
        shown = re.sub(r"\\\n\s*", "", literal).replace("\n", "\\n")
        prose = len(WORD.findall(re.sub(r"\{[^}]*\}", "", shown))) >= 3 and " " in shown.strip()
        if NOT_SHOWN.search(before) or SQL.search(shown) or not (prose or MESSAGE.search(before)):
            continue
        if not WORD.search(re.sub(r"\{[^}]*\}", "", shown)):
            continue
        found.append(shown)
    return found


def listed():
    names = subprocess.run(["git", "ls-files", "-z", "*.rs"], check=True, capture_output=True, text=True).stdout
    lines = []
    for name in sorted(set(filter(None, names.split("\0")))):
        if name.startswith(FOLDERS) and not TESTS.search(name) and Path(name).is_file():
            of_file = messages(Path(name).read_text(encoding="utf-8"))
            if of_file:
                lines += ["", f"# {name}", *of_file]
    return "\n".join(lines[1:]) + "\n"


def main(arguments):
    now = listed()
    count = sum(1 for line in now.splitlines() if line and not line.startswith("# "))
    if "--update" in arguments:
        LIST.write_text(now, encoding="utf-8")
    held = LIST.read_text(encoding="utf-8") if LIST.exists() else ""
    if now == held:
        print(f"messages: {count}, each held by {LIST}")
        return 0
    subprocess.run(["diff", "-u", "--label", str(LIST), "--label", "now", str(LIST), "-"], input=now, text=True)
    print(f"error: messages differ from {LIST}", file=sys.stderr)
    print("hint: read the difference aloud, then run tests/tools/messages.py --update", file=sys.stderr)
    return 1


def self_test():
    shown = {
        '#[error("too large")]': ["too large"],
        'bail!("the store is \\\n    gone");': ["the store is gone"],
        'let a = format!("{name} cannot be read");': ["{name} cannot be read"],
        'warn!(%why, shard, "retrying");': ["retrying"],
        'out::note(format_args!("error: {told}"));': ["error: {told}"],
        '#[expect(clippy::unwrap_used, reason = "a scene that cannot be set")]': [],
        'let a = "key";': [],
        'query("SELECT a FROM b WHERE c")': [],
        '// "a text in a comment"': [],
        '#[cfg(test)]\nmod tests {\n    let a = "a text of a test";\n}': [],
    }
    for text, wanted in shown.items():
        assert messages(text) == wanted, (text, messages(text))
    print("messages: the self-test passes")
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv else main(sys.argv[1:]))
