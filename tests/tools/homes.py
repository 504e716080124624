#!/usr/bin/env python3
"""Holds types and facts to one home each, and fails if a second one appears.

An error is a type: no function returns its error as a String. A fact that several parts need (a tag's
name, one vCPU, the share of a timeout) is written in one file; other production code uses its name.
Tests may write facts out, because their arithmetic should be readable.

    homes.py            the check
    homes.py --self-test
"""

import re
import subprocess
import sys
from pathlib import Path

# fact: (pattern in code without comments, the files that may write it)
HOMES = {
    "a tag's name": (r'"(?:rightsizer:[a-z-]+|aws:cloudformation:[a-z-]+)"', ("records/src/tags.rs",)),
    "the memory of one vCPU": (
        r"\b1_?769\b",
        # The grids of sizes have this size because a core is free from it on.
        ("records/src/limits.rs", "aggregator/rules/src/power/drawn.rs"),
    ),
    "the share of a timeout": (r"TIMEOUT_SHARE\b[^;]*= *0?\.7", ("records/src/limits.rs",)),
    "a mode's name": (r'"(?:recommend|auto)" *(?:=>|\|)|=> *"(?:recommend|auto)"', ("records/src/tags.rs",)),
    "the configuration of AWS clients": (
        r"\baws_config::(?:defaults|from_env|load_defaults)\b",
        # The updater's, the aggregator's, and the one call that a device's code is for.
        ("updater/src/aws.rs", "aggregator/aws/src/config.rs", "aggregator/aws/src/mfa.rs"),
    ),
    "the schema's version": (r"\bSCHEMA_VERSION\b[^;]*= *\d", ("aggregator/store/src/identity.rs",)),
}
# In a text, these are examples.
NOT_IN_TEXTS = {"the memory of one vCPU"}
TESTS = re.compile(r"(?:^|/)(?:tests|fixtures|benches)(?:/|\.rs$)|(?:_tests|/case)\.rs$|^tests/")


def code(text):
    """The text with comments blanked, and without the tests at its end."""
    text = re.split(r"^#\[cfg\(test\)\]\nmod \w+ \{", text, maxsplit=1, flags=re.M)[0]
    return re.sub(r"//[^\n]*", "", text)


def error_texts(text):
    """Positions of types `Result<_, String>`."""
    for match in re.finditer(r"\bResult<", text):
        depth, start, parts = 1, match.end(), []
        for at in range(match.end(), len(text)):
            if text[at] in "<([":
                depth += 1
            elif text[at] in ")]" or (text[at] == ">" and text[at - 1] != "-"):
                depth -= 1
            elif text[at] == "," and depth == 1:
                parts.append(text[start:at])
                start = at + 1
            if depth == 0:
                parts.append(text[start:at])
                break
        parts = [part.strip() for part in parts if part.strip()]
        if len(parts) == 2 and parts[1] in ("String", "&'static str", "Cow<'static, str>"):
            yield match.start()


def faults(file, text):
    found = []
    without = code(text)
    no_texts = re.sub(r'"(?:\\.|[^"\\])*"', lambda m: '"' + "\n" * m[0].count("\n") + '"', without, flags=re.S)
    whole = re.sub(r"//[^\n]*", lambda m: " " * len(m[0]), text)
    for at in error_texts(whole):
        found.append((file, whole.count("\n", 0, at) + 1, "an error that is a text: give it a type"))
    if not TESTS.search(file):
        for fact, (pattern, homes) in HOMES.items():
            if file not in homes:
                searched = no_texts if fact in NOT_IN_TEXTS else without
                for match in re.finditer(pattern, searched):
                    line = searched.count("\n", 0, match.start()) + 1
                    found.append((file, line, f"{fact} stands in {homes[0]}: use its name"))
    return found


def main():
    listed = subprocess.run(["git", "ls-files", "-z", "*.rs"], check=True, capture_output=True, text=True).stdout
    files = [file for file in listed.split("\0") if file and Path(file).is_file()]
    found = [fault for file in files for fault in faults(file, Path(file).read_text(encoding="utf-8"))]
    for file, line, why in found:
        print(f"  {file}:{line}: {why}")
    print(f"homes: {len(found)} faults in {len(files)} files, {len(HOMES)} facts")
    return int(bool(found))


def self_test():
    bad = {
        "fn f() -> Result<(), String> {}": 1,
        "fn f() -> Result<BTreeMap<String, String>, String>;": 1,
        "type A = dyn Fn(u8) -> Result<Vec<(u8, u8)>, String>;": 1,
        "fn f() -> Result<BTreeMap<String, String>, Error>": 0,
        "fn f() -> Result<BTreeMap<String, String>>": 0,
        "// Result<(), String>": 0,
        'const TAG: &str = "rightsizer:mode";': 1,
        "let cores = f64::from(size) / 1769.0;": 1,
        "/// One core is 1769 MB.": 0,
        'const EXAMPLES: &str = "rightsizer tune f --sizes 512,1769";': 0,
        "#[cfg(test)]\nmod tests {\n    const A: u32 = 1769;\n}": 0,
    }
    for text, count in bad.items():
        assert len(faults("a/src/lib.rs", text)) == count, (text, faults("a/src/lib.rs", text))
    assert not faults("records/src/tags.rs", 'const TAG: &str = "rightsizer:mode";')
    print("homes: the self-test passes")
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if "--self-test" in sys.argv else main())
