//! `keyfob inject`: templates filled, or nothing written at all.

#[cfg(target_os = "linux")]
use std::path::Path;

use crate::export::{both_are_asked_before_either_answers, home_with, two_managers, values};
#[cfg(unix)]
use crate::support::home::BINARY;
use crate::support::home::Home;
use crate::support::servers::Fault;
#[cfg(target_os = "linux")]
use crate::support::wait::until;

const CANARY: &str = "canary-c4n4ry-value-0815";

fn injected(home: &Home, template: impl Into<Vec<u8>>) -> Vec<u8> {
    let run = home.keyfob(["inject"]).stdin(template).run();
    run.ok().quiet();
    run.stdout
}

#[test]
fn stdin_becomes_stdout_with_every_placeholder_filled() {
    let home = home_with(&values([("A", "it's \"é\"\n"), ("db/pass word", "p%|}}")]));
    assert_eq!(
        injected(
            &home,
            "a={{ keyfob://local/A }}b={{keyfob://local/db/pass%20word}}\n"
        ),
        "a=it's \"é\"\nb=p%|}}\n".as_bytes()
    );
    for (filter, text) in [
        ("json", r#""it's \"é\"\n""#),
        ("yaml", r#""it's \"é\"\n""#),
        ("shell", "'it'\\''s \"é\"\n'"),
        ("url", "it%27s%20%22%C3%A9%22%0A"),
        ("base64", "aXQncyAiw6kiCg=="),
        ("json | base64", "Iml0J3MgXCLDqVwiXG4i"),
    ] {
        let template = format!("<{{{{ keyfob://local/A | {filter} }}}}>");
        assert_eq!(injected(&home, template), format!("<{text}>").as_bytes());
    }
}

#[test]
fn what_is_no_placeholder_of_ours_stays_byte_for_byte() {
    // Nobody is asked, so that there is no store needs no store.
    let home = Home::new();
    for template in [
        &b"\xff\0{{ .Values.x }} {{- other -}} {{{{raw}}}} {{ A | upper }}\r\n{{ A }}"[..],
        b"",
        b"no newline at the end",
    ] {
        assert_eq!(injected(&home, template), template);
    }
    assert!(home.files().is_empty());
    let home = home_with(&values([("A", "1")]));
    assert_eq!(
        injected(
            &home,
            &b"\xff{{ keyfob://local/A }}\xfe {{ A }} {{ keyfob:{{ }} keyfob://local/A }}"[..]
        ),
        b"\xff1\xfe {{ A }} {{ keyfob://local/A }}"
    );
}

#[test]
fn nothing_is_written_unless_everything_was_found() {
    let home = home_with(&values([("A", CANARY)]));
    home.write("out", "old");
    for (template, place, code) in [
        (
            "{{ keyfob://local/A }}\n é {{ keyfob://local/MISSING }}",
            "2:4",
            3,
        ),
        ("{{ keyfob://local/A }}\n{{ keyfob://nowhere/B }}", "2:1", 3),
        (
            "{{ keyfob://local/A }} {{ keyfob://local/A | html }}",
            "1:24",
            2,
        ),
        ("{{ keyfob://local/A }} {{ keyfob://local }}", "1:24", 2),
        ("{{ keyfob://local/A }} {{ keyfob:A }}", "1:24", 2),
        ("{{ keyfob://local/A }}{{ keyfob://local/A\n }}", "1:23", 2),
    ] {
        home.write("t.tpl", template);
        for output in [&[][..], &["-o", "out"], &["-o", "new"]] {
            let args = [&["-vv", "inject", "-i", "t.tpl"], output].concat();
            home.run(args)
                .code(code)
                .stdout_is("")
                .stderr_has(&format!("t.tpl:{place}: "))
                .lacks(CANARY);
        }
        home.keyfob(["inject"])
            .stdin(template)
            .run()
            .code(code)
            .stderr_has(&format!("stdin:{place}: "));
    }
    assert_eq!(home.read("out"), b"old");
    assert!(!home.work().join("new").exists());
    home.write("bytes", [0xff]);
    home.run(["set", "B", "--file", "bytes"]).ok();
    home.keyfob(["inject"])
        .stdin("\n {{ keyfob://local/B | json }}")
        .run()
        .code(13)
        .stdout_is("")
        .stderr_has("stdin:2:2: ")
        .stderr_has("base64");
    home.run(["inject", "-i", "absent.tpl"])
        .code(1)
        .stderr_has("absent.tpl");
}

#[cfg(unix)]
#[test]
fn the_file_is_private_unless_a_mode_is_given() {
    use std::os::unix::fs::PermissionsExt;

    let home = home_with(&values([("A", "1")]));
    home.write("t.tpl", "a={{ keyfob://local/A }}\n");
    let mode = |path: &str| {
        let path = home.work().join(path);
        path.metadata().unwrap().permissions().mode() & 0o777
    };
    home.run(["inject", "-i", "t.tpl", "-o", "out"])
        .ok()
        .stdout_is("")
        .quiet();
    assert_eq!(home.read("out"), b"a=1\n");
    assert_eq!(mode("out"), 0o600);
    home.run(["inject", "-i", "t.tpl", "-o", "out", "--mode", "0640"])
        .ok();
    assert_eq!(mode("out"), 0o640);
    home.run(["inject", "-i", "t.tpl", "-o", "out"]).ok();
    assert_eq!(mode("out"), 0o600, "an existing file becomes private");
    home.run(["inject", "-i", "t.tpl", "-o", "-"])
        .ok()
        .stdout_is("a=1\n");
    home.run(["inject", "-i", "t.tpl", "--mode", "0640"])
        .code(2);
    home.run(["inject", "-i", "t.tpl", "-o", "out", "--mode", "rw"])
        .code(2);
    let names: Vec<_> = std::fs::read_dir(home.work())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(names, Vec::<String>::new(), "nothing is left beside it");
}

#[cfg(unix)]
#[test]
fn a_link_into_a_missing_folder_is_said_to_be_one() {
    let home = home_with(&values([("A", "1")]));
    std::os::unix::fs::symlink("missing/out", home.work().join("link")).unwrap();
    home.keyfob(["inject", "-o", "link"])
        .stdin("{{ keyfob://local/A }}")
        .run()
        .code(1)
        .stderr_has("hint: it is a link to missing/out, and that folder is missing");
}

#[cfg(unix)]
#[test]
fn the_template_is_never_written_over() {
    let home = home_with(&values([("A", "1")]));
    let template = "a={{ keyfob://local/A }}\n";
    home.write("t.tpl", template);
    std::os::unix::fs::symlink("t.tpl", home.work().join("link")).unwrap();
    std::fs::hard_link(home.work().join("t.tpl"), home.work().join("hard")).unwrap();
    for output in ["t.tpl", "./t.tpl", "link", "hard"] {
        home.run(["inject", "-i", "t.tpl", "-o", output])
            .code(2)
            .stderr_has("template itself");
    }
    home.program("sh", ["-c", "exec \"$KEYFOB\" inject <t.tpl -o t.tpl"])
        .env("KEYFOB", BINARY)
        .run()
        .code(2)
        .stderr_has("template itself");
    assert_eq!(home.read("t.tpl"), template.as_bytes());
}

#[test]
fn every_store_is_asked_once_and_all_at_the_same_time() {
    let (one, home, two, _) = two_managers();
    let template =
        "{{ keyfob://one/A }}{{ keyfob://two/B }}{{ keyfob://one/A2 }}{{ keyfob://one/A }}";
    both_are_asked_before_either_answers(&one, &two, || {
        home.keyfob(["inject"]).stdin(template).spawn()
    });
    assert_eq!(injected(&home, template), b"121b1");
    for server in [&one, &two] {
        assert_eq!(server.asked(), ["POST /login", "GET /secrets"]);
    }
    two.faults().on("GET", "/secrets", Fault::captive_portal());
    home.keyfob(["inject"])
        .stdin(template)
        .run()
        .code(13)
        .stdout_is("");
}

#[test]
fn a_hundred_nasty_values_come_through() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let written = crate::export::nasty_values(keyfob::testing::formats::Format::Json);
    let home = home_with(&written);
    let template: String = written
        .keys()
        .map(|name| format!("{{{{ keyfob://local/{name} }}}}\u{0}{{{{ keyfob://local/{name} | json }}}}\u{0}{{{{ keyfob://local/{name} | base64 }}}}\n"))
        .collect();
    let mut expected = Vec::new();
    for value in written.values() {
        expected.extend_from_slice(value.as_bytes());
        expected.push(0);
        expected.extend(serde_json::to_vec(value).unwrap());
        expected.push(0);
        expected.extend(STANDARD.encode(value).into_bytes());
        expected.push(b'\n');
    }
    assert!(injected(&home, template) == expected);
}

#[cfg(target_os = "linux")]
#[test]
fn values_stand_in_no_argument_no_variable_and_no_other_file() {
    let (one, home, two, keypair) = two_managers();
    one.put(&keypair.address(), "A", CANARY);
    two.faults().on("GET", "/secrets", Fault::Hang);
    let running = home
        .keyfob(["-vvv", "inject", "-o", "out"])
        .stdin("{{ keyfob://one/A }}{{ keyfob://two/B }}")
        .spawn();
    until("the request", || two.count("GET", "/secrets") > 0);
    for what in ["cmdline", "environ"] {
        let text = std::fs::read(format!("/proc/{}/{what}", running.pid())).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(CANARY));
    }
    running.kill().lacks(CANARY);
    assert!(home.files_holding(CANARY.as_bytes()).is_empty());
    two.faults().clear();
    home.keyfob(["-vvv", "inject", "-o", "out"])
        .stdin("{{ keyfob://one/A }}")
        .run()
        .ok()
        .lacks(CANARY);
    let out: &Path = &home.work().join("out");
    assert_eq!(home.files_holding(CANARY.as_bytes()), [out]);
}

#[cfg(unix)]
#[test]
fn the_mode_of_what_is_replaced_may_be_kept() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::new();
    let mode = |mode: &str| {
        let inject = home.keyfob(["inject", "-o", "out", "--mode", mode]);
        inject.stdin("x").run().ok();
        let path = home.work().join("out");
        path.metadata().unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("keep"), 0o600);
    assert_eq!(mode("0640"), 0o640);
    assert_eq!(mode("keep"), 0o640);
    home.keyfob(["inject", "-o", "out", "--mode", "kept"])
        .stdin("x")
        .run()
        .code(2)
        .stderr_has("keep");
}
