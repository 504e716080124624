#!/usr/bin/env python3
"""Counts words that make a sentence hard to read, and fails above the limits.

It reads comments, string literals and test names of the code, and the prose of every Markdown page
(code blocks and code spans left out). CONTRIBUTING.md, Words, says what to write instead.

    words.py            the counts, and a list of lines if a limit is exceeded
    words.py --list     every marked line
    words.py --self-test
"""

import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path

# Marks per 1,000 words, for code and for docs.
LIMITS = {"where": 0.7, "others": 0.5}

# "where" is fine for a place: "the folder where", "reads where it stopped". It is a mark where it
# stands for "if": after a comma or a full stop, or before a condition.
PLACE_BEFORE = re.compile(
    r"(?:\b(?:from|to|of|is|are|know|knows|known|shows?|find|finds|look|looks|and|page|place|places|file|files|folder|"
    r"field|line|point|position|offset|region|account|group|stream|table|column|machine|directory|path|here|exactly|"
    r"anywhere|everywhere|elsewhere|only|continues?|continued|stopped|stops|begins?|ends?)|[:(])\s*[`\"]?$",
    re.I,
)
WHERE = re.compile(r"\b[Ww]here\b(?!\s+(?:to|from|things are)\b)")

OTHERS = {
    "tell, say, hear": re.compile(
        r"\b(?:tells?|told|telling|says?|said|saying|hears?|heard|unsaid|untold)\b(?!\s+(?:\w+\s+){0,4}apart\b)", re.I
    ),
    "somebody, nobody, whoever": re.compile(
        r"\b(?:somebody|nobody|whoever|whomever|everybody|anybody)(?:'s|s)?\b(?!\s*[:/=])", re.I
    ),
    "is no": re.compile(r"(?<!there )\b(?:is|are|was|were|be) no\b(?!\s+(?:longer|more than|less than|matter|larger|smaller|later|older|newer|better|worse|further)\b|[-`\"'.,;)])", re.I),
    "so many, so much, so long": re.compile(r"\b(?:so many|so long as|for so long|as ever|ever after)\b", re.I),
    "anew": re.compile(r"\banew\b", re.I),
    "no more": re.compile(r"\bno more(?=[.,;:)]|$)", re.I),
}

WORD = re.compile(r"[A-Za-z][A-Za-z'’]*")


def marks(text):
    """The marks of one piece of prose: (group, mark, matched text)."""
    found = []
    for match in WHERE.finditer(text):
        if not PLACE_BEFORE.search(text[: match.start()]):
            found.append(("where", "where for if", match.group()))
    for name, pattern in OTHERS.items():
        found.extend(("others", name, match.group()) for match in pattern.finditer(text))
    return found


RUST = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | b?r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)
      | b?"(?P<string>(?:\\.|[^"\\])*)"
      | b?'(?:\\.[^']*|[^\\'\n])'
      | \bfn\s+(?P<name>\w+)""",
    re.S | re.X,
)
SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|CREATE|WITH|WHERE|PRAGMA)\b")


def without_code(text):
    """The text without code spans and placeholders, whose names are not prose."""
    return re.sub(r"\{[A-Za-z_][^{}\s]*\}", "{}", re.sub(r"`[^`]*`", "`code`", text))


def is_prose(text):
    return len(WORD.findall(text)) >= 3 and not SQL.search(text)


def of_rust(text):
    """Pieces of prose with their lines: comments joined into paragraphs, strings, and names."""
    pieces, last = [], None
    for match in RUST.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["comment"]:
            words = re.sub(r"^(?://[/!]?|/\*+)|\*/$", "", match["comment"]).strip()
            if last and last[1] == line - 1:
                pieces[last[0]][1].append((line, words))
            else:
                pieces.append(("comment", [(line, words)]))
            last = (len(pieces) - 1, line)
        elif match["name"]:
            if match["name"].count("_") >= 3:
                pieces.append(("name", [(line, match["name"].replace("_", " "))]))
        else:
            words = match["raw"] if match["raw"] is not None else match["string"]
            words = re.sub(r"\\\n\s*", "", words or "")
            if is_prose(words):
                pieces.append(("string", [(line, words.replace("\\n", "\n"))]))
    return pieces


def of_python(text):
    pieces = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            pieces.append(("comment", [(token.start[0], token.string.lstrip("#! "))]))
        elif token.type == tokenize.STRING and is_prose(token.string):
            pieces.append(("string", [(token.start[0], token.string)]))
    return pieces


def of_hashes(text):
    """Shell, YAML, TOML, HCL and make: comments behind `#`, and lines that print."""
    pieces = []
    for number, line in enumerate(text.splitlines(), 1):
        comment = re.search(r"(?:^|\s)#+\s(.*)", line)
        if comment:
            pieces.append(("comment", [(number, comment[1])]))
        printed = re.search(r"(?:echo|printf|Description:|description\s*=)\s*(.*)", line)
        if printed and is_prose(printed[1]):
            pieces.append(("string", [(number, printed[1])]))
    return pieces


def of_markdown(text):
    """Paragraphs and table rows, without code blocks, code spans and link targets."""
    pieces, paragraph, fenced = [], [], False
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*```", line):
            fenced = not fenced
        elif not fenced:
            line = re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "`code`", line))
            if line.strip() and not line.startswith("|"):
                paragraph.append((number, line))
                continue
            if line.strip():
                pieces.append(("docs", [(number, line)]))
        if paragraph:
            pieces.append(("docs", paragraph))
            paragraph = []
    if paragraph:
        pieces.append(("docs", paragraph))
    return pieces


READERS = {
    ".rs": of_rust, ".py": of_python, ".md": of_markdown, ".sh": of_hashes, ".yaml": of_hashes, ".yml": of_hashes,
    ".toml": of_hashes, ".tf": of_hashes, ".sql": None,
}  # fmt: skip
# This file has the marks in it on purpose.
LEFT_OUT = ("tests/tools/words.py", "fixtures/", "Cargo.lock", "LICENSE")


def measure(files):
    """Words and marks of `files`: ({kind: words}, [(kind, group, mark, file, line, text)])."""
    words, found = Counter(), []
    for file in files:
        reader = READERS.get(Path(file).suffix) or (of_hashes if Path(file).name == "Makefile" else None)
        if reader is None:
            continue
        text = Path(file).read_text(encoding="utf-8")
        kind = "docs" if reader is of_markdown else "code"
        for _, lines in reader(text):
            joined, starts = "", []
            for number, line in lines:
                line = without_code(line)
                starts.append((len(joined), number))
                joined += line + " "
            words[kind] += len(WORD.findall(joined))
            position = 0
            for group, mark, matched in marks(joined):
                at = joined.find(matched, position if group == "where" else 0)
                number = [line for start, line in starts if start <= at][-1]
                shown = next(line for line_number, line in lines if line_number == number)
                if group == "where":
                    position = at + 1
                found.append((kind, group, mark, file, number, shown.strip()))
    return words, found


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    return [f for f in listed.split("\0") if f and not any(part in f for part in LEFT_OUT) and Path(f).is_file()]


def main(arguments):
    words, found = measure(tracked())
    failed = False
    for kind in ("code", "docs"):
        for group, limit in LIMITS.items():
            count = sum(1 for mark in found if mark[:2] == (kind, group))
            rate = 1000 * count / max(1, words[kind])
            above = rate > limit
            failed |= above
            print(f"words: {kind}: {group}: {count} in {words[kind]} words, {rate:.2f} per 1,000 (limit {limit})")
            if above or "--list" in arguments:
                for _, _, mark, file, line, text in (m for m in found if m[:2] == (kind, group)):
                    print(f"  {file}:{line}: {mark}: {text[:160]}")
    if failed:
        print("error: too many words that make sentences hard to read", file=sys.stderr)
        print("hint: CONTRIBUTING.md, Words, has what to write instead; reread the whole paragraph", file=sys.stderr)
    return int(failed)


def self_test():
    good = [
        "If the store is full, the server stops.",
        "the folder where the store is",
        "reads on from where it stopped",
        "it is no longer read",
        "there is no store at this path",
        "events of one request are told apart by their times",
        "no more than 500 at once",
        "image: nobody/none",
    ]
    assert without_code("`where` it is {told}") == "`code` it is {}"
    bad = {
        "Where the store is full, the server stops.": "where",
        "a size is kept, where none was verified": "where",
        "the inventory tells it": "others",
        "as the docs say": "others",
        "nothing is heard of them": "others",
        "whoever may tag it": "others",
        "a 404 is no failure": "others",
        "it is made anew": "others",
        "the newest so many": "others",
        "it holds the size up no more, as before": "others",
    }
    for text in good:
        assert not marks(text), (text, marks(text))
    for text, group in bad.items():
        assert [mark[0] for mark in marks(text)] == [group], (text, marks(text))
    rust = '// Where it fails,\n// it says so.\nfn it_is_told_to_whoever_asks() { f("where\\n", "a b, where c"); }'
    assert [kind for kind, _ in of_rust(rust)] == ["comment", "name", "string"], of_rust(rust)
    assert not of_rust('f("SELECT a FROM b WHERE c")'), "SQL is not prose"
    assert of_markdown("```\nwhere\n```\n`where` it is\n") == [("docs", [(4, "`code` it is")])]
    assert of_hashes('echo "if a, where b"  # why it is so')[0][0] == "comment"
    print("words: the self-test passes")
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv else main(sys.argv[1:]))
