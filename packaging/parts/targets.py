"""The kinds of machine that keyfob is packed for, what each kind of package calls them, and what can
be read off a binary."""

import re
import struct
import sys

# The C library that glibc binaries ask for at most: CentOS 7's, Debian 8's, Ubuntu 14.04's.
OLDEST_GLIBC = "2.17"


class Target:
    """A kind of machine: `triple` is the compiler's name of it."""

    def __init__(self, triple, system, cpu, wheel):
        self.triple, self.system, self.cpu, self.wheel = triple, system, cpu, wheel
        self.static = triple.endswith("-musl")
        self.windows = system == "win32"
        self.program = "keyfob.exe" if self.windows else "keyfob"

    @property
    def npm(self):
        """The last part of its npm package's name."""
        return f"{self.system}-{self.cpu}" + ("-musl" if self.static else "")

    @property
    def debian(self):
        """What Debian calls it, where there is a Debian package for it."""
        return {"x64": "amd64", "arm64": "arm64"}[self.cpu] if self.triple.endswith("-linux-gnu") else None

    @property
    def oci(self):
        """What container images call it, where there is one for it."""
        return {"x64": "amd64", "arm64": "arm64"}[self.cpu] if self.static else None


TARGETS = {
    target.triple: target
    for target in (
        Target("x86_64-unknown-linux-gnu", "linux", "x64", "manylinux_{glibc}_x86_64"),
        Target("aarch64-unknown-linux-gnu", "linux", "arm64", "manylinux_{glibc}_aarch64"),
        Target("x86_64-unknown-linux-musl", "linux", "x64", "musllinux_1_1_x86_64"),
        Target("aarch64-unknown-linux-musl", "linux", "arm64", "musllinux_1_1_aarch64"),
        Target("x86_64-apple-darwin", "darwin", "x64", "macosx_10_12_x86_64"),
        Target("aarch64-apple-darwin", "darwin", "arm64", "macosx_11_0_arm64"),
        Target("x86_64-pc-windows-msvc", "win32", "x64", "win_amd64"),
    )
}


def glibc(binary):
    """The newest glibc that a binary asks for, as `2.17`."""
    versions = re.findall(rb"GLIBC_(\d+)\.(\d+)(?=[.\0])", binary)
    newest = max(((int(major), int(minor)) for major, minor in versions), default=(2, 17))
    return f"{newest[0]}.{newest[1]}"


def number(version):
    """A version such as `2.17`, to be compared."""
    return tuple(map(int, version.split(".")))


# The magic numbers of the formats, and what the headers call the processors.
ELF, MACH_O, PE = b"\x7fELF", b"\xcf\xfa\xed\xfe", b"MZ"
CPUS = {
    ("linux", "x64"): 62,
    ("linux", "arm64"): 183,
    ("darwin", "x64"): 0x01000007,
    ("darwin", "arm64"): 0x0100000C,
    ("win32", "x64"): 0x8664,
}
INTERPRETER, ANYWHERE = 3, 3


def check(binary, target):
    """Ends with 1 where a binary is not one for `target`: wrong packages would be hard to tell."""
    magic = {"linux": ELF, "darwin": MACH_O, "win32": PE}[target.system]
    if not binary.startswith(magic):
        sys.exit(f"this is no binary for {target.triple}")
    if target.system == "linux":
        (cpu,) = struct.unpack_from("<H", binary, 18)
    elif target.system == "darwin":
        (cpu,) = struct.unpack_from("<I", binary, 4)
    else:
        (header,) = struct.unpack_from("<I", binary, 0x3C)
        (cpu,) = struct.unpack_from("<H", binary, header + 4)
    if cpu != CPUS[target.system, target.cpu]:
        sys.exit(f"this binary is for another processor than {target.triple}")
    if target.static and not is_static(binary):
        sys.exit(f"this binary for {target.triple} needs a loader: it is not static")
    if target.system == "linux" and struct.unpack_from("<H", binary, 16)[0] != ANYWHERE:
        sys.exit(f"this binary for {target.triple} lies at one address in memory: it is no PIE")


def is_static(binary):
    """Whether an ELF binary names no program that loads it."""
    (headers,) = struct.unpack_from("<Q", binary, 32)
    size, count = struct.unpack_from("<HH", binary, 54)
    kinds = [struct.unpack_from("<I", binary, headers + size * at)[0] for at in range(count)]
    return INTERPRETER not in kinds
