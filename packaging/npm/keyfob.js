#!/usr/bin/env node
// Runs the binary that npm has installed for this machine, as if it had been started itself: the
// terminal, the signals and the exit code are the binary's.

"use strict";

const { spawn } = require("node:child_process");
const { accessSync, constants } = require("node:fs");
const os = require("node:os");

/** What `keyfob run` ends with where keyfob itself has failed. */
const KEYFOB_FAILED = 125;

/** What a person's keys send to everything that the terminal runs, this process and the binary alike. */
const KEYS = ["SIGINT", "SIGQUIT"];
/** The other signals that can be asked of a program. */
const REQUESTS = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGWINCH", "SIGIO", "SIGPWR", "SIGBREAK"];

/** The packages that may hold a binary for this machine, the best first. */
function packages() {
  const here = `@keyfob/${process.platform}-${process.arch}`;
  if (process.platform !== "linux") return [here];
  // The static one runs everywhere; glibc's looks up names as the rest of the machine does.
  const { header } = process.report.getReport();
  return header.glibcVersionRuntime ? [here, `${here}-musl`] : [`${here}-musl`];
}

function fail(message, hint) {
  const args = process.argv.slice(2);
  const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  if (own.includes("--json")) {
    console.error(JSON.stringify({ error: { kind: "failed", message, hint } }));
  } else {
    console.error(`error: ${message}\nhint: ${hint}`);
  }
  process.exit(KEYFOB_FAILED);
}

function find() {
  const file = process.platform === "win32" ? "bin/keyfob.exe" : "bin/keyfob";
  const wanted = packages();
  for (const name of wanted) {
    let binary;
    try {
      binary = require.resolve(`${name}/${file}`);
    } catch {
      // It is optional for npm, which leaves out what does not fit and what it is told to.
      continue;
    }
    try {
      accessSync(binary, constants.X_OK);
      return binary;
    } catch (error) {
      fail(`${binary} cannot be run: ${error.code}`, "npm rebuild keyfob || npm install keyfob --force");
    }
  }
  return fail(
    `keyfob's binary for this machine is not installed: there is no package ${wanted.join(" or ")}`,
    "npm install keyfob --include=optional",
  );
}

/** Starts the binary beside this process, passes on what is asked of this one, and ends as it does. */
function beside(binary, args) {
  let child;
  const known = (signal) => signal in os.constants.signals;
  const terminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  // Before the binary is there, so that nothing that comes early ends this process alone.
  for (const signal of KEYS.filter(known)) {
    // Passed on as well, a key would arrive twice.
    process.on(signal, terminal ? () => {} : () => child.kill(signal));
  }
  for (const signal of REQUESTS.filter(known)) process.on(signal, () => child.kill(signal));
  child = spawn(binary, args, { stdio: "inherit" });
  child.on("error", (error) => fail(`${binary} cannot be run: ${error.message}`, "npm install keyfob --force"));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    // Whoever waits for this process is told what ended the binary.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // Some signals end no Node: it says so by its code, as shells do.
    setTimeout(() => process.exit(128 + os.constants.signals[signal]), 500);
  });
}

const binary = find();
const args = process.argv.slice(2);
// Replaces this process, so that there is nothing to pass on. Node has it since 22.15, not on Windows.
if (process.platform !== "win32" && typeof process.execve === "function") {
  process.execve(binary, [binary, ...args], process.env);
} else {
  beside(binary, args);
}
