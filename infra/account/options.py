"""The parameters of a deployment: what the package, the network and the caller want, and what the stack has.

Pure but for reading the template and the package.
"""

import hashlib
import re


class Wrong(Exception):
    """An option that cannot be meant, in words."""


def parameters_of(template):
    """The names of a template's parameters, in their order."""
    section = template.split("\nParameters:\n", 1)[1].split("\nRules:\n", 1)[0]
    return re.findall(r"^  ([A-Za-z0-9]+):$", section, re.MULTILINE)


def pairs(words, what):
    """`A=b C=d` as a dictionary."""
    found = {}
    for word in words.split():
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise Wrong(f"{what} takes NAME=VALUE, and {word} is not that")
        found[name] = value
    return found


def key(file):
    """The key of a packaged file in the bucket: its name and its hash."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{file.stem}-{digest[:16]}{file.suffix}"


def packaged(package, digest, artifacts, bucket):
    """The parameters that say where the packaged parts are, and the zips that go to the bucket."""
    arch = (package / "architecture").read_text().strip()
    zips = {"UpdaterKey": package / f"updater-{arch}.zip"}
    for parameter, name in (("LayerX86Key", "x86_64"), ("LayerArmKey", "arm64")):
        layer = package / f"layer-{name}.zip"
        if layer.is_file():
            zips[parameter] = layer
    wanted = {
        "ArtifactBucket": bucket,
        "ImageRepository": artifacts,
        "ImageDigest": digest,
        "UpdaterArchitecture": arch,
        "AggregatorArchitecture": {"arm64": "ARM64"}.get(arch, "X86_64"),
    }
    wanted.update({parameter: key(file) for parameter, file in zips.items()})
    return wanted, list(zips.values())


def filled(names, wanted, had):
    """The parameters as CloudFormation takes them: wanted ones, else those that the stack has."""
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise Wrong(f"infra/template.yaml has no parameter {' '.join(unknown)}")
    for name in names:
        if name in wanted:
            yield {"ParameterKey": name, "ParameterValue": wanted[name]}
        elif name in had:
            yield {"ParameterKey": name, "UsePreviousValue": True}
