//! The faults: what a network, a gateway or a server does, and what a command may make of it.

use serde_json::json;

use crate::support::servers::{Answer, Ending, Fault, Request};

/// Makes a fault.
type Make = Box<dyn Fn(&str, bool) -> Fault + Send + Sync>;

/// One way to fail.
pub struct Trouble {
    /// What it is called in reports.
    pub name: String,
    /// Makes it, for a server at this address; whether the request it befalls has its effect.
    pub make: Make,
    /// What a command ends with when nothing else ever comes. Empty where that depends on the
    /// backend.
    pub kinds: &'static [&'static str],
    /// Whether another try may help, so that a read survives it when it comes once.
    pub passes: bool,
    /// Whether it can befall a request that has its effect.
    pub may_be_applied: bool,
}

const UNAVAILABLE: &[&str] = &["unavailable"];
/// The deadline may pass during the last try, which says less than the one before it.
const LIMITED: &[&str] = &["rate_limited", "unavailable"];
const INVALID: &[&str] = &["invalid_data"];

fn trouble(
    name: impl Into<String>,
    kinds: &'static [&'static str],
    passes: bool,
    make: impl Fn(&str, bool) -> Fault + Send + Sync + 'static,
) -> Trouble {
    Trouble {
        name: name.into(),
        make: Box::new(make),
        kinds,
        passes,
        may_be_applied: true,
    }
}

/// Bytes on the wire in place of an answer.
fn wire(
    name: &str,
    kinds: &'static [&'static str],
    passes: bool,
    ending: Ending,
    make: fn(&Answer) -> Vec<u8>,
) -> Trouble {
    trouble(name, kinds, passes, move |_, applied| {
        Fault::bytes(applied, ending, make)
    })
}

/// An answer instead of the one there is.
fn answer(
    name: impl Into<String>,
    kinds: &'static [&'static str],
    passes: bool,
    answer: Answer,
) -> Trouble {
    trouble(name, kinds, passes, move |_, applied| match applied {
        true => Fault::answered(answer.clone()),
        false => Fault::Answer(answer.clone()),
    })
}

/// The head of a good answer with these lines more, and its body.
fn whole(answer: &Answer, lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {} OK\r\ncontent-type: application/json\r\n{lines}\r\n",
        answer.status
    );
    [head.as_bytes(), body].concat()
}

/// What can go wrong between two machines.
fn on_the_way() -> Vec<Trouble> {
    vec![
        wire(
            "reset before the headers",
            UNAVAILABLE,
            true,
            Ending::Reset,
            |_| Vec::new(),
        ),
        wire(
            "closed before the headers",
            UNAVAILABLE,
            true,
            Ending::Close,
            |_| Vec::new(),
        ),
        wire(
            "closed in the headers",
            UNAVAILABLE,
            true,
            Ending::Close,
            |_| b"HTTP/1.1 200 OK\r\nconte".to_vec(),
        ),
        wire(
            "reset in the headers",
            UNAVAILABLE,
            true,
            Ending::Reset,
            |_| b"HTTP/1.1 200 OK\r\nconte".to_vec(),
        ),
        wire(
            "reset in the body",
            UNAVAILABLE,
            true,
            Ending::Reset,
            |answer| {
                whole(
                    answer,
                    &format!("content-length: {}\r\n", answer.body.len() + 9),
                    &answer.body,
                )
            },
        ),
        // What stalls takes most of the deadline: whether a second try fits is the machine's to say.
        wire(
            "stall before the headers",
            UNAVAILABLE,
            false,
            Ending::Open,
            |_| Vec::new(),
        ),
        wire(
            "stall in the headers",
            UNAVAILABLE,
            false,
            Ending::Open,
            |_| b"HTTP/1.1 200 OK\r\nconte".to_vec(),
        ),
        wire(
            "stall in the body",
            UNAVAILABLE,
            false,
            Ending::Open,
            |answer| {
                whole(
                    answer,
                    &format!("content-length: {}\r\n", answer.body.len() + 9),
                    &answer.body,
                )
            },
        ),
        wire(
            "a storm of 1xx, then nothing",
            UNAVAILABLE,
            false,
            Ending::Open,
            |_| b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n".repeat(500),
        ),
        wire(
            "100s, then the answer",
            &[],
            true,
            Ending::Close,
            |answer| {
                let length = format!("content-length: {}\r\n", answer.body.len());
                [
                    b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20),
                    whole(answer, &length, &answer.body),
                ]
                .concat()
            },
        ),
        wire("another protocol", INVALID, false, Ending::Close, |_| {
            b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()
        }),
        wire("101 to another protocol", &[], false, Ending::Close, |_| {
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
                .to_vec()
        }),
        wire(
            "a body without a length",
            &[],
            true,
            Ending::Close,
            |answer| whole(answer, "", &answer.body),
        ),
        wire(
            "a length too long",
            UNAVAILABLE,
            true,
            Ending::Close,
            |answer| {
                whole(
                    answer,
                    &format!("content-length: {}\r\n", answer.body.len() + 9),
                    &answer.body,
                )
            },
        ),
        wire(
            "a length too short",
            INVALID,
            false,
            Ending::Close,
            |answer| whole(answer, "content-length: 1\r\n", b"{\"a\": 1}"),
        ),
        wire("two lengths", INVALID, false, Ending::Close, |answer| {
            whole(
                answer,
                "content-length: 1\r\ncontent-length: 2\r\n",
                &answer.body,
            )
        }),
        wire(
            "a negative length",
            INVALID,
            false,
            Ending::Close,
            |answer| whole(answer, "content-length: -1\r\n", &answer.body),
        ),
        wire("a bad chunk", INVALID, false, Ending::Close, |answer| {
            whole(
                answer,
                "transfer-encoding: chunked\r\n",
                b"zz\r\n{}\r\n0\r\n\r\n",
            )
        }),
        wire(
            "a chunk cut off",
            UNAVAILABLE,
            true,
            Ending::Close,
            |answer| whole(answer, "transfer-encoding: chunked\r\n", b"ff\r\n{}"),
        ),
        wire(
            "a chunk of 2^64 bytes",
            INVALID,
            false,
            Ending::Close,
            |answer| {
                whole(
                    answer,
                    "transfer-encoding: chunked\r\n",
                    b"ffffffffffffffffff\r\n{}",
                )
            },
        ),
        wire(
            "a header of 1 MB",
            INVALID,
            false,
            Ending::Close,
            |answer| {
                whole(
                    answer,
                    &format!("x-large: {}\r\n", "x".repeat(1 << 20)),
                    &answer.body,
                )
            },
        ),
        wire("1,000 headers", &[], true, Ending::Close, |answer| {
            whole(answer, &"x-many: 1\r\n".repeat(1000), &answer.body)
        }),
        wire("headers twice", &[], true, Ending::Close, |answer| {
            whole(
                answer,
                "date: x\r\ndate: y\r\ncontent-type: text/html\r\nretry-after: 9\r\n",
                &answer.body,
            )
        }),
        trouble(
            "a body without end",
            &["invalid_data", "unavailable"],
            false,
            |_, _| Fault::EndlessBody,
        )
        .unapplied(),
        trouble("a body in drips", UNAVAILABLE, false, |_, _| {
            Fault::Drip(std::time::Duration::from_millis(100))
        })
        .unapplied(),
        trouble(
            "half of the JSON",
            INVALID,
            false,
            |_, applied| match applied {
                true => Fault::Truncated,
                false => Fault::Answer(Answer::text(200, "{\"secrets\": [{\"id\":")),
            },
        ),
    ]
}

/// What something in between answers for the server.
fn in_between() -> Vec<Trouble> {
    let portal =
        "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Room?</body></html>";
    let mut troubles = vec![
        answer(
            "200 with a web page",
            INVALID,
            false,
            Answer::html(200, portal),
        ),
        answer("200 with nothing", INVALID, false, Answer::status(200)),
        answer("204", INVALID, false, Answer::status(204)),
        answer(
            "205 with a web page",
            INVALID,
            false,
            Answer::html(205, portal),
        ),
        answer(
            "206 with a part",
            INVALID,
            false,
            Answer::text(206, "{\"a\""),
        ),
        answer("304", &[], false, Answer::status(304)),
        answer("300", &[], false, Answer::status(300)),
        answer("302 without a target", INVALID, false, Answer::status(302)),
    ];
    for status in [301, 302, 303, 307, 308] {
        let there = "http://127.0.0.1:9/elsewhere";
        let redirect = Answer::status(status).header("location", there);
        troubles.push(answer(
            format!("{status} to another origin"),
            INVALID,
            false,
            redirect,
        ));
        troubles.push(
            trouble(
                format!("{status} to itself"),
                INVALID,
                false,
                move |url, applied| {
                    let there = format!("{url}/around");
                    let answer = Answer::status(status).header("location", there);
                    match applied {
                        true => Fault::answered(answer),
                        false => Fault::Answer(answer),
                    }
                },
            )
            .unapplied(),
        );
    }
    troubles
}

/// What a status means when it comes for good, and whether it passes.
const STATUSES: [(u16, &[&str], bool); 20] = [
    (400, &[], false),
    (401, &["unauthenticated"], false),
    (402, &["failed"], false),
    (403, &["forbidden", "unauthenticated"], false),
    (404, &["not_found", "invalid_data"], false),
    (405, &["failed"], false),
    (407, &[], false),
    (408, UNAVAILABLE, true),
    (409, &["conflict"], false),
    (410, &["failed"], false),
    (413, INVALID, false),
    (418, &["failed"], false),
    (422, INVALID, false),
    (425, &[], false),
    (500, &[], true),
    (501, UNAVAILABLE, false),
    (502, UNAVAILABLE, true),
    (503, UNAVAILABLE, true),
    (504, UNAVAILABLE, true),
    (520, UNAVAILABLE, false),
];

/// What a server says with a status, in three voices, and with all that it was sent.
fn statuses() -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for (status, kinds, passes) in STATUSES {
        let words = json!({"error": {"code": "ODD", "message": "it is odd", "status": status}});
        let page = format!("<html><body><h1>{status}</h1></body></html>");
        // A web page is none of an API's words, save where the status alone says what to do.
        let paged = match status {
            402 | 405 | 409 | 410 | 418 => INVALID,
            _ => kinds,
        };
        troubles.extend([
            answer(
                format!("{status} with a web page"),
                paged,
                passes,
                Answer::html(status, page),
            ),
            trouble(
                format!("{status} with an echo"),
                kinds,
                passes,
                move |_, applied| match applied {
                    true => Fault::changed(move |request, _| echo(status, request)),
                    false => Fault::instead(move |request| echo(status, request)),
                },
            ),
            answer(
                format!("{status} in JSON"),
                kinds,
                passes,
                Answer::json(status, &words),
            ),
            answer(
                format!("{status} with nothing"),
                kinds,
                passes,
                Answer::status(status),
            ),
        ]);
        // What a server itself refuses it has not done; what answers in its place may not know.
        if status < 500 {
            let own = troubles.split_off(troubles.len() - 3);
            troubles.extend(own.into_iter().map(Trouble::unapplied));
        }
    }
    let waits: [(&str, &str); 10] = [
        ("0", "0"),
        ("0.2", "0.2"),
        ("1", "1"),
        ("1.5", "1.5"),
        ("an hour", "3600"),
        ("2^64", "18446744073709551616"),
        ("a date gone by", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("a date in RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT"),
        ("the year 9999", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("nonsense", "soon"),
    ];
    for (name, value) in waits {
        for status in [429, 503] {
            let kinds: &[&str] = match status {
                429 => LIMITED,
                _ => UNAVAILABLE,
            };
            let told = Answer::text(status, "later").header("retry-after", value);
            // After a second or more of waiting, whether a second try fits is the machine's to say.
            let passes = !matches!(name, "1" | "1.5" | "an hour" | "2^64" | "the year 9999");
            troubles.push(
                answer(format!("{status}, retry after {name}"), kinds, passes, told).unapplied(),
            );
        }
    }
    for reset in ["0", "-5", "99999999999999999999", "1", "soon"] {
        let told = Answer::text(429, "later").header("x-ratelimit-reset", reset);
        let passes = reset != "1";
        troubles.push(answer(format!("429, reset {reset}"), LIMITED, passes, told).unapplied());
    }
    troubles
}

/// An error that repeats everything that was sent.
fn echo(status: u16, request: &Request) -> Answer {
    let words = request.transcript();
    Answer::json(
        status,
        &json!({"error": {"code": "ECHO", "message": words}, "message": words}),
    )
}

impl Trouble {
    /// The same, which befalls requests without an effect alone.
    fn unapplied(self) -> Self {
        Self {
            may_be_applied: false,
            ..self
        }
    }
}

/// All of them.
pub fn all() -> Vec<Trouble> {
    let mut all = on_the_way();
    all.extend(in_between());
    all.extend(statuses());
    all
}
