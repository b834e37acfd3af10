"""What keyfob is for, done once: by whatever starts it, in an empty home."""

import os
import shutil
import signal
import subprocess
import sys
import time

# How long anything may take, ten times over: a machine may be emulated.
SECONDS = 60


def check(it, why):
    """Ends with 1 and `why` where `it` is not so."""
    if not it:
        sys.exit(f"failed: {why}")


def run(command, home, code=0, stdin=b"", **more):
    """Runs a command in an empty environment and home, and hands back what it wrote to stdout."""
    names = ("SYSTEMROOT", "TEMP", "COMSPEC", "PATHEXT") if sys.platform == "win32" else ()
    env = {name: os.environ[name] for name in names if name in os.environ}
    env.update(PATH=os.environ["PATH"], HOME=str(home), USERPROFILE=str(home), APPDATA=str(home), LOCALAPPDATA=str(home), CI="1")
    # npm and pip are told by these where packages are had, and qemu where another machine's libraries are.
    kept = ("npm_config_", "PIP_", "SSL_CERT_", "NODE_EXTRA_", "QEMU_")
    env.update({name: value for name, value in os.environ.items() if name.startswith(kept)})
    env.update(more.pop("env", {}))
    ended = subprocess.run([str(word) for word in command], env=env, input=stdin, capture_output=True, timeout=SECONDS * 10, check=False, **more)
    text = ended.stdout.decode(errors="replace")
    check(ended.returncode == code, f"{command} ended with {ended.returncode}: {text}{ended.stderr.decode(errors='replace')}")
    return text


def main_job(keyfob, work, **more):
    """`--version`, `set`, `get`, `run`, `list`, and codes that are passed on, by the words `keyfob`; hands
    back the seconds until the first secret was read. `again` is how it calls itself, where that differs."""
    again = more.pop("again", keyfob)
    begun = time.monotonic()
    home = work / "home"
    home.mkdir()
    version = run([*keyfob, "--version"], home, **more)
    check(version.startswith("keyfob ") and version.count("\n") == 1, version)
    check("\ntarget: " in run([*keyfob, "--version", "-v"], home, **more), "--version -v names no target")
    run([*keyfob, "set", "GREETING"], home, stdin=b"hello", **more)
    check(run([*keyfob, "get", "GREETING"], home, **more).strip() == "hello", "get")
    seconds = time.monotonic() - begun
    check("GREETING" in run([*keyfob, "list"], home, **more), "list")
    # The one command that is there everywhere, in an empty image too, is keyfob.
    run([*keyfob, "run", "--", *again, "get", "NONE"], home, code=3, **more)
    if shutil.which("sh") and not more:
        run([*keyfob, "run", "--", "sh", "-c", 'test "$GREETING" = hello && exit 7'], home, code=7)
        run([*keyfob, "run", "--mask", "--", "sh", "-c", "exit 7"], home, code=7)
        run([*keyfob, "run", "--", "no-such-command"], home, code=127)
    if sys.platform == "win32" and len(keyfob) == 1:
        console(keyfob, home)
    shutil.rmtree(home)
    return seconds


def console(keyfob, home):
    """What the console asks for reaches the command, and keyfob ends as that does."""
    script = "import signal, sys, time; signal.signal(signal.SIGBREAK, lambda *_: sys.exit(7)); print('ready', flush=True)"
    script += "; [time.sleep(0.1) for _ in range(300)]"
    names = ("SYSTEMROOT", "TEMP", "PATH", "PATHEXT")
    env = {name: os.environ[name] for name in names if name in os.environ}
    env.update(HOME=str(home), USERPROFILE=str(home), CI="1")
    for mask in ([], ["--mask"]):
        words = [str(word) for word in (*keyfob, "run", *mask, "--", sys.executable, "-c", script)]
        group = subprocess.CREATE_NEW_PROCESS_GROUP
        started = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, creationflags=group)
        check(started.stdout.readline().strip() == b"ready", "the command did not start")
        started.send_signal(signal.CTRL_BREAK_EVENT)
        check(started.wait(SECONDS) == 7, f"Ctrl-Break ended it with {started.returncode}")
        started.stdout.close()
