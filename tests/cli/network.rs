//! The way to a server: deadlines, proxies and redirects, the same for every provider.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use crate::support::home::Home;
use crate::support::servers::neo::API_KEY;
use crate::support::servers::{
    Answer, Certificate, Fault, Listen, Neo, Nosana, Proxy, Request, Server,
};
use crate::support::solana::Keypair;

/// A server, and a home that knows it and has a keypair.
fn set_up(listen: Listen) -> (Nosana, Home) {
    let server = Nosana::listen(listen);
    let mut home = Home::new();
    let keypair = Keypair::new(1);
    home.set("KEYFOB_STORE", "nosana");
    home.knows_nosana(&server, &keypair);
    if matches!(listen, Listen::Tls(_)) {
        home.set("KEYFOB_NOSANA_CA_FILE", server.ca_file());
    }
    server.put(&keypair.address(), "A", "1");
    (server, home)
}

#[test]
fn durations_are_written_in_every_documented_form() {
    let home = Home::new();
    for good in ["500ms", "30s", "5m", "1h30m", "30d", "0", "1h"] {
        home.run(["--timeout", good, "list"]).ok();
        home.run([&format!("--timeout={good}"), "list"]).ok();
        home.keyfob(["list"]).env("KEYFOB_TIMEOUT", good).run().ok();
    }
    for bad in [
        "abc",
        "-1s",
        "1",
        "1x",
        "30 seconds",
        "1.5h",
        "99999999999999999999d",
        "∞",
    ] {
        home.run([&format!("--timeout={bad}"), "list"])
            .code(2)
            .stderr_has("--timeout");
        for args in [&["list"][..], &["status"], &["get", "A"], &["login"]] {
            home.keyfob(args.iter().copied())
                .env("KEYFOB_TIMEOUT", bad)
                .run()
                .code(2)
                .stderr_has("KEYFOB_TIMEOUT");
        }
        home.keyfob(["run", "--", "true"])
            .env("KEYFOB_TIMEOUT", bad)
            .run()
            .code(125);
        // The option is the nearer word.
        home.keyfob(["--timeout", "5s", "list"])
            .env("KEYFOB_TIMEOUT", bad)
            .run()
            .ok();
    }
    home.keyfob(["list"]).env("KEYFOB_TIMEOUT", "").run().ok();
}

#[test]
fn the_deadline_ends_the_command_wherever_it_is_said() {
    for path in ["/login", "/secrets"] {
        let (server, home) = set_up(Listen::Http);
        let method = if path == "/login" { "POST" } else { "GET" };
        server.faults().on(method, path, Fault::Hang);
        for (args, variable) in [
            (&["--timeout", "500ms", "get", "A"][..], "1h"),
            (&["get", "A"], "500ms"),
        ] {
            home.keyfob(args.iter().copied())
                .env("KEYFOB_TIMEOUT", variable)
                .run()
                .code(8)
                .stderr_has("127.0.0.1");
        }
    }
    // A server that drips is ended by the same clock.
    let (server, home) = set_up(Listen::Http);
    server
        .faults()
        .on("GET", "/secrets", Fault::Drip(Duration::from_millis(20)));
    home.run(["--timeout", "700ms", "get", "A"]).code(8);
}

#[test]
fn without_a_deadline_a_slow_server_is_waited_for() {
    let (server, home) = set_up(Listen::Http);
    server
        .faults()
        .on("GET", "/secrets", Fault::Delay(Duration::from_millis(600)));
    home.run(["--timeout", "300ms", "get", "A"]).code(8);
    home.run(["--timeout", "0", "get", "A"]).ok().stdout_is("1");
}

#[test]
fn https_goes_through_the_proxy_and_tells_it_nothing() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let (server, home) = set_up(Listen::Tls(Certificate::Good));
        let proxy = Proxy::start();
        home.keyfob(["get", "A"])
            .env(variable, proxy.url())
            .run()
            .ok()
            .stdout_is("1");
        let heads = proxy.heads();
        assert!(!heads.is_empty(), "{variable}");
        for head in heads {
            let head = head.to_lowercase();
            assert!(
                head.starts_with(&format!("connect {} ", server.address())),
                "{head}"
            );
            assert!(!head.contains("\r\nauthorization:"), "{head}");
        }
        let direct = Proxy::start();
        home.keyfob(["get", "A"])
            .env(variable, direct.url())
            .env("NO_PROXY", "127.0.0.1")
            .run()
            .ok();
        assert!(direct.heads().is_empty());
    }
}

#[test]
fn an_international_host_is_asked_for_in_ascii() {
    let (_server, mut home) = set_up(Listen::Http);
    home.set("KEYFOB_NOSANA_BASE_URL", "https://bücher.example");
    let proxy = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = proxy.local_addr().unwrap();
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        let mut asked = String::new();
        BufReader::new(&stream).read_line(&mut asked).unwrap();
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        asked
    });
    home.keyfob(["get", "A"])
        .env("HTTPS_PROXY", format!("http://{address}"))
        .run()
        .code(8)
        .stderr_has("xn--bcher-kva.example");
    let asked = asked.join().unwrap();
    assert!(
        asked.starts_with("CONNECT xn--bcher-kva.example:443 "),
        "{asked}"
    );
}

#[test]
fn a_proxy_s_password_reaches_the_proxy_and_no_message() {
    let (_server, home) = set_up(Listen::Tls(Certificate::Good));
    let proxy = Proxy::start();
    let url = proxy.url().replace("http://", "http://me:hunter2@");
    home.keyfob(["-vvv", "get", "A"])
        .env("HTTPS_PROXY", &url)
        .run()
        .ok()
        .lacks("hunter2");
    let heads = proxy.heads().join("").to_lowercase();
    assert!(heads.contains("proxy-authorization: basic "), "{heads}");
    let gone = url.replace(&proxy.url()["http://".len()..], "127.0.0.1:1");
    home.keyfob(["-vvv", "--timeout", "2s", "get", "A"])
        .env("HTTPS_PROXY", gone)
        .run()
        .code(8)
        .lacks("hunter2");
}

#[test]
fn plain_http_never_leaves_the_machine_by_a_proxy() {
    let (server, home) = set_up(Listen::Http);
    let proxy = Proxy::start();
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        home.keyfob(["get", "A"])
            .env(variable, proxy.url())
            .run()
            .ok();
    }
    assert!(proxy.heads().is_empty());
    assert!(server.connections() >= 4);
}

#[test]
fn redirects_never_carry_a_request_elsewhere() {
    for status in [301, 302, 303, 307, 308] {
        for (method, path) in [
            ("POST", "/login"),
            ("GET", "/secrets"),
            ("POST", "/secrets"),
            ("DELETE", "/secrets"),
        ] {
            let (server, home) = set_up(Listen::Http);
            let elsewhere = Server::start(Listen::Http, |_: &Request| Answer::text(200, "{}"));
            let target = format!("{}{path}", elsewhere.url());
            server
                .faults()
                .on(method, path, Fault::redirect(status, target));
            let args: &[&str] = match method {
                "DELETE" => &["delete", "-y", "A"],
                _ => &["set", "B", "--generate"],
            };
            home.run(args.iter().copied())
                .code(13)
                .stderr_has("redirects to")
                .stderr_has(&elsewhere.address().to_string());
            assert_eq!(elsewhere.connections(), 0, "{status} {method} {path}");
        }
    }
    // The same host by another port or scheme is elsewhere, too; the same origin is not.
    let (server, home) = set_up(Listen::Http);
    server
        .faults()
        .once_on("GET", "/secrets", Fault::redirect(307, "/secrets?moved"));
    home.run(["get", "A"]).ok().stdout_is("1");
    server
        .faults()
        .on("GET", "/secrets", Fault::redirect(307, "/secrets"));
    home.run(["get", "A"]).code(13).stderr_has("redirects");
}

#[test]
fn a_server_that_says_now_is_asked_no_more_often_than_one_that_says_nothing() {
    let (server, home) = set_up(Listen::Http);
    server
        .faults()
        .on("GET", "/secrets", Fault::rate_limited(0));
    home.run(["--timeout", "3s", "get", "A"]).code(9);
    // The pauses grow from 200 ms on.
    assert!((2..=6).contains(&server.count("GET", "/secrets")));
}

#[test]
fn an_absurd_wait_is_an_error_without_a_deadline_too() {
    for seconds in [u64::MAX, 1 << 40, 1_000_000] {
        let (server, home) = set_up(Listen::Http);
        server
            .faults()
            .on("GET", "/secrets", Fault::rate_limited(seconds));
        home.run(["--timeout", "0", "get", "A"]).code(9);
    }
}

#[test]
fn verbose_tells_what_is_asked_of_whom_and_how_long_it_took() {
    let (server, home) = set_up(Listen::Http);
    home.write("more.env", "A=canary-1\nB=canary-2\n");
    for args in [
        &["get", "A"][..],
        &["import", "more.env"],
        &["run", "--", "true"],
        &["export"],
        &["delete", "B"],
    ] {
        server.forget_requests();
        let run = home.run([&["-v"], args].concat());
        run.ok();
        let told: Vec<&str> = run
            .stderr
            .lines()
            .filter(|line| line.starts_with("keyfob: ") && line.contains("http"))
            .collect();
        let asked = server.asked();
        assert_eq!(told.len(), asked.len(), "{args:?}: {}", run.stderr);
        for (line, asked) in told.iter().zip(asked) {
            let (method, path) = asked.split_once(' ').unwrap();
            let pattern = format!(
                r"^keyfob: {method} {}{path} to [a-z ]+: 20\d [A-Za-z ]+ in \d+ ms, \d+ bytes$",
                regex::escape(&server.url())
            );
            let pattern = regex::Regex::new(&pattern).unwrap();
            assert!(pattern.is_match(line), "{line}");
        }
        run.stderr_has("keyfob: keypair of nosana from environment KEYFOB_NOSANA_KEYPAIR in ");
        run.stderr_lacks("canary").stderr_lacks("eyJ");
        home.run(args.iter().copied()).stderr_lacks("http");
    }
    // What is no request is told as well: another store's vault, and a command for a credential.
    let neo = Neo::start();
    let run = home
        .keyfob(["-v", "set", "-s", "fn", "A", "--generate"])
        .env("KEYFOB_FN_PROVIDER", "neo")
        .env("KEYFOB_FN_BASE_URL", neo.url())
        .env("KEYFOB_FN_API_KEY_COMMAND", format!("echo {API_KEY}"))
        .run();
    run.ok()
        .stderr_has("keyfob: credential of fn from api_key_command in ")
        .lacks(API_KEY);
    home.run(["-v", "set", "-s", "local", "A", "--generate"])
        .ok()
        .stderr_has("keyfob: write ")
        .stderr_has("vault.age: done in ");
    home.run(["-v", "get", "-s", "local", "A"])
        .ok()
        .stderr_has("keyfob: read ");
}
