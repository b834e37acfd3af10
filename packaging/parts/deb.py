"""The Debian package, for Debian, Ubuntu and what comes of them."""

import hashlib
import lzma
import email.utils

from . import project, targets
from .project import File

REVISION = "1"

# The first line is apt's short description: no article in front, no full stop behind.
SYNOPSIS = "command-line secrets manager"
EXTENDED = """\
 keyfob stores, reads, injects and rotates secrets: in hosted secret managers
 (Nosana, ByteNite, Northflank, Neo Service Layer, OpenBao and HashiCorp
 Vault), and in a local vault encrypted with age that needs no account and
 no set-up.
 .
 It runs commands with secrets in their environment and can mask their
 output, fills templates, compares and synchronises stores, and finds
 secrets in what is about to be committed."""

COMPLETIONS = {
    "keyfob.bash": "usr/share/bash-completion/completions/keyfob",
    "_keyfob": "usr/share/zsh/vendor-completions/_keyfob",
    "keyfob.fish": "usr/share/fish/vendor_completions.d/keyfob.fish",
}


def build(binary, target):
    """`{file name: bytes}` of the package for `target`; nothing where Debian has no such machine."""
    if target.debian is None:
        return {}
    version = f"{project.VERSION}-{REVISION}"
    files = contents(binary, version)
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": xz(project.tar(control(binary, target, version, files), root="./")),
        "data.tar.xz": xz(project.tar(files, root="./")),
    }
    return {f"keyfob_{version}_{target.debian}.deb": ar(parts)}


def contents(binary, version):
    """What is installed."""
    files = [File("usr/bin/keyfob", binary, program=True)]
    for section, page, content in project.manual_pages():
        files.append(File(f"usr/share/man/man{section}/{page}.gz", project.gz(content)))
    for name, path in COMPLETIONS.items():
        files.append(File(path, project.read(f"completions/{name}")))
    documents = "usr/share/doc/keyfob"
    files += [
        File(f"{documents}/copyright", project.read("packaging/debian/copyright")),
        File(f"{documents}/changelog.gz", project.gz(project.read("CHANGELOG.md"))),
        File(f"{documents}/changelog.Debian.gz", project.gz(changelog(version).encode())),
        File(f"{documents}/third-party.txt.gz", project.gz(project.read("THIRD-PARTY.txt"))),
        File("usr/share/lintian/overrides/keyfob", project.read("packaging/debian/overrides")),
    ]
    return files


def control(binary, target, version, files):
    """What dpkg reads."""
    size = sum((len(file.content) + 1023) // 1024 for file in files)
    fields = {
        "Package": "keyfob",
        "Version": version,
        "Architecture": target.debian,
        "Maintainer": project.AUTHORS,
        "Installed-Size": size,
        "Depends": f"libc6 (>= {targets.glibc(binary)})",
        "Recommends": "ca-certificates",
        "Suggests": "gnome-keyring | keepassxc",
        "Section": "admin",
        "Priority": "optional",
        "Homepage": project.REPOSITORY,
        "Description": f"{SYNOPSIS}\n{EXTENDED}",
    }
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    # MD5 is what this list is made of; it is no defence, and apt checks the whole by SHA-256.
    sums = [f"{hashlib.md5(file.content).hexdigest()}  {file.path}\n" for file in files]
    return [
        File("control", text.encode()),
        File("md5sums", "".join(sorted(sums, key=lambda line: line.split("  ")[1])).encode()),
    ]


def changelog(version):
    """Debian's changelog: there is more in the project's own."""
    date = email.utils.formatdate(project.epoch(), localtime=False)
    return (
        f"keyfob ({version}) unstable; urgency=medium\n\n"
        f"  * Version {project.VERSION}: see changelog.gz beside this file.\n\n"
        f" -- {project.AUTHORS}  {date}\n"
    )


def xz(content):
    """`content` compressed in one thread, so that the bytes depend on nothing else."""
    return lzma.compress(content, preset=6)


def ar(parts):
    """The outer archive; its members have to stand in this order."""
    out = b"!<arch>\n"
    for name, content in parts.items():
        out += f"{name:<16}{project.epoch():<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out
