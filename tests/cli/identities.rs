//! Identity files as age reads them: keys of several kinds in one, plugins, passphrases, and what
//! editors and shells make of such files.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use age::secrecy::SecretString;
use bech32::{Bech32, Hrp};

use crate::support::home::{Home, set_mode};

const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

/// A plugin that wraps file keys in nothing but a stanza of its own; `FAKE` says what else it does.
const PLUGIN: &str = r#"#!/usr/bin/env python3
import base64, os, sys, time

def encode(data):
    return base64.b64encode(data).decode().rstrip("=")

def read():
    args = sys.stdin.readline().rstrip("\n").split(" ")[1:]
    body = ""
    while True:
        line = sys.stdin.readline().rstrip("\n")
        body += line
        if len(line) < 64:
            return args, base64.b64decode(body + "=" * (-len(body) % 4))

def send(args, body=b""):
    text = encode(body)
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    if not lines or len(lines[-1]) == 64:
        lines.append("")
    sys.stdout.write("-> " + " ".join(args) + "\n" + "\n".join(lines) + "\n")
    sys.stdout.flush()

told = []
while True:
    args, body = read()
    if args[0] == "done":
        break
    told.append((args, body))
mode = os.environ.get("FAKE", "")
if mode == "dump":
    with open(os.environ["DUMP"], "a") as file:
        file.write(sys.argv[1] + " in " + os.getcwd() + "\n")
        file.writelines(name + "=" + value + "\n" for name, value in os.environ.items())
if mode == "hang":
    time.sleep(600)
if mode == "die":
    sys.exit(1)
if mode == "pin":
    send(["request-secret"], b"PIN of the fake")
    args, body = read()
    if args[0] != "ok" or body != b"4711":
        send(["error", "identity", "0"], b"wrong PIN")
        read()
        send(["done"])
        sys.exit(0)
if mode == "name":
    send(["request-public"], b"Name of the fake")
    args, body = read()
    if args[0] != "ok" or body != b"alice":
        send(["error", "identity", "0"], b"unknown name")
        read()
        send(["done"])
        sys.exit(0)
if sys.argv[1] == "--age-plugin=recipient-v1":
    for args, body in told:
        if args[0] == "wrap-file-key":
            send(["recipient-stanza", "0", "fake", "x"], body)
            read()
else:
    for args, body in told:
        if args[0] == "recipient-stanza" and args[2] == "fake":
            send(["msg"], b"touch the fake")
            read()
            send(["file-key", "0"], body)
            read()
            break
send(["done"])
"#;

/// A home whose `PATH` has the plugin, and the plugin's folder.
fn with_plugin() -> Home {
    let mut home = Home::new();
    let folder = home.root().join("plugins");
    fs::create_dir(&folder).unwrap();
    let plugin = folder.join("age-plugin-fake");
    fs::write(&plugin, PLUGIN).unwrap();
    set_mode(&plugin, 0o755);
    let path = std::env::var("PATH").unwrap();
    home.set("PATH", format!("{}:{path}", folder.display()));
    home
}

/// An identity of the plugin's as it writes it, and its public key.
fn plugin_identity() -> (String, String) {
    let key = |hrp: &str| bech32::encode::<Bech32>(Hrp::parse(hrp).unwrap(), b"fake").unwrap();
    let public = key("age1fake");
    let secret = key("age-plugin-fake-").to_uppercase();
    (format!("#    Recipient: {public}\n{secret}\n"), public)
}

fn named(home: &mut Home, text: impl AsRef<[u8]>) -> PathBuf {
    let path = home.write_private("me.txt", text);
    home.set("KEYFOB_LOCAL_IDENTITY", &path);
    path
}

fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        eprintln!("left out: the plugins of identities need python3");
    }
    found
}

#[test]
fn a_plugin_s_key_reads_and_writes_a_vault() {
    if !has_python() {
        return;
    }
    let mut home = with_plugin();
    let (identity, public) = plugin_identity();
    named(&mut home, &identity);
    home.keyfob(["set", "A"]).stdin("hunter2").run().ok();
    let got = home.run(["get", "A"]);
    got.ok().stdout_is("hunter2").stderr_has("touch the fake");
    let info = home.run(["--json", "vault", "info"]).ok().json();
    assert_eq!(info["identity"]["public_key"], public.as_str());
    // Another's, added to a vault of one's own.
    let mut other = with_plugin();
    other.keyfob(["set", "B"]).stdin("x").run().ok();
    other.run(["vault", "recipients", "add", &public]).ok();
    named(&mut other, &identity);
    other.run(["get", "B"]).ok().stdout_is("x");
}

#[test]
fn a_plugin_gets_no_credential() {
    if !has_python() {
        return;
    }
    let mut home = with_plugin();
    named(&mut home, plugin_identity().0);
    let dump = home.work().join("dump");
    home.set("FAKE", "dump").set("DUMP", &dump);
    let credentials = [
        "NORTHFLANK_API_TOKEN",
        "BYTENITE_API_KEY",
        "NEO_API_KEY",
        "KEYFOB_WEB_API_TOKEN",
        "KEYFOB_NOSANA_KEYPAIR",
        "SOLANA_WALLET",
        "KEYFOB_FALLBACK_KEY",
        "KEYFOB_OTHER_IDENTITY",
    ];
    for name in credentials {
        home.set(name, "hunter2-hunter2");
    }
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    home.run(["get", "A"]).ok().stdout_is("v");
    let dumped = fs::read_to_string(&dump).unwrap();
    for machine in ["recipient-v1", "identity-v1"] {
        assert!(dumped.contains(&format!("--age-plugin={machine} in ")));
    }
    assert!(dumped.contains("\nHOME=") && dumped.contains("\nPATH="));
    assert!(!dumped.contains("hunter2"), "{dumped}");
    assert!(!dumped.contains(&format!(" in {}\n", home.work().display())));
}

#[test]
fn a_plugin_that_does_not_speak_as_one_is_named() {
    let mut home = with_plugin();
    named(&mut home, plugin_identity().0);
    let plugin = home.root().join("plugins/age-plugin-fake");
    let endless = "printf '%s' '-> msg'; while :; do printf ' xxxxxxxxxxxxxxxx'; done";
    for (script, why) in [
        ("exit 0", "ended before it had answered"),
        (
            "cat >/dev/null & echo hello; sleep 600",
            "does not speak as a plugin does",
        ),
        (
            "echo '-> msg'; echo '!!!'; sleep 600",
            "does not speak as a plugin does",
        ),
        ("printf '%s\\n' '-> done' ''; sleep 600", "wrapped nothing"),
        (endless, "does not speak as a plugin does"),
    ] {
        fs::write(&plugin, format!("#!/bin/sh\n{script}\n")).unwrap();
        let set = home.keyfob(["set", "A"]).stdin("v").run();
        assert_ne!(set.code, Some(0), "{script}");
        set.stderr_has("age-plugin-fake").stderr_has(why);
    }
}

#[test]
fn a_plugin_that_fails_is_named_and_leaves_the_other_keys() {
    if !has_python() {
        return;
    }
    let (identity, _) = plugin_identity();
    let mut home = with_plugin();
    named(&mut home, &identity);
    home.keyfob(["set", "A"]).stdin("hunter2").run().ok();
    for (mode, timeout, words) in [
        ("hang", "1s", "in time"),
        ("die", "30s", "age-plugin-fake"),
        ("pin", "30s", "wrong PIN"),
    ] {
        let run = home
            .keyfob(["--timeout", timeout, "get", "A"])
            .env("FAKE", mode)
            .run();
        run.code(4).stdout_is("").stderr_has(words);
        let set = home
            .keyfob(["--timeout", timeout, "set", "A"])
            .env("FAKE", mode);
        assert_ne!(set.stdin("y").run().code, Some(0), "{mode}");
    }
    let path = std::env::var("PATH").unwrap();
    let without = home.keyfob(["get", "A"]).env("PATH", &path).run();
    without.code(4).stderr_has("age-plugin-fake");
    // With a key of another kind beside it, in any order.
    for text in [format!("{identity}{KEY}\n"), format!("{KEY}\n{identity}")] {
        let mut home = with_plugin();
        home.keyfob(["set", "A"])
            .env("KEYFOB_LOCAL_IDENTITY", KEY)
            .stdin("v")
            .run()
            .ok();
        named(&mut home, text);
        let run = home
            .keyfob(["get", "A"])
            .env("PATH", &path)
            .env("FAKE", "hang")
            .run();
        run.ok().stdout_is("v");
    }
}

#[test]
fn a_plugin_asks_on_the_terminal() {
    if !has_python() {
        return;
    }
    let mut home = with_plugin();
    named(&mut home, plugin_identity().0);
    home.keyfob(["set", "A"]).stdin("hunter2").run().ok();
    home.set("FAKE", "pin");
    let mut terminal = home.keyfob(["get", "A"]).on_a_terminal();
    terminal.exp_string("PIN of the fake").unwrap();
    terminal.send_line("4711").unwrap();
    let rest = terminal.exp_eof().unwrap();
    assert!(rest.contains("hunter2") && !rest.contains("4711"), "{rest}");
}

#[test]
fn an_enter_alone_is_no_answer_to_a_plugin() {
    if !has_python() {
        return;
    }
    let mut home = with_plugin();
    named(&mut home, plugin_identity().0);
    home.keyfob(["set", "A"]).stdin("hunter2").run().ok();
    for (mode, question, answer) in [
        ("name", "Name of the fake", "alice"),
        ("pin", "PIN of the fake", "4711"),
    ] {
        home.set("FAKE", mode);
        let mut terminal = home.keyfob(["get", "A"]).on_a_terminal();
        terminal.exp_string(question).unwrap();
        terminal.send_line("").unwrap();
        terminal.exp_string("Nothing was typed").unwrap();
        terminal.exp_string(question).unwrap();
        terminal.send_line(answer).unwrap();
        let rest = terminal.exp_eof().unwrap();
        assert!(rest.contains("hunter2"), "{mode}: {rest}");
    }
}

#[test]
fn keys_that_cannot_be_used_leave_those_that_can() {
    let body = &KEY[16..];
    let unusable = [
        format!("AGE-SECRET-KEY-PQ-1{body}"),
        "AGE-PLUGIN-NONE-1QQQQQQQQQQQ".to_owned(),
        format!("AGE-SECRET-KEY-TOMORROW-1{body}"),
    ];
    for line in &unusable {
        for text in [format!("{line}\n{KEY}\n"), format!("# me\n{KEY}\n\n{line}")] {
            let mut home = Home::new();
            named(&mut home, text);
            home.keyfob(["set", "A"]).stdin("v").run().ok();
            home.run(["get", "A"]).ok().stdout_is("v");
        }
        let mut home = Home::new();
        named(&mut home, line);
        let run = home.keyfob(["set", "A"]).stdin("v").run();
        run.code(7).lacks(&line[20..]);
    }
    // What opens nothing says what it could not use.
    let mut home = Home::new();
    home.keyfob(["set", "A"]).stdin("v").run().ok();
    named(&mut home, format!("{KEY}\n{}\n", unusable[0]));
    home.run(["get", "A"])
        .code(4)
        .stderr_has("post-quantum")
        .lacks(body);
}

#[test]
fn an_encrypted_identity_is_asked_for_its_passphrase() {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from("correct horse".to_owned()));
    recipient.set_work_factor(2);
    let sealed = age::encrypt(&recipient, format!("# mine\n{KEY}\n").as_bytes()).unwrap();
    let armored = age::encrypt_and_armor(&recipient, KEY.as_bytes()).unwrap();
    for content in [sealed, format!("# mine\n\n{armored}").into_bytes()] {
        let mut home = Home::new();
        home.keyfob(["set", "A"])
            .env("KEYFOB_LOCAL_IDENTITY", KEY)
            .stdin("hunter2")
            .run()
            .ok();
        named(&mut home, content);
        let run = home.run(["get", "A"]);
        run.code(2).stderr_has("has a passphrase").stdout_is("");
        for (passphrase, said) in [("correct horse", "hunter2"), ("wrong", "is another")] {
            let mut terminal = home.keyfob(["get", "A"]).on_a_terminal();
            terminal.exp_string("Passphrase of the identity").unwrap();
            terminal.send_line(passphrase).unwrap();
            let rest = terminal.exp_eof().unwrap();
            assert!(
                rest.contains(said) && !rest.contains("correct horse"),
                "{rest}"
            );
        }
    }
}

/// The private key that `ssh-keygen` makes; `None` where there is none.
fn ssh_key(folder: &Path, passphrase: &str) -> Option<String> {
    let path = folder.join(format!("id{}", passphrase.len()));
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "me", "-N", passphrase, "-f"])
        .arg(&path)
        .status();
    if status.is_err() {
        eprintln!("left out: SSH keys need ssh-keygen");
        return None;
    }
    Some(fs::read_to_string(path).unwrap())
}

#[test]
fn an_ssh_key_with_a_passphrase_asks_where_it_is_needed() {
    let mut home = Home::new();
    let Some(key) = ssh_key(home.root(), "hunter2") else {
        return;
    };
    named(&mut home, &key);
    // Encrypting takes the public key alone.
    home.keyfob(["set", "A"]).stdin("value").run().ok();
    let run = home.run(["get", "A"]);
    run.code(4).stderr_has("Passphrase").stdout_is("");
    for (passphrase, said) in [("hunter2", "value"), ("wrong", "is another")] {
        let mut terminal = home.keyfob(["get", "A"]).on_a_terminal();
        terminal.exp_string("Passphrase of the identity").unwrap();
        terminal.send_line(passphrase).unwrap();
        let rest = terminal.exp_eof().unwrap();
        assert!(rest.contains(said), "{rest}");
    }
    // Nobody is asked where another key opens it.
    let mut other = Home::new();
    other
        .keyfob(["set", "A"])
        .env("KEYFOB_LOCAL_IDENTITY", KEY)
        .stdin("v")
        .run()
        .ok();
    named(&mut other, format!("{key}\n{KEY}\n"));
    other.run(["get", "A"]).ok().stdout_is("v");
}

#[test]
fn age_and_ssh_keys_stand_in_one_file_in_any_order() {
    let folder = Home::new();
    let Some(ssh) = ssh_key(folder.root(), "") else {
        return;
    };
    for text in [
        format!("# both\n{KEY}\n# my key\n{ssh}"),
        format!("# my key\n{ssh}\u{feff}# copied\r\n{KEY}\r\n"),
        format!("\u{feff}{}{KEY}", ssh.replace('\n', "\r\n")),
    ] {
        for own in [KEY, &ssh] {
            let mut home = Home::new();
            home.keyfob(["set", "A"])
                .env("KEYFOB_LOCAL_IDENTITY", own)
                .stdin("v")
                .run()
                .ok();
            named(&mut home, &text);
            home.run(["get", "A"]).ok().stdout_is("v");
        }
    }
}

#[test]
fn other_encodings_are_named() {
    let mut home = Home::new();
    let wide: Vec<u8> = format!("\u{feff}{KEY}\r\n")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    named(&mut home, &wide);
    let run = home.keyfob(["set", "A"]).stdin("v").run();
    run.code(4).stderr_has("UTF-16").lacks(KEY);
    named(&mut home, &wide[2..]);
    home.keyfob(["set", "A"])
        .stdin("v")
        .run()
        .code(4)
        .stderr_has("UTF-16");
    let mut file = fs::File::create(home.work().join("me.txt")).unwrap();
    file.write_all(b"AGE-SECRET-KEY-1\xff\n").unwrap();
    home.keyfob(["set", "A"])
        .stdin("v")
        .run()
        .code(4)
        .stderr_has("no text");
}
