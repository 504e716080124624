"""Checks what the caller gives, before anything is changed: names, tags, and values of the template's parameters.

Does no IO. Every value reaches the AWS command line as one argument or in a file, never through a shell.
"""

import re
import shlex
from dataclasses import dataclass

from network import MOST_SUBNETS

# A stack has at most 50 tags, and one of our own is on its buckets and its key.
MOST_TAGS = 49
TAG_NAME_LENGTH, TAG_VALUE_LENGTH = 128, 256
# The characters that every service accepts in a tag, beside letters and digits of any language.
TAG_SIGNS = " _.:/=+-@"
# CloudFormation's limit of a parameter's value, in bytes.
MOST_BYTES = 4096
# Parameters that have a variable of their own, which checks them.
OWN_VARIABLE = {"Vpc": "VPC", "Subnets": "SUBNETS"}


class Wrong(Exception):
    """What the caller gave is not valid; holds the message."""


def pairs(words, what):
    """Parses `A=b C='d e'` into a dictionary. Quotes hold spaces together; a backslash is a character like any other."""
    lexer = shlex.shlex(words, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        split = list(lexer)
    except ValueError:
        raise Wrong(f"{what} has a quote without an end: {shown(words)}") from None
    found = {}
    for word in split:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise Wrong(f"{what} takes NAME=VALUE, not {shown(word)}. Put a value with spaces in quotes: NAME='a b'")
        if not value.isprintable():
            raise Wrong(f"{what}: the value of {shown(name)} contains a line break or another control character: {shown(value)}")
        if name in found:
            raise Wrong(f"{what} has {shown(name)} twice: {shown(found[name])} and {shown(value)}")
        found[name] = value
    return found


def shown(text):
    """Returns a caller's text for a message: without control characters, and not longer than a line."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 60 else f"{text[:57]}…"


def tags(words):
    """Parses tags and refuses those that CloudFormation, or a service behind it, refuses halfway."""
    found = pairs(words, "TAGS")
    if len(found) > MOST_TAGS:
        raise Wrong(f"TAGS has {len(found)} tags; at most {MOST_TAGS} fit, because AWS allows 50 and one is our own")
    for name, value in found.items():
        prefix = re.match("aws:|rightsizer:", name, re.IGNORECASE)
        if prefix:
            whose = "AWS" if prefix[0].lower() == "aws:" else "Lambda Rightsizer"
            raise Wrong(f"TAGS: the tag {shown(name)} cannot be set; names that begin with {prefix[0]} belong to {whose}")
        for what, text, most in (("name", name, TAG_NAME_LENGTH), ("value", value, TAG_VALUE_LENGTH)):
            if len(text) > most:
                raise Wrong(f"TAGS: the {what} of {shown(name)} has {len(text)} characters; AWS allows {most}")
            bad = sorted({sign for sign in text if not (sign.isalnum() or sign in TAG_SIGNS)})
            if bad:
                raise Wrong(
                    f"TAGS: the {what} of {shown(name)} contains {shown(' '.join(bad))}; AWS allows letters, digits,"
                    " spaces and _ . : / = + - @"
                )
    return found


@dataclass
class Declared:
    """What a template declares about a parameter."""

    kind: str = "String"
    values: tuple = ()
    pattern: str = ""
    least: str = ""
    most: str = ""


def declared(template):
    """Returns the declarations of a template's parameters by their names, in order."""
    section = template.split("\nParameters:\n", 1)[1].split("\nRules:\n", 1)[0]
    found = {}
    for line in section.splitlines():
        name = re.fullmatch(r"  ([A-Za-z0-9]+):", line)
        if name:
            current = found[name[1]] = Declared()
            continue
        fact = re.fullmatch(r"    (Type|AllowedValues|AllowedPattern|MinValue|MaxValue): (.+)", line)
        if fact:
            key, value = fact[1], fact[2].strip('"')
            field = {"Type": "kind", "AllowedPattern": "pattern", "MinValue": "least", "MaxValue": "most"}.get(key)
            if field:
                setattr(current, field, value)
            else:
                current.values = tuple(each.strip().strip('"') for each in value.strip("[]").split(","))
    return found


def see_that_parameters_fit(given, declarations):
    """Refuses values that CloudFormation would refuse, and parameters that do not exist."""
    unknown = sorted(set(given) - set(declarations))
    if unknown:
        near = ", ".join(name for name in declarations if name.lower() in {each.lower() for each in unknown})
        raise Wrong(
            f"infra/template.yaml has no parameter {', '.join(map(shown, unknown))}"
            f"{f'; there is {near}' if near else '. It has: ' + ', '.join(declarations)}"
        )
    for name, value in given.items():
        if name in OWN_VARIABLE:
            raise Wrong(f"OPTIONS: {name} has a variable of its own, which checks it: {OWN_VARIABLE[name]}=…")
        why = misfit(value, declarations[name])
        if why:
            raise Wrong(f"OPTIONS: {name}={shown(value)} is not valid: {why}")


def misfit(value, declaration):
    """Returns why a value does not fit its declaration; `None` if it does."""
    if declaration.values and value not in declaration.values:
        return f"one of {', '.join(each or '(nothing)' for each in declaration.values)} is allowed"
    if declaration.pattern and not re.fullmatch(declaration.pattern, value):
        return f"it does not have the form {declaration.pattern}"
    if declaration.kind == "Number" and not re.fullmatch("[0-9]{1,9}", value):
        return "a whole number is needed"
    if declaration.least and int(value) < int(declaration.least):
        return f"{declaration.least} is the least"
    if declaration.most and int(value) > int(declaration.most):
        return f"{declaration.most} is the most"
    if len(value.encode("utf-8", "replace")) > MOST_BYTES:
        return f"it is longer than {MOST_BYTES} bytes"
    return None


def vpc(text):
    """Returns the id of a VPC; empty for none."""
    text = text.strip()
    if text and not re.fullmatch(r"vpc-[0-9a-f]{8,17}", text):
        raise Wrong(f"VPC takes one id such as vpc-0123456789abcdef0, not {shown(text)}")
    return text


def subnets(text):
    """Returns the ids of subnets; none if none is given."""
    named = [each.strip() for each in text.split(",")] if text.strip() else []
    for each in named:
        if not re.fullmatch(r"subnet-[0-9a-f]{8,17}", each):
            raise Wrong(f"SUBNETS takes ids such as subnet-0123456789abcdef0, with commas between them, not {shown(each) or 'an empty one'}")
    twice = sorted({each for each in named if named.count(each) > 1})
    if twice:
        raise Wrong(f"SUBNETS has {', '.join(twice)} twice")
    if len(named) > MOST_SUBNETS:
        raise Wrong(f"SUBNETS has {len(named)} subnets; ECS takes at most {MOST_SUBNETS} for a service")
    return named


def region(text):
    """Returns the name of a region."""
    if not re.fullmatch(r"[a-z]{2,5}(-[a-z]{2,12}){1,3}-[0-9]{1,2}", text):
        raise Wrong(f"{shown(text)} is not the name of a region. Set AWS_REGION, as in AWS_REGION=eu-central-1")
    return text


def port(text):
    """Returns a local port as text; the default one if none is given."""
    text = text.strip() or "8750"
    if not (re.fullmatch("[0-9]{1,5}", text) and 1 <= int(text) <= 65535):
        raise Wrong(f"PORT takes a number from 1 to 65535, not {shown(text)}")
    return text
