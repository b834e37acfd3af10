"""The Python wheel: the binary as a script of the environment that it is installed in, for pip, pipx
and uvx. It brings no manual pages: pip would leave their folders behind, and `keyfob man` has them."""

import base64
import hashlib

from . import project, targets
from .archive import zip_of
from .project import File


def tag(binary, target):
    """Which machines pip installs it on."""
    if "{glibc}" not in target.wheel:
        return target.wheel
    glibc = targets.glibc(binary)
    if targets.number(glibc) <= targets.number(targets.OLDEST_GLIBC):
        # The same under the name that pip before 20.3 knows.
        old = target.wheel.replace("{glibc}", "2_17") + "." + target.wheel.replace("_{glibc}", "2014")
        return old
    return target.wheel.format(glibc=glibc.replace(".", "_"))


def metadata():
    """The METADATA: what PyPI shows."""
    headers = [
        "Metadata-Version: 2.4",
        "Name: keyfob",
        f"Version: {project.VERSION}",
        f"Summary: {project.DESCRIPTION}",
        f"License-Expression: {project.LICENCE}",
        *(f"License-File: {name}" for name in project.LICENCES),
        "Keywords: secrets,cli,age,nosana,vault",
        f"Project-URL: Repository, {project.REPOSITORY}",
        f"Project-URL: Changelog, {project.REPOSITORY}/blob/main/CHANGELOG.md",
        "Classifier: Environment :: Console",
        "Classifier: Programming Language :: Rust",
        "Classifier: Topic :: Security",
        "Requires-Python: >=3.7",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(headers) + "\n\n" + project.read("README.md").decode()


def build(binary, target):
    """`{file name: bytes}` of the wheel for `target`."""
    platform = tag(binary, target)
    stem = f"keyfob-{project.VERSION}"
    data, info = f"{stem}.data", f"{stem}.dist-info"
    tags = "".join(f"Tag: py3-none-{part}\n" for part in platform.split("."))
    wheel = f"Wheel-Version: 1.0\nGenerator: keyfob packaging\nRoot-Is-Purelib: false\n{tags}"
    files = [
        File(f"{data}/scripts/{target.program}", binary, program=True),
        File(f"{info}/METADATA", metadata().encode()),
        File(f"{info}/WHEEL", wheel.encode()),
    ]
    files += [File(f"{info}/licenses/{name}", project.read(name)) for name in project.LICENCES]
    record = f"{info}/RECORD"
    lines = [f"{file.path},sha256={digest(file.content)},{len(file.content)}" for file in files]
    files.append(File(record, "\n".join([*sorted(lines), f"{record},,", ""]).encode()))
    return {f"{stem}-py3-none-{platform}.whl": zip_of(files)}


def digest(content):
    """A digest as wheels write it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
