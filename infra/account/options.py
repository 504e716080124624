"""The parameters of a deployment: those of the package, the network and the caller, and those of the stack.

Does no IO except reading the packaged files.
"""

import hashlib

# The job of Flink and the template of its stack.
FLINK_FILES = ("rightsizer-flink.jar", "flink.yaml")


def key(file):
    """Returns the key of a packaged file in the bucket: its name and its hash."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{file.stem}-{digest[:16]}{file.suffix}"


def packaged(package, digest, artifacts, bucket):
    """Returns the parameters that locate the packaged files, and the files to upload."""
    arch = (package / "architecture").read_text().strip()
    zips = {"UpdaterKey": package / f"updater-{arch}.zip"}
    for parameter, name in (("LayerX86Key", "x86_64"), ("LayerArmKey", "arm64")):
        layer = package / f"layer-{name}.zip"
        if layer.is_file():
            zips[parameter] = layer
    jar, template = (package / name for name in FLINK_FILES)
    if jar.is_file():
        zips["FlinkJarKey"], zips["FlinkTemplateKey"] = jar, template
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
    """Yields the parameters in CloudFormation's form: the wanted values, otherwise the current ones."""
    for name in names:
        if name in wanted:
            yield {"ParameterKey": name, "ParameterValue": wanted[name]}
        elif name in had:
            yield {"ParameterKey": name, "UsePreviousValue": True}
