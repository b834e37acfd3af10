//! Self-tests of the HTTP core: its log, its faults, its certificates and its proxy.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpSocket;

use crate::support::client::Plain;
use crate::support::servers::{Answer, Certificate, Ending, Fault, Listen, Proxy, Request, Server};
use crate::support::wait::until;

/// A server that answers with what it was sent, and counts what had an effect.
fn counting(listen: Listen) -> (Server, Arc<AtomicUsize>) {
    let applied = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&applied);
    let server = Server::start(listen, move |request: &Request| {
        counter.fetch_add(1, Ordering::SeqCst);
        Answer::json(200, &json!({"path": request.path, "body": request.text()}))
    });
    (server, applied)
}

fn effects(applied: &AtomicUsize) -> usize {
    applied.load(Ordering::SeqCst)
}

#[test]
fn requests_are_logged_with_their_connections() {
    let (server, _) = counting(Listen::Http);
    let client = Plain::new().with("x-own", "1");
    let url = format!("{}/a%2Fb/c?q=x+y&z=%C3%A4", server.url());
    let reply = client.json("POST", &url, json!({"k": 1}));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["path"], "/a%2Fb/c");
    client.get(&url);
    Plain::new().get(&url);

    let log = server.requests();
    assert_eq!(log[0].segments(), ["a/b", "c"]);
    assert_eq!(log[0].parameter("q").as_deref(), Some("x y"));
    assert_eq!(log[0].parameter("z").as_deref(), Some("ä"));
    assert_eq!(log[0].parameter("p"), None);
    assert_eq!(log[0].header("x-own"), Some("1"));
    assert_eq!(log[0].json(), Some(json!({"k": 1})));
    assert!(log[0].declares_json() && !log[1].declares_json());
    assert!(log.iter().all(|request| request.answered == Some(200)));
    let connections: Vec<usize> = log.iter().map(|request| request.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
    assert_eq!(server.connections(), 2);
    assert_eq!(server.asked()[1], "GET /a%2Fb/c?q=x+y&z=%C3%A4");
    assert_eq!(server.count("GET", "/a%2Fb/c"), 2);
}

#[test]
fn faults_befall_the_requests_that_they_are_about() {
    let (server, applied) = counting(Listen::Http);
    let client = Plain::new();
    let status = |path: &str| client.get(server.url() + path).status;

    server.faults().next(Fault::status(503));
    server.faults().next(Fault::status(502));
    assert_eq!([status("/"), status("/"), status("/")], [503, 502, 200]);
    assert_eq!(effects(&applied), 1);

    server.faults().nth(2, Fault::status(500));
    assert_eq!([status("/"), status("/"), status("/")], [200, 500, 200]);

    server.faults().nth_on(2, "GET", "/b*", Fault::status(504));
    assert_eq!(
        [status("/b1"), status("/a"), status("/b2")],
        [200, 200, 504]
    );

    server.faults().after_first(1, Fault::status(400));
    assert_eq!([status("/"), status("/"), status("/")], [200, 400, 400]);
    server.faults().clear();
    assert_eq!(status("/"), 200);
}

#[test]
fn broken_answers_are_broken_as_ordered() {
    let (server, applied) = counting(Listen::Http);
    let client = Plain::new();
    let get = || client.send("GET", &server.url(), &[], "");

    server.faults().next(Fault::close_unapplied());
    assert!(get().is_err());
    assert_eq!(effects(&applied), 0);
    assert_eq!(server.requests().last().unwrap().answered, None);

    server.faults().next(Fault::close_applied());
    assert!(get().is_err());
    assert_eq!(effects(&applied), 1);

    server.faults().next(Fault::ResetMidBody);
    let error = get().unwrap_err();
    assert!(
        error.is_body() || error.is_decode(),
        "the head arrived: {error:?}"
    );
    assert!(
        format!("{error:?}").contains("ConnectionReset"),
        "{error:?}"
    );
    assert_eq!(effects(&applied), 2);

    server.faults().next(Fault::Truncated);
    let reply = get().unwrap();
    assert!(reply.status == 200 && reply.text().starts_with('{'));
    assert!(serde_json::from_slice::<serde_json::Value>(&reply.body).is_err());
    assert_eq!(effects(&applied), 3);
}

#[test]
fn answers_are_changed_and_made_of_what_was_sent() {
    let (server, applied) = counting(Listen::Http);
    let client = Plain::new();
    server.faults().next(Fault::changed(|_, mut answer| {
        answer.status = 418;
        answer
    }));
    let reply = client.get(server.url() + "/a");
    assert_eq!(
        (reply.status, reply.json()["path"].as_str()),
        (418, Some("/a"))
    );
    server.faults().next(Fault::answered(Answer::status(204)));
    assert_eq!(client.get(server.url()).status, 204);
    assert_eq!(effects(&applied), 2);
    server.faults().next(Fault::instead(|request| {
        Answer::text(400, request.transcript())
    }));
    let reply = client.get(server.url() + "/b");
    assert!(reply.status == 400 && reply.text().starts_with("GET /b\n"));
    assert_eq!(effects(&applied), 2);
}

#[test]
fn bytes_come_as_they_are_and_the_connection_ends_as_ordered() {
    let (server, applied) = counting(Listen::Http);
    let bytes =
        |applied, ending| Fault::bytes(applied, ending, |_| b"HTTP/1.1 200 OK\r\ncont".to_vec());
    let mut read = Vec::new();
    server.faults().next(bytes(true, Ending::Close));
    ask_bare(&server).read_to_end(&mut read).unwrap();
    assert_eq!(read, b"HTTP/1.1 200 OK\r\ncont");
    assert_eq!(effects(&applied), 1);

    server.faults().next(bytes(false, Ending::Reset));
    let error = ask_bare(&server).read_to_end(&mut read).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    server.faults().next(bytes(false, Ending::Open));
    let mut socket = ask_bare(&server);
    socket.read_exact(&mut [0; 21]).unwrap();
    let patience = Duration::from_millis(200);
    socket.set_read_timeout(Some(patience)).unwrap();
    let error = socket.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "open and silent");
    assert_eq!(effects(&applied), 1);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.answered.is_none())
    );
}

/// Sends a request on a bare socket, so that the answer can be read bit by bit.
fn ask_bare(server: &Server) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    socket
}

#[test]
fn a_hanging_server_has_the_request_and_says_nothing() {
    let (server, applied) = counting(Listen::Http);
    server.faults().next(Fault::Hang);
    let mut socket = ask_bare(&server);
    until("the request", || !server.requests().is_empty());
    let patience = Duration::from_millis(200);
    socket.set_read_timeout(Some(patience)).unwrap();
    let error = socket.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "open and silent");
    assert_eq!(effects(&applied), 0);
}

#[test]
fn endless_bodies_come_fast_or_in_drips() {
    let (server, applied) = counting(Listen::Http);
    server.faults().next(Fault::EndlessBody);
    server.faults().next(Fault::Drip(Duration::from_millis(1)));
    for size in [8 << 20, 1 << 10] {
        let mut bytes = vec![0; size];
        ask_bare(&server).read_exact(&mut bytes).unwrap();
        assert!(bytes.starts_with(b"HTTP/1.1 200 OK"));
    }
    assert_eq!(effects(&applied), 0);
}

#[test]
fn a_delayed_answer_takes_its_time() {
    let (server, _) = counting(Listen::Http);
    server
        .faults()
        .next(Fault::Delay(Duration::from_millis(120)));
    let start = Instant::now();
    assert_eq!(Plain::new().get(server.url()).status, 200);
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[test]
fn rate_limits_say_when_to_come_back() {
    let (server, _) = counting(Listen::Http);
    let client = Plain::new();
    server.clock().set_offset(-7200);
    server.faults().next(Fault::rate_limited(7));
    server.faults().next(Fault::RetryAtDate(30));
    server.faults().next(Fault::rate_limited_reset(9));

    let reply = client.get(server.url());
    assert_eq!((reply.status, reply.header("retry-after")), (429, "7"));
    let reply = client.get(server.url());
    let time = |text| {
        jiff::fmt::rfc2822::parse(text)
            .unwrap()
            .timestamp()
            .as_second()
    };
    let ahead = time(reply.header("retry-after")) - time(reply.header("date"));
    assert!((20..=30).contains(&ahead), "{ahead}");
    let behind = Timestamp::now().as_second() - time(reply.header("date"));
    assert!(
        (7200..7260).contains(&behind),
        "the Date header follows the clock: {behind}"
    );
    assert_eq!(client.get(server.url()).header("x-ratelimit-reset"), "9");
}

#[test]
fn portals_and_redirects_answer_for_the_server() {
    let (server, applied) = counting(Listen::Http);
    let client = Plain::new();
    server.faults().next(Fault::captive_portal());
    server
        .faults()
        .next(Fault::redirect(307, "https://elsewhere.example/x"));
    let portal = client.get(server.url());
    assert_eq!(portal.status, 200);
    assert!(portal.header("content-type").starts_with("text/html"));
    let redirect = client.get(server.url());
    assert_eq!(redirect.status, 307);
    assert_eq!(redirect.header("location"), "https://elsewhere.example/x");
    assert_eq!(effects(&applied), 0);
}

#[test]
fn hooks_run_around_the_effect() {
    let (server, applied) = counting(Listen::Http);
    let seen = Arc::new(AtomicUsize::new(9));
    let hook = |seen: &Arc<AtomicUsize>| {
        let (seen, applied) = (Arc::clone(seen), Arc::clone(&applied));
        move || seen.store(effects(&applied), Ordering::SeqCst)
    };
    server.faults().next(Fault::before(hook(&seen)));
    Plain::new().get(server.url());
    assert_eq!(effects(&seen), 0);
    server.faults().next(Fault::after(hook(&seen)));
    Plain::new().get(server.url());
    assert_eq!(effects(&seen), 2);
}

#[test]
fn a_stopped_server_refuses_connections() {
    let (server, _) = counting(Listen::Http);
    server.stop();
    let error = Plain::new()
        .send("GET", &server.url(), &[], "")
        .unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    // Nor is its port given to a server of another test.
    if cfg!(target_os = "linux") {
        let another = TcpSocket::new_v4().unwrap().bind(server.address());
        assert_eq!(another.unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}

#[test]
fn certificates_are_good_or_bad_as_ordered() {
    let (server, _) = counting(Listen::Tls(Certificate::Good));
    let client = Plain::trusting(&server.ca_file());
    assert!(server.url().starts_with("https://127.0.0.1:"));
    assert_eq!(client.get(server.url()).status, 200);
    assert_eq!(
        client
            .get(server.url().replace("127.0.0.1", "localhost"))
            .status,
        200
    );

    for (bad, reason) in [
        (Certificate::UnknownIssuer, "UnknownIssuer"),
        (Certificate::WrongHost, "NotValidForName"),
        (Certificate::Expired, "Expired"),
    ] {
        let (server, applied) = counting(Listen::Tls(bad));
        let client = Plain::trusting(&server.ca_file());
        let error = client.send("GET", &server.url(), &[], "").unwrap_err();
        assert!(format!("{error:?}").contains(reason), "{bad:?}: {error:?}");
        assert_eq!(effects(&applied), 0);
        assert!(server.requests().is_empty() && server.connections() > 0);
    }
}

#[test]
fn the_proxy_forwards_and_records() {
    let proxy = Proxy::start();
    let (plain, _) = counting(Listen::Http);
    let client = Plain::proxied(None, &proxy.url());
    assert_eq!(client.get(plain.url() + "/x?y").status, 200);
    assert_eq!(proxy.asked(), [format!("GET {}/x?y HTTP/1.1", plain.url())]);
    assert_eq!(plain.asked(), ["GET /x?y"]);

    let (secure, _) = counting(Listen::Tls(Certificate::Good));
    let client = Plain::proxied(Some(&secure.ca_file()), &proxy.url());
    assert_eq!(client.get(secure.url() + "/x").status, 200);
    assert_eq!(
        proxy.asked()[1],
        format!("CONNECT {} HTTP/1.1", secure.address())
    );
}

#[test]
fn what_happens_at_once_is_counted() {
    let (server, _) = counting(Listen::Http);
    server.faults().always(Fault::Hang);
    for _ in 0..3 {
        let url = server.url();
        std::thread::spawn(move || Plain::new().send("GET", &url, &[], ""));
    }
    until("three requests", || server.requests().len() == 3);
    assert_eq!(server.peak_requests(), 3);
    assert_eq!(server.peak_connections(), 3);
    assert_eq!(server.open_connections(), 3);
}
