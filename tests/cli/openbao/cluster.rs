//! Three real nodes with TLS, of which one leads: what is lost while two write, while the leader is
//! killed, and while a quota lets few in. The short forms run always; `KEYFOB_OPENBAO_LONG=1` takes
//! the measurements, which `--nocapture` prints.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::bao::{Bao, bao, is_long};
use crate::support::home::Home;
use crate::support::servers::{Northflank, Nosana};
use crate::support::solana::Keypair;

/// The nodes that do not lead.
fn standbys(bao: &Bao) -> [usize; 2] {
    let leader = bao.leader().expect("a leader");
    [(leader + 1) % 3, (leader + 2) % 3]
}

#[test]
fn what_was_written_is_read_through_a_standby() {
    let Some(program) = bao("what_was_written_is_read_through_a_standby") else {
        return;
    };
    let mut bao = Bao::cluster(program);
    let [standby, other] = standbys(&bao);
    // Read back through the standby, which is behind: each write is seen at once.
    let home = bao.home(standby);
    for round in 0..if is_long() { 200 } else { 5 } {
        let value = format!("value {round}");
        home.keyfob(["set", "app/K"])
            .stdin(value.as_str())
            .run()
            .ok();
    }
    // Two write keys of one path through both standbys, and none is lost.
    let rounds = if is_long() { 100 } else { 5 };
    thread::scope(|scope| {
        for (at, who) in [(standby, "a"), (other, "b")] {
            let home = bao.home(at);
            scope.spawn(move || {
                for round in 0..rounds {
                    let name = format!("both/{who}{round}");
                    home.keyfob(["set", &name]).stdin("x").run().ok();
                }
            });
        }
    });
    let path = bao.say(&["kv", "get", "-format=json", "secret/both"]);
    let path: Value = serde_json::from_str(&path).expect("JSON");
    assert_eq!(
        path["data"]["data"].as_object().expect("a map").len(),
        2 * rounds
    );
    assert_eq!(path["data"]["metadata"]["version"], 2 * rounds);
    // The leader is gone: a write waits for the next one, a read does not.
    let leader = bao.leader().expect("a leader");
    bao.kill(leader);
    let home = bao.home(standby);
    home.keyfob(["set", "app/K"]).stdin("after").run().ok();
    home.run(["get", "app/K"]).ok();
}

/// What adds one to the number in the file that it is given, as an editor.
const INCREMENT: &str = "#!/bin/sh\nprintf %s $(($(cat \"$1\") + 1)) >\"$1\"\n";

#[test]
fn increments_of_one_counter_are_never_lost() {
    let Some(program) = bao("increments_of_one_counter_are_never_lost") else {
        return;
    };
    let bao = Bao::cluster(program);
    let rounds = if is_long() { 100 } else { 8 };
    let [one, other] = standbys(&bao);
    bao.home(one)
        .keyfob(["set", "counter/N"])
        .stdin("0")
        .run()
        .ok();
    let conflicts = AtomicUsize::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for at in [one, other] {
            let home = bao.home(at);
            let conflicts = &conflicts;
            scope.spawn(move || {
                home.write("increment", INCREMENT);
                let edit = ["edit", "counter/N"];
                for _ in 0..rounds {
                    loop {
                        let run = home.keyfob(edit).env("EDITOR", "sh increment").run();
                        if run.code == Some(0) {
                            break;
                        }
                        run.code(6);
                        conflicts.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let counted = bao.say(&["kv", "get", "-field=N", "secret/counter"]);
    println!(
        "two writers through standbys: {counted} of {} increments, {} conflicts tried again, {:.0?}",
        2 * rounds,
        conflicts.load(Ordering::Relaxed),
        started.elapsed()
    );
    assert_eq!(counted, (2 * rounds).to_string());
}

#[test]
fn a_rotation_loses_nothing_with_the_leader() {
    let Some(program) = bao("a_rotation_loses_nothing_with_the_leader") else {
        return;
    };
    let mut bao = Bao::cluster(program);
    let nosana = Nosana::start();
    let northflank = Northflank::start();
    northflank
        .groups()
        .put_variables("Api Env", serde_json::json!({}));
    let leader = bao.leader().expect("a leader");
    // One home for all of them: what is left open by one is seen by the next.
    let mut home = bao.home((leader + 1) % 3);
    home.knows_nosana(&nosana, &Keypair::new(1))
        .knows_northflank(&northflank)
        .set("KEYFOB_NORTHFLANK_GROUP", "api-env");
    let places = [
        "keyfob://openbao/app/K",
        "keyfob://local/K",
        "keyfob://nosana/K",
        "keyfob://northflank/K",
    ];
    for place in places {
        home.keyfob(["set", place]).stdin("the first").run().ok();
    }
    let to: Vec<String> = places[1..].iter().map(|it| format!("--to={it}")).collect();
    let rotation = |home: &Home, value: &str| {
        let file = ["--file", "-"];
        let run = home.keyfob(["-v", "rotate", "app/K"]).args(&to).args(file);
        run.stdin(value).spawn()
    };
    let started = Instant::now();
    rotation(&home, "how long it takes").wait().ok();
    let takes = started.elapsed();
    let moments = if is_long() { 20 } else { 2 };
    for moment in 0..moments {
        let before = home.run(["get", "app/K"]).ok().text();
        let value = format!("value of moment {moment}");
        let leader = bao.leader().expect("a leader");
        // It is asked through a node that stays.
        home.set("BAO_ADDR", bao.url((leader + 1) % 3));
        let at = takes * (2 * moment + 1) / (2 * moments);
        let started = Instant::now();
        let running = rotation(&home, &value);
        thread::sleep(at.saturating_sub(started.elapsed()));
        bao.kill(leader);
        let run = running.wait();
        let listed = home.run(["--json", "rotate", "--list"]).ok().json();
        let open = listed.as_array().expect("a list").len();
        println!(
            "killed after {:>4} ms: exit {} after {:>5} ms, {open} open{}",
            at.as_millis(),
            run.code.unwrap_or(-1),
            started.elapsed().as_millis(),
            match run.code {
                Some(0) => String::new(),
                _ => format!(":\n{}", run.stderr.trim()),
            }
        );
        bao.start(leader);
        bao.open(leader);
        bao.until("one leads", || bao.leader().is_some());
        if open > 0 {
            home.run(["rotate", "--resume"]).ok();
        }
        let held: Vec<String> = places
            .iter()
            .map(|place| home.run(["get", place]).ok().text())
            .collect();
        let expected = match (run.code, open) {
            (Some(0), 0) => &value,
            (Some(_), 0) => &before,
            _ => &held[0],
        };
        assert!(*expected == before || *expected == value, "{held:?}");
        assert!(
            held.iter().all(|it| it == expected),
            "{held:?}: {}",
            run.stderr
        );
        let left = home.run(["--json", "rotate", "--list"]).ok().json();
        assert_eq!(left, serde_json::json!([]));
    }
}

/// A job of a CI: it signs in, and reads a secret.
struct Job {
    code: Option<i32>,
    took: Duration,
    said: String,
}

#[test]
fn jobs_wait_for_their_turn_within_a_quota() {
    let Some(program) = bao("jobs_wait_for_their_turn_within_a_quota") else {
        return;
    };
    let bao = Bao::cluster(program);
    let (jobs, together, rate) = if is_long() {
        (1000, 50, 40)
    } else {
        (24, 12, 20)
    };
    bao.say(&["kv", "put", "secret/ci/app", "TOKEN=the secret"]);
    let file = bao.folder.path().join("ci.hcl");
    fs::write(
        &file,
        "path \"secret/data/ci/*\" { capabilities = [\"read\"] }",
    )
    .expect("a file");
    bao.say(&["policy", "write", "ci", file.to_str().expect("a path")]);
    bao.say(&["auth", "enable", "approle"]);
    bao.say(&["write", "auth/approle/role/ci", "token_policies=ci"]);
    let role = bao.say(&["read", "-field=role_id", "auth/approle/role/ci/role-id"]);
    let secret = [
        "write",
        "-f",
        "-field=secret_id",
        "auth/approle/role/ci/secret-id",
    ];
    let secret = bao.say(&secret);
    let quota = format!("rate={rate}");
    bao.say(&["write", "sys/quotas/rate-limit/all", &quota]);
    let [standby, _] = standbys(&bao);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Job>> = Mutex::default();
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..together {
            scope.spawn(|| {
                let mut home = bao.home(standby);
                home.unset("BAO_TOKEN");
                let home: Home = home
                    .with("KEYFOB_OPENBAO_AUTH", "approle")
                    .with("KEYFOB_OPENBAO_ROLE_ID", role.trim())
                    .with("KEYFOB_OPENBAO_SECRET_ID", secret.trim());
                while next.fetch_add(1, Ordering::Relaxed) < jobs {
                    let started = Instant::now();
                    let get = home.keyfob(["get", "ci/app/TOKEN"]);
                    let run = get.timeout(Duration::from_secs(300)).run();
                    let right = run.code == Some(0) && run.text() == "the secret";
                    done.lock().expect("no panic").push(Job {
                        code: run.code.filter(|code| *code != 0 || right),
                        took: started.elapsed(),
                        said: run.stderr.clone(),
                    });
                }
            });
        }
    });
    let done = done.into_inner().expect("no panic");
    let good = done.iter().filter(|job| job.code == Some(0)).count();
    let mut times: Vec<Duration> = done.iter().map(|job| job.took).collect();
    times.sort();
    println!(
        "{jobs} jobs, {together} at a time, {rate} requests a second: {good} good, {:.0?} in all, a job {:.1?} in the middle, {:.1?} at most",
        started.elapsed(),
        times[times.len() / 2],
        times[times.len() - 1]
    );
    // Whoever is not served has waited as long as it may.
    let early: Vec<&Job> = done
        .iter()
        .filter(|job| job.code != Some(0) && job.took < Duration::from_secs(25))
        .collect();
    let early: Vec<String> = early
        .iter()
        .map(|job| format!("{:?} after {:.1?}: {}", job.code, job.took, job.said))
        .collect();
    assert!(early.is_empty(), "{}", early.join("\n"));
    assert_eq!(done.len(), jobs);
    if !is_long() {
        assert_eq!(good, jobs);
    }
}

#[test]
fn a_certificate_signs_in_at_a_standby() {
    let Some(program) = bao("a_certificate_signs_in_at_a_standby") else {
        return;
    };
    let bao = Bao::cluster(program);
    bao.say(&["kv", "put", "secret/ci/x", "K=v"]);
    let tls = bao.tls.as_ref().expect("TLS");
    let file = bao.folder.path().join("ci.hcl");
    fs::write(
        &file,
        "path \"secret/data/ci/*\" { capabilities = [\"read\"] }",
    )
    .expect("a file");
    bao.say(&["policy", "write", "ci", file.to_str().expect("a path")]);
    bao.say(&["auth", "enable", "cert"]);
    let authority = format!("certificate=@{}", tls.ca_file().display());
    let role = [
        "write",
        "auth/cert/certs/ci",
        &authority,
        "token_policies=ci",
    ];
    bao.say(&role);
    let [standby, _] = standbys(&bao);
    let mut home = bao.home(standby);
    home.unset("BAO_TOKEN");
    let home = home.with("KEYFOB_OPENBAO_AUTH", "cert");
    // Half of it is nothing to sign in with.
    home.keyfob(["get", "ci/x/K"])
        .env("BAO_CLIENT_CERT", tls.certificate_file())
        .run()
        .code(11)
        .stderr_has("client_key");
    let home = home
        .with("BAO_CLIENT_CERT", tls.certificate_file())
        .with("VAULT_CLIENT_KEY", tls.key_file());
    for role in [None, Some("ci")] {
        let mut get = home.keyfob(["get", "ci/x/K"]);
        if let Some(role) = role {
            get = get.env("KEYFOB_OPENBAO_ROLE", role);
        }
        get.run().ok().stdout_is("v");
    }
    home.run(["get", "other/K"]).code(5);
    home.keyfob(["get", "ci/x/K"])
        .env("KEYFOB_OPENBAO_ROLE", "nobody")
        .run()
        .code(4);
}
