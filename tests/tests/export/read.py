"""Prints a template as JSON, read by tools that others made: read.py cloudformation|yaml|json|hcl FILE."""

import json
import sys

kind, path = sys.argv[1:]
if kind == "cloudformation":
    from cfnlint.decode import decode

    template, problems = decode(path)
    if problems:
        sys.exit(f"{path}: {problems}")
elif kind == "yaml":
    import yaml

    with open(path, encoding="utf-8") as file:
        template = yaml.safe_load(file)
elif kind == "hcl":
    import hcl2

    with open(path, encoding="utf-8") as file:
        template = hcl2.load(file)
else:
    with open(path, encoding="utf-8") as file:
        template = json.load(file)
print(json.dumps(template, default=str))
