"""What cargo knows of the locked dependencies: for the notices and the bill of materials."""

import json
import subprocess

from . import project


def metadata(platform):
    """What cargo knows of the locked dependencies on one platform."""
    out = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", platform],
        cwd=project.ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(out.stdout)


def shipped(known):
    """The packages whose code is in the binary: normal dependencies that are no procedural macros."""
    packages = {package["id"]: package for package in known["packages"]}
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    root = known["resolve"]["root"]
    found, open_ = {}, [root]
    while open_:
        package = packages[open_.pop()]
        if package["id"] in found or any("proc-macro" in t["kind"] for t in package["targets"]):
            continue
        found[package["id"]] = package
        for dependency in nodes[package["id"]]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                open_.append(dependency["pkg"])
    del found[root]
    return found
