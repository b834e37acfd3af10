//! `keyfob import`: what it plans, what it does, and what it leaves alone.

use std::time::Duration;

use serde_json::{Value, json};

#[cfg(unix)]
use crate::export::{home_with, values};
use crate::nosana::set_up;
use crate::support::home::Home;
use crate::support::servers::{Answer, Fault};
#[cfg(target_os = "linux")]
use crate::support::wait::until;

const CANARY: &str = "canary-c4n4ry-value-0815";

fn actions(document: &Value) -> Vec<(&str, &str)> {
    let results = document["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| (text_of(&result["name"]), text_of(&result["action"])))
        .collect()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn what_is_unchanged_is_not_written() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "SAME", "1");
    server.put(&keypair.address(), "OLD", "1");
    let import = || {
        home.keyfob(["--json", "import", "-"])
            .stdin(r#"{"SAME": "1", "OLD": "2", "NEW": "3"}"#)
            .run()
    };
    let run = import();
    assert_eq!(
        actions(&run.ok().json()),
        [
            ("SAME", "unchanged"),
            ("OLD", "updated"),
            ("NEW", "created")
        ]
    );
    let requests = server.requests();
    let posts: Vec<_> = requests
        .iter()
        .filter(|request| request.is("POST", "/secrets"))
        .collect();
    assert_eq!(posts.len(), 1);
    assert_eq!(
        posts[0].json().unwrap(),
        json!({"secrets": {"OLD": "2", "NEW": "3"}})
    );
    server.forget_requests();
    import().ok();
    assert_eq!(server.asked(), ["POST /login", "GET /secrets"]);
}

#[test]
fn the_format_is_told_by_option_name_or_content() {
    let home = Home::new();
    for (number, (file, option, text)) in [
        ("a.env", None, "A=v # c\n"),
        (".env.local", None, "A=v # c\n"),
        ("a.json", None, "{\"A\": \"v\"}"),
        ("a.yml", None, "A: v # c\n"),
        ("a.toml", None, "A = 'v' # c\n"),
        ("odd-1", None, "export A=v\n"),
        ("odd-2", None, "{\"A\":\n\"v\"}"),
        ("odd-3.txt", None, "---\nA: v\n"),
        ("odd-4", None, "A = '''v'''\n"),
        ("misleading.json", Some("dotenv"), "A=v\n"),
        ("misleading.env", Some("yml"), "A: v\n"),
        ("-", Some("toml"), "A = '''\nv'''\n"),
        ("-", None, "A=v\n"),
    ]
    .into_iter()
    .enumerate()
    {
        home.run(["delete", "-y", "--ignore-missing", "A"]).ok();
        if file != "-" {
            home.write(file, text);
        }
        let mut args = vec!["import", file];
        args.extend(option.map(|_| "--format"));
        args.extend(option);
        home.keyfob(args).stdin(text).run().ok();
        let value = home.run(["get", "A"]).ok().text();
        assert_eq!(value, "v", "number {number}: {file}");
    }
    home.keyfob(["import", "-"])
        .stdin("A=\"\\u0041\"\n")
        .run()
        .code(2)
        .stderr_has("--format");
    home.run(["import", "--format", "docker", "a.env"]).code(2);
}

#[test]
fn a_file_with_an_error_changes_nothing_and_is_not_repeated() {
    let (server, home, _) = set_up();
    for (file, text, place) in [
        ("a.env", format!("A=1\n{CANARY}\n"), "line 2"),
        ("a.env", format!("A={CANARY}\nA=2\n"), "line 2"),
        ("a.json", format!("{{\"A\": \"{CANARY}\",}}"), "line 1"),
        ("a.json", format!("{{\"A\": [\"{CANARY}\"]}}"), "line 1"),
        ("a.yaml", format!("A: 1\nB: '{CANARY}\n"), "line 2"),
        ("a.toml", format!("A = {CANARY}\n"), "line 1"),
    ] {
        home.write(file, text);
        home.run(["-vv", "import", file])
            .code(13)
            .stdout_is("")
            .stderr_has(file)
            .stderr_has(place)
            .lacks(CANARY);
    }
    home.run(["import", "absent.env"])
        .code(1)
        .stderr_has("absent.env");
    home.run(["import"]).code(2);
    assert!(server.requests().is_empty(), "nobody was asked");
}

#[test]
fn what_the_store_cannot_hold_fails_alone_and_a_dry_run_says_so() {
    let (_server, home, _) = set_up();
    home.write(
        "bytes.json",
        r#"{"GOOD": "1", "BYTES": {"base64": "/wA="}}"#,
    );
    home.write("name.json", r#"{"GOOD": "1", "__proto__": "x"}"#);
    let large = json!({"GOOD": "1", "LARGE": "x".repeat(1_100_000)});
    home.write("large.json", large.to_string());
    for (file, bad) in [
        ("bytes.json", "BYTES"),
        ("name.json", "__proto__"),
        ("large.json", "LARGE"),
    ] {
        let dry = home.run(["--json", "import", "--dry-run", file]);
        let mut foreseen = dry.code(10).json();
        assert_eq!(foreseen["dry_run"], true);
        assert_eq!(
            home.run(["--json", "list"]).ok().json(),
            json!([]),
            "{file}"
        );
        let run = home.run(["--json", "import", "-y", file]).code(10).clone();
        let done = run.json();
        foreseen.as_object_mut().unwrap().remove("dry_run");
        assert_eq!(done, foreseen, "{file}");
        assert_eq!(done["store"], "nosana");
        let failed = results_of(&done, "failed");
        assert_eq!(failed.len(), 1, "{file}");
        assert_eq!(failed[0]["name"], bad);
        assert_eq!(failed[0]["error"]["kind"], "invalid_data");
        let said = failed[0]["error"]["message"].as_str().unwrap();
        assert!(said.contains(bad), "{said}");
        assert_eq!(results_of(&done, "created").len(), 1);
        home.run(["import", "-y", file])
            .code(10)
            .stderr_has(&format!("{bad} cannot be stored in nosana"))
            .stderr_has("1 of 2 failed");
        home.run(["delete", "-y", "GOOD"]).ok();
    }
    // Where nothing can be stored, its own kind.
    home.write("alone.json", r#"{"__proto__": "x"}"#);
    let alone = home.run(["--json", "import", "-y", "alone.json"]);
    assert_eq!(alone.code(13).json()["results"][0]["action"], "failed");
    assert_eq!(alone.error()["kind"], "invalid_data");
    // What would go stays, as not everything is stored.
    home.keyfob(["set", "OTHER"]).stdin("kept").run().ok();
    for args in [&["--dry-run"][..], &["-y"]] {
        let run = home.keyfob(["--json", "import", "--prune", "bytes.json"]);
        let told = run.args(args).run().code(10).json();
        let failed = results_of(&told, "failed");
        let kept = failed.iter().find(|item| item["name"] == "OTHER").unwrap();
        assert_eq!(kept["error"]["kind"], "failed");
    }
    home.run(["get", "OTHER"]).ok().stdout_is("kept");
}

fn results_of(document: &Value, action: &str) -> Vec<Value> {
    let results = document["results"].as_array().unwrap().iter();
    results
        .filter(|item| item["action"] == action)
        .cloned()
        .collect()
}

#[test]
fn of_very_many_a_hundred_of_a_kind_are_named() {
    let home = Home::new();
    let many: serde_json::Map<String, Value> = (0..300)
        .map(|number| (format!("N{number:03}"), json!("v")))
        .collect();
    home.write("many.json", Value::from(many).to_string());
    home.keyfob(["set", "OLD"]).stdin("x").run().ok();
    let args = ["import", "--dry-run", "--prune", "many.json"];
    let run = home.run(args);
    run.ok()
        .stderr_has("N099 would be created")
        .stderr_lacks("N100 would be created")
        .stderr_has("and 200 more: would be created in local (-v names all)")
        .stderr_has("OLD would be deleted")
        .stderr_has("300 to create, 1 to delete in local");
    home.keyfob(["-v"])
        .args(args)
        .run()
        .ok()
        .stderr_has("N299 would be created")
        .stderr_lacks("and 200 more");
    let json = home.keyfob(["--json"]).args(args).run().ok().json();
    assert_eq!(json["results"].as_array().unwrap().len(), 301);
}

#[test]
fn what_fails_is_told_name_by_name_and_nothing_is_deleted_then() {
    let (server, home, keypair) = set_up();
    let address = keypair.address();
    server.put(&address, "GONE", "1");
    let file: serde_json::Map<String, Value> = (0..200)
        .map(|number| (format!("N{number:03}"), json!(CANARY)))
        .collect();
    home.write("many.json", serde_json::to_vec(&file).unwrap());
    let refusal = Answer::text(400, format!("cannot store {CANARY}"));
    server
        .faults()
        .nth_on(2, "POST", "/secrets", Fault::Answer(refusal));
    let run = home.run(["--json", "import", "-y", "--prune", "many.json"]);
    run.code(10).lacks(CANARY);
    let document = run.json();
    let results = document["results"].as_array().unwrap();
    let count = |action: &str| {
        results
            .iter()
            .filter(|result| result["action"] == action)
            .count()
    };
    assert_eq!((count("created"), count("failed")), (125, 76));
    assert_eq!(results[200]["name"], "GONE");
    assert!(
        results[200]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("kept"),
        "{}",
        results[200]
    );
    assert_eq!(server.count("DELETE", "/secrets"), 0);
    assert!(server.secrets(&address).contains_key("GONE"));
    // Once more, and it goes on where it stopped.
    let run = home.run(["--json", "import", "-y", "--prune", "many.json"]);
    assert_eq!(run.ok().json()["results"][200]["action"], "deleted");
    assert_eq!(server.secrets(&address).len(), 200);

    server
        .faults()
        .on("POST", "/secrets", Fault::Answer(Answer::text(400, "no")));
    home.write("one.env", "X=1\n");
    let run = home.run(["--json", "import", "one.env"]);
    assert_ne!(run.code, Some(10), "all of it failed");
    assert_eq!(run.json()["results"][0]["action"], "failed");
}

#[test]
fn a_deletion_that_fails_is_partial() {
    let (server, home, keypair) = set_up();
    server.put(&keypair.address(), "GONE", "1");
    server
        .faults()
        .on("DELETE", "/secrets", Fault::Answer(Answer::text(400, "no")));
    home.write("a.env", "A=1\n");
    let run = home.run(["--json", "import", "-y", "--prune", "a.env"]);
    assert_eq!(
        actions(&run.code(10).json()),
        [("A", "created"), ("GONE", "failed")]
    );
}

#[test]
fn a_store_that_cannot_be_written_is_not_changed() {
    let (server, mut home, _) = set_up();
    home.write("a.env", "A=1\n");
    server.stop();
    home.run(["--timeout", "2s", "import", "a.env"])
        .code(8)
        .stdout_is("");
    home.set("KEYFOB_STORE", "nowhere");
    home.run(["import", "a.env"]).code(3);
}

#[test]
fn a_thousand_names_go_into_nosana_in_a_dozen_requests_while_the_deadline_moves_on() {
    let (server, home, keypair) = set_up();
    // A request takes far less than the deadline, and all of them longer.
    server.set_cost_per_name(Duration::from_millis(6));
    let file: serde_json::Map<String, Value> = (0..1000)
        .map(|number| {
            (
                format!("NAME_{number}"),
                json!(format!("{CANARY}-{number}").repeat(20)),
            )
        })
        .collect();
    home.write("many.json", serde_json::to_vec(&file).unwrap());
    let run = home.run(["--json", "--timeout", "5s", "import", "many.json"]);
    run.ok().lacks(CANARY);
    assert!(
        run.elapsed > Duration::from_secs(5),
        "longer than the deadline"
    );
    assert_eq!(run.json()["results"].as_array().unwrap().len(), 1000);
    assert_eq!(server.secrets(&keypair.address()).len(), 1000);
    let requests = server.requests();
    assert!(requests.len() <= 12, "{:?}", server.asked());
    assert!(
        requests
            .iter()
            .all(|request| request.body.len() < 1_048_576)
    );
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_that_hangs_in_the_middle_ends_with_the_deadline() {
    let (server, home, _) = set_up();
    let file: serde_json::Map<String, Value> = (0..300)
        .map(|number| (format!("N{number}"), json!("v")))
        .collect();
    home.write("many.json", serde_json::to_vec(&file).unwrap());
    server.faults().add(
        |request| request.is("POST", "/secrets"),
        1,
        usize::MAX,
        Fault::Hang,
    );
    let run = home
        .keyfob(["--json", "--timeout", "2s", "import", "many.json"])
        .run();
    let document = run.code(10).json();
    let results = document["results"].as_array().unwrap();
    assert_eq!(results[0]["action"], "created");
    assert_eq!(results[299]["error"]["kind"], "unavailable");
}

#[test]
fn a_store_that_gives_no_value_back_is_planned_by_its_list() {
    let (server, home) = crate::neo::set_up();
    server.put("OLD", "1");
    server.put("GONE", "1");
    home.write("a.env", format!("OLD={CANARY}\nNEW={CANARY}\n"));
    let planned = [("OLD", "updated"), ("NEW", "created"), ("GONE", "deleted")];
    let dry = home.run(["--json", "import", "--prune", "--dry-run", "a.env"]);
    assert_eq!(actions(&dry.ok().json()), planned);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.method == "GET")
    );
    let run = home.run(["--json", "import", "-y", "--prune", "a.env"]);
    run.lacks(CANARY);
    assert_eq!(actions(&run.ok().json()), planned);
    assert_eq!(server.value("OLD").as_deref(), Some(CANARY));
    assert_eq!(server.value("NEW").as_deref(), Some(CANARY));
    assert_eq!(server.value("GONE"), None);
}

#[cfg(target_os = "linux")]
#[test]
fn values_stand_in_no_argument_no_variable_and_no_file() {
    let (server, home, _) = set_up();
    server.faults().on("POST", "/secrets", Fault::Hang);
    let running = home
        .keyfob(["-vvv", "import", "-"])
        .stdin(format!("A={CANARY}\n"))
        .spawn();
    until("the request", || server.count("POST", "/secrets") > 0);
    for what in ["cmdline", "environ"] {
        let text = std::fs::read(format!("/proc/{}/{what}", running.pid())).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(CANARY));
    }
    let files = home.files_holding(CANARY.as_bytes());
    assert!(files.is_empty(), "{files:?}");
    running.kill().lacks(CANARY);
}

#[cfg(unix)]
mod on_a_terminal {
    use super::*;
    use crate::prompts::on_a_terminal;

    #[test]
    fn it_shows_the_plan_and_asks() {
        let home = home_with(&values([("GONE", "1")]));
        home.write("a.env", format!("A={CANARY}\n"));
        for (answer, imported) in [("\n", false), ("n\n", false), ("y\n", true)] {
            let mut terminal = on_a_terminal(&home, &["import", "--prune", "a.env"]);
            terminal.exp_string("A to be created in local").unwrap();
            terminal.exp_string("GONE to be deleted in local").unwrap();
            terminal.exp_string("Import into local?").unwrap();
            terminal.send(answer).unwrap();
            terminal.flush().unwrap();
            let rest = terminal.exp_eof().unwrap();
            assert!(!rest.contains(CANARY), "{rest}");
            home.run(["get", "A"]).code(if imported { 0 } else { 3 });
            home.run(["get", "GONE"]).code(if imported { 3 } else { 0 });
        }
    }

    #[test]
    fn long_work_has_a_bar_there_and_nowhere_else() {
        let (server, home) = crate::neo::set_up();
        server
            .faults()
            .always(Fault::Delay(Duration::from_millis(20)));
        let import = |number: u32| {
            let file: serde_json::Map<String, Value> = (0..300)
                .map(|name| (format!("N{name}_{number}"), json!(CANARY)))
                .collect();
            home.write("many.json", serde_json::to_vec(&file).unwrap());
        };
        import(1);
        let mut terminal = on_a_terminal(&home, &["import", "-y", "many.json"]);
        terminal
            .exp_regex(r"storing secrets .* \d+/300, \d+\w left")
            .unwrap();
        let rest = terminal.exp_eof().unwrap();
        // It takes itself away, and what is said of the outcome stays.
        let (_, after) = rest.rsplit_once("/300").unwrap();
        assert!(after.contains("\u{1b}[2K"), "{after:?}");
        assert!(after.contains("neo: 300 created"), "{after:?}");
        assert!(!rest.contains(CANARY));

        // What is told meanwhile stands on lines of its own.
        import(2);
        let mut terminal = on_a_terminal(&home, &["-v", "import", "-y", "many.json"]);
        let said = terminal.exp_eof().unwrap();
        let mut posts = 0;
        for line in said.split("\r\n") {
            let told = line.contains("POST http");
            posts += u32::from(told);
            let shown = line.rsplit(['\r', 'K']).next().unwrap();
            assert!(!told || !shown.contains("/300"), "{line:?}");
        }
        assert_eq!(posts, 300);
        import(3);
        for args in [&["-q", "import", "-y", "many.json"][..], &["list"]] {
            let said = on_a_terminal(&home, args).exp_eof().unwrap();
            assert!(!said.contains("/300"), "{said}");
        }
        import(4);
        home.run(["import", "many.json"])
            .ok()
            .stdout_is("")
            .stderr_has("neo: 300 created")
            .stderr_lacks("storing secrets")
            .stderr_lacks("/300");
    }

    #[test]
    fn it_asks_neither_with_yes_nor_where_nothing_is_to_be_done() {
        let home = Home::new();
        home.write("a.env", "A=1\n");
        for args in [
            &["import", "-y", "a.env"][..],
            &["import", "a.env"],
            &["import", "--dry-run", "b.env"],
            &["--no-input", "import", "b.env"],
        ] {
            home.write("b.env", "B=1\n");
            let said = on_a_terminal(&home, args).exp_eof().unwrap();
            assert!(!said.contains("Import into"), "{said}");
        }
        home.run(["get", "A"]).ok();
        home.run(["get", "B"]).ok();
    }
}

/// The names and values of the store `local`.
fn stored(home: &Home) -> Value {
    home.run(["export", "--all", "--format", "json", "-q"])
        .ok()
        .json()
}

#[test]
fn manifests_of_kubernetes_secrets_are_read() {
    let yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {A: aHVudGVyMg==}\nstringData: {tls.crt: c}\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  data: {B: Yg==}\n";
    let json = r#"{"apiVersion": "v1", "kind": "SecretList", "items": [{"apiVersion": "v1", "kind": "Secret", "data": {"A": "aHVudGVyMg==", "B": "Yg=="}, "stringData": {"tls.crt": "c"}}]}"#;
    for (args, text) in [
        (&["secret.yaml"][..], yaml),
        (&["secret.json"], json),
        (&["-"], yaml),
        (&["-"], json),
        (&["-", "--format", "k8s"], yaml),
    ] {
        let home = Home::new();
        home.write(args[0], text);
        let import = home.keyfob([&["import", "-q"], args].concat());
        import.stdin(text).run().ok();
        assert_eq!(
            stored(&home),
            json!({"A": "hunter2", "B": "b", "tls.crt": "c"}),
            "{args:?}"
        );
    }
    let home = Home::new();
    for kind in ["ConfigMap", "Deployment"] {
        home.write(
            "x.yaml",
            format!("apiVersion: v1\nkind: {kind}\ndata: {{A: hunter2}}\n"),
        );
        let run = home.run(["import", "x.yaml"]);
        run.code(13)
            .stderr_has(&format!("a {kind} (v1)"))
            .stderr_lacks("hunter2");
    }
    // What keyfob writes it reads.
    home.keyfob(["import", "-q", "-"]).stdin(json).run().ok();
    home.run(["export", "--format", "k8s", "-o", "out.yaml"])
        .ok();
    let other = Home::new();
    other.write("out.yaml", home.read("out.yaml"));
    other.run(["import", "-q", "out.yaml"]).ok();
    assert_eq!(stored(&other), stored(&home));
}

#[test]
fn a_dotenv_file_may_be_taken_as_it_stands() {
    let home = Home::new();
    for (text, option) in [
        ("A=postgres://$HOST/x\n", "--literal"),
        ("A=postgres://${HOST}/x\n", "--literal"),
        ("A=\"x$HOST\"\n", "--literal"),
        ("A=1\nB=2\nA=3\n", "--last-wins"),
    ] {
        home.write(".env", text);
        home.run(["import", ".env"]).code(13).stderr_has(option);
        home.run(["run", "--env-file", ".env", "--", "true"])
            .code(125)
            .stderr_lacks("import");
        home.run(["import", "-q", option, ".env"]).ok();
    }
    assert_eq!(stored(&home), json!({"A": "3", "B": "2"}));
    home.write(".env", "A='$HOST ${HOST}'\nB=$5\n");
    home.run(["import", "-q", ".env"]).ok();
    assert_eq!(stored(&home), json!({"A": "$HOST ${HOST}", "B": "$5"}));
    home.write(
        ".env",
        "A=ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nsops_version=3.8\n",
    );
    home.run(["import", ".env"])
        .code(13)
        .stderr_has("sops -d FILE | keyfob import -");
}
