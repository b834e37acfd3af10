"""What is the same for all packages: the project's own words, its files, and how files are packed so
that the same content is the same bytes."""

import functools
import gzip
import hashlib
import io
import os
import pathlib
import re
import subprocess
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
REPOSITORY = "https://github.com/keyfob/keyfob"
AUTHORS = "The keyfob authors <keyfob@users.noreply.github.com>"

# What a package's file lists call the documents that go with every binary.
LICENCES = ("LICENSE", "THIRD-PARTY.txt")
DOCUMENTS = (*LICENCES, "README.md", "CHANGELOG.md")


def _field(name):
    """A text field of the first table of Cargo.toml."""
    text = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    return re.search(rf'^{name} = "(.*)"$', text, re.MULTILINE).group(1)


VERSION = _field("version")
DESCRIPTION = _field("description")
LICENCE = _field("license")


def git(*arguments):
    """What git prints of the clone, or None where there is none."""
    out = subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return out.stdout.decode().strip() if out.returncode == 0 else None


@functools.lru_cache(maxsize=None)
def commit():
    """The commit that is packed; `+dirty` follows where the folder holds something else."""
    given = os.environ.get("KEYFOB_COMMIT")
    if given:
        return given
    name = git("rev-parse", "HEAD")
    if name is None:
        return ""
    return name + ("+dirty" if git("status", "--porcelain", "--untracked-files=no") else "")


@functools.lru_cache(maxsize=None)
def epoch():
    """When it was made, for everything that bears a time: SOURCE_DATE_EPOCH, else the commit's."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct") or 0)


class File:
    """A file of a package: where it goes, what is in it, and whether it is a program."""

    def __init__(self, path, content, program=False):
        self.path = path
        self.content = content
        self.mode = 0o755 if program else 0o644


def read(path):
    """The bytes of a file of the project."""
    return (ROOT / path).read_bytes()


def manual_pages():
    """The manual pages by section: `("1", "keyfob.1", bytes)`."""
    pages = sorted((ROOT / "man").iterdir())
    return [(page.suffix[1:], page.name, page.read_bytes()) for page in pages]


def tar(files, root="", folders=()):
    """An uncompressed tar of `files` and the folders that lead to them, in order of their paths; `root`
    is what all of them begin with, `folders` gives the modes of further ones."""
    out = io.BytesIO()
    modes = {}
    for file in files:
        for parent in pathlib.PurePosixPath(file.path).parents:
            modes.setdefault(str(parent), 0o755)
    modes.update(folders)
    if not root:
        modes.pop(".", None)
    entries = [(path, None, mode) for path, mode in modes.items()]
    entries += [(file.path, file.content, file.mode) for file in files]
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content, mode in sorted(entries, key=lambda entry: entry[0]):
            member = tarfile.TarInfo(root + path if path != "." else root)
            member.mtime, member.mode = epoch(), mode
            member.uname = member.gname = "root"
            if content is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def gz(content):
    """`content` compressed, without a name or a time."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def sha256(content):
    """The digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
