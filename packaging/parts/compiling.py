"""The binary of a target, compiled once, so that it is the same wherever the project lies."""

import os
import pathlib
import shutil
import subprocess
import sys
import venv

from . import project, targets

# The linker for old glibcs, whose symbols it knows, and the C compiler that has musl's headers.
ZIG = ("cargo-zigbuild==0.24.1", "ziglang==0.17.1")


def target_folder():
    """Where cargo compiles."""
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or project.ROOT / "target").resolve()


def possible(target):
    """Why `target` cannot be compiled on this machine; None where it can."""
    here = sys.platform
    if target.system != here:
        return f"{target.triple} is compiled on {target.system}"
    if not have_std(target.triple):
        return f"Rust has no standard library for {target.triple}: rustup target add {target.triple}"
    return None


def have_std(triple):
    """Whether the compiler can make programs for `triple`; rustup is asked to see to it."""
    if shutil.which("rustup"):
        subprocess.run(["rustup", "target", "add", triple], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    out = subprocess.run(["rustc", "--print", "target-libdir", "--target", triple], check=False, stdout=subprocess.PIPE)
    folder = pathlib.Path(out.stdout.decode().strip())
    return out.returncode == 0 and any(folder.glob("libstd-*.rlib"))


def zig():
    """The folder of `cargo-zigbuild`, installed on first use."""
    into = target_folder() / "packaging" / "venv"
    if not (into / "bin" / "cargo-zigbuild").exists():
        print("installing " + ", ".join(ZIG), flush=True)
        venv.create(into, with_pip=True)
        subprocess.run([into / "bin" / "python", "-m", "pip", "install", "--quiet", *ZIG], check=True)
    return into / "bin"


def environment():
    """What the compiler is told, so that no path of this machine and no time is in the binary."""
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo").resolve()
    places = {home: "/cargo", project.ROOT: "/keyfob", target_folder(): "/keyfob/target"}
    rust = [f"--remap-path-prefix={path}={name}" for path, name in places.items()]
    c = [f"-ffile-prefix-map={path}={name}" for path, name in places.items()]
    own = {
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(rust),
        "CARGO_INCREMENTAL": "0",
        "KEYFOB_COMMIT": project.commit(),
        "SOURCE_DATE_EPOCH": str(project.epoch()),
    }
    if sys.platform != "win32":
        own["CFLAGS"] = " ".join(c)
    inherited = {name: value for name, value in os.environ.items() if name != "RUSTFLAGS"}
    return {**inherited, **own}


def static(target):
    """What makes a static binary: Rust's own musl and linker, told to make one that the system can lay
    anywhere in memory. What it relocates at the start is packed: a list of each would be 0.3 MiB."""
    name, tools = target.triple.replace("-", "_"), project.ROOT / "packaging" / "musl"
    flags = ("linker-flavor=ld.lld", "link-self-contained=yes", "target-feature=+crt-static")
    return {
        f"CARGO_TARGET_{name.upper()}_LINKER": str(tools / "link"),
        f"CC_{name}": str(tools / "cc"),
        "ZIG_PYTHON": str(zig() / "python"),
        "ZIG_TARGET": target.triple.replace("-unknown", ""),
    }, [f"-C{flag}" for flag in flags]


def build(target):
    """The finished binary of `target`."""
    wanted = target.triple
    env = environment()
    command = ["cargo", "build"]
    if target.static:
        tools, flags = static(target)
        env.update(tools)
        env["CARGO_ENCODED_RUSTFLAGS"] += "".join(f"\x1f{flag}" for flag in flags)
    elif target.system == "linux":
        command = ["cargo", "zigbuild"]
        env["PATH"] = f"{zig()}{os.pathsep}{env['PATH']}"
        wanted += f".{targets.OLDEST_GLIBC}"
    command += ["--locked", "--release", "--bin", "keyfob", "--target", wanted]
    subprocess.run(command, cwd=project.ROOT, env=env, check=True)
    binary = (target_folder() / target.triple / "release" / target.program).read_bytes()
    newest = targets.glibc(binary)
    if target.system == "linux" and not target.static and targets.number(newest) > targets.number(targets.OLDEST_GLIBC):
        sys.exit(f"{target.triple}: the binary asks for glibc {newest}, and {targets.OLDEST_GLIBC} was meant")
    left = [str(path).encode() for path in (project.ROOT, pathlib.Path.home() / ".cargo") if str(path).encode() in binary]
    if left:
        sys.exit(f"{target.triple}: paths of this machine are in the binary: {left}")
    return binary
