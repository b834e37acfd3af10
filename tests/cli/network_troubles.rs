//! What can be wrong on the way to a server, and what is said of it: outages, waits, proxies,
//! certificates, and answers in odd clothes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::home::Home;
use crate::support::servers::{Answer, Certificate, Fault, Listen, Nosana, Port, Proxy};
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
fn an_outage_is_waited_out_while_the_deadline_allows() {
    for status in [500, 503, 520, 527] {
        let (server, home) = set_up(Listen::Http);
        let list = |request: &_| is_list(request);
        let fault = match status {
            500 => Fault::close_unapplied(),
            status => Fault::status(status),
        };
        server.faults().add(list, 0, 6, fault);
        home.run(["get", "A"]).ok().stdout_is("1");
        assert_eq!(server.count("GET", "/secrets"), 7, "{status}");
    }
    let (server, home) = set_up(Listen::Http);
    server.faults().on("GET", "/secrets", Fault::status(503));
    home.run(["--timeout", "2s", "get", "A"]).code(8);
    assert!((3..=6).contains(&server.count("GET", "/secrets")));
}

fn is_list(request: &crate::support::servers::Request) -> bool {
    request.is("GET", "/secrets")
}

#[test]
fn a_wait_beyond_the_deadline_is_told_at_once() {
    for (status, wait, code, hint) in [
        (429, "3600", 9, "try again in 3600 s"),
        (503, "3600", 8, "try again in 3600 s"),
        (503, "3600.0", 8, "try again in 3600 s"),
        (429, "Fri, 31 Dec 9999 23:59:59 GMT", 9, "another day"),
        (429, "Fri Dec 31 23:59:59 9999", 9, "another day"),
        (503, "9223372036854775808", 8, "another day"),
    ] {
        let (server, home) = set_up(Listen::Http);
        let answer = Answer::text(status, "later").header("retry-after", wait);
        server.faults().on("GET", "/secrets", Fault::Answer(answer));
        // Without a deadline an hour is waited for, and no longer than a day.
        let timeouts = match wait.starts_with("3600") {
            true => &["30s"][..],
            false => &["30s", "0"],
        };
        for timeout in timeouts {
            server.forget_requests();
            let run = home.run(["--timeout", timeout, "get", "A"]);
            run.code(code).stderr_has(hint);
            assert_eq!(server.count("GET", "/secrets"), 1, "{wait}");
        }
    }
}

#[test]
fn what_is_in_the_way_of_any_store_can_be_looked_into() {
    let closed = Port::take();
    let refusing = format!("http://{}", closed.address());
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("https://{}", mute.local_addr().unwrap());
    thread::spawn(move || mute.incoming().flatten().for_each(drop));
    for (provider, vars) in [
        ("nosana", &[("KEYPAIR", &*Keypair::new(1).json())][..]),
        ("bytenite", &[("API_KEY", "k")]),
        ("northflank", &[("API_TOKEN", "k"), ("PROJECT", "p")]),
        ("neo", &[("API_KEY", "k")]),
    ] {
        let mut home = Home::new();
        home.set("KEYFOB_WEB_PROVIDER", provider);
        for (name, value) in vars {
            home.set(format!("KEYFOB_WEB_{name}"), value);
        }
        for url in [&refusing, &silent, "https://nowhere.invalid"] {
            home.set("KEYFOB_WEB_BASE_URL", url);
            let run = home.run(["--timeout", "1s", "list", "-s", "web"]);
            run.code(8).stderr_has("hint: ");
            let json = home.run(["--json", "--timeout", "1s", "list", "-s", "web"]);
            let hint = json.error()["hint"].as_str().unwrap().to_owned();
            let is_looked_into = hint.ends_with("keyfob doctor -s web");
            assert!(is_looked_into || hint.contains("--timeout"), "{hint}");
            assert!(is_looked_into || url != refusing, "{hint}");
            // Where that leads nobody is sent on.
            let doctor = home.run(["--timeout", "1s", "doctor", "-s", "web"]);
            doctor.code(1).lacks("keyfob doctor -s");
        }
    }
}

#[test]
fn the_proxy_is_named_where_the_trouble_is_its() {
    let (server, home) = set_up(Listen::Tls(Certificate::Good));
    let closed = Port::take();
    let gone = closed.address();
    let through = |proxy: String| {
        home.keyfob(["--timeout", "1s", "get", "A"])
            .env("https_proxy", proxy)
            .run()
    };
    through(format!("http://me:hunter2@{gone}"))
        .code(8)
        .stderr_has(&format!(
            "the proxy {gone} (https_proxy): connection refused"
        ))
        .lacks("hunter2");
    let asked = Arc::new(AtomicUsize::new(0));
    let wary = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = wary.local_addr().unwrap();
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for mut connection in wary.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            );
        }
    });
    through(format!("http://me:hunter2@{address}"))
        .code(8)
        .stderr_has(&format!(
            "the proxy {address} (https_proxy): it wants a user and a password"
        ))
        .lacks("hunter2");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_needs_no_proxy_is_reached_directly() {
    let (server, home) = set_up(Listen::Tls(Certificate::Good));
    let port = server.address().port();
    for direct in [
        "*".to_owned(),
        "x,*".to_owned(),
        format!("127.0.0.1:{port}"),
        "a.example 127.0.0.0/8".to_owned(),
    ] {
        let proxy = Proxy::start();
        home.keyfob(["get", "A"])
            .env("HTTPS_PROXY", proxy.url())
            .env("NO_PROXY", &direct)
            .run()
            .ok();
        assert!(proxy.heads().is_empty(), "{direct}");
    }
    let (small, capital) = (Proxy::start(), Proxy::start());
    home.keyfob(["get", "A"])
        .env("HTTPS_PROXY", capital.url())
        .env("https_proxy", small.url())
        .run()
        .ok();
    assert_eq!((small.heads().len(), capital.heads().len()), (1, 0));
    // The child of a web server, to which a client could say which proxy to use.
    home.keyfob(["-v", "get", "A"])
        .env("https_proxy", small.url())
        .env("REQUEST_METHOD", "GET")
        .run()
        .ok()
        .stderr_has("REQUEST_METHOD is set");
    assert_eq!(small.heads().len(), 1);
}

#[test]
fn a_bad_certificate_in_a_bundle_leaves_the_others_alone() {
    let (server, mut home) = set_up(Listen::Tls(Certificate::Good));
    let good = std::fs::read_to_string(server.ca_file()).unwrap();
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for bundle in [
        format!("{bad}{good}"),
        format!("{good}{bad}"),
        format!("\u{feff}{good}"),
        format!("{good}{}", &good[..good.len() / 2]),
    ] {
        let file = home.write("bundle.pem", &bundle);
        home.set("KEYFOB_NOSANA_CA_FILE", file);
        home.run(["get", "A"]).ok().stdout_is("1");
    }
    for (bundle, why) in [(bad, "certificate 1 is malformed"), ("", "it is empty")] {
        let file = home.write("bundle.pem", bundle);
        home.set("KEYFOB_NOSANA_CA_FILE", &file);
        home.run(["get", "A"])
            .code(11)
            .stderr_has("bundle.pem")
            .stderr_has(why);
        home.unset("KEYFOB_NOSANA_CA_FILE");
        home.keyfob(["get", "A"])
            .env("SSL_CERT_FILE", &file)
            .run()
            .code(8)
            .stderr_has("SSL_CERT_FILE")
            .stderr_has(why);
    }
}

#[test]
fn what_is_wrong_with_tls_is_told_in_plain_words() {
    for (certificate, words) in [
        (Certificate::Expired, "its certificate has expired"),
        (Certificate::WrongHost, "its certificate is that of "),
        (Certificate::UnknownIssuer, "its certificate is not trusted"),
    ] {
        let (server, home) = set_up(Listen::Tls(certificate));
        home.run(["get", "A"])
            .code(8)
            .stderr_has(words)
            .stderr_has("hint: ");
        assert_eq!(server.connections(), 1, "{words}");
    }
    let (server, mut home) = set_up(Listen::Http);
    home.set(
        "KEYFOB_NOSANA_BASE_URL",
        server.url().replace("http://", "https://"),
    );
    home.run(["get", "A"])
        .code(8)
        .stderr_has("it does not speak TLS on this port")
        .stderr_has("plain http");
}

#[test]
fn answers_in_odd_clothes_are_understood_or_described() {
    let (server, home) = set_up(Listen::Http);
    let list = |answer: Answer| {
        server.faults().clear();
        server.faults().on("GET", "/secrets", Fault::Answer(answer));
        home.run(["get", "A"])
    };
    list(Answer::text(200, "\u{feff}{\"A\":\"1\"}"))
        .ok()
        .stdout_is("1");
    list(Answer::text(200, "x").header("content-encoding", "gzip"))
        .code(13)
        .stderr_has("compressed");
    let mut many = Answer::text(200, "{\"A\":\"1\"}");
    for number in 0..300 {
        many = many.header(&format!("x-{number}"), number);
    }
    list(many).ok().stdout_is("1");
}

#[test]
fn an_address_is_taken_in_any_case_and_with_blanks_around_it() {
    let (server, mut home) = set_up(Listen::Http);
    for url in [
        server.url().replace("http://", "HTTP://"),
        format!(" {}/\n", server.url()),
    ] {
        home.set("KEYFOB_NOSANA_BASE_URL", url);
        home.run(["get", "A"]).ok().stdout_is("1");
    }
}

#[test]
fn a_server_s_words_say_nothing_of_a_value_and_are_shown_where_they_help() {
    let (server, home) = set_up(Listen::Http);
    let refuse = |body: &str, value: &str| {
        server.faults().clear();
        let answer = Answer::text(400, body.to_owned());
        server
            .faults()
            .on("POST", "/secrets", Fault::Answer(answer));
        let run = home.keyfob(["set", "B"]).stdin(value.to_owned()).run();
        run.code(13);
        run
    };
    refuse(r#"{"message":"InternalServerError"}"#, "v").stderr_has("InternalServerError");
    refuse(r#"{"message":"no correct-horse"}"#, "correct-horse-battery")
        .stderr_has("no [hidden]")
        .lacks("correct-horse");
    refuse(r#"{"message":"a\u001b[31mb"}"#, "x").stderr_has("a\\u{1b}[31mb");
}
