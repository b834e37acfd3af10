//! How fast output passes through the masker, beside copying it, and through `keyfob run --mask`,
//! beside `cat`: `benches/run mask`. The latter needs hyperfine.

use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use keyfob::testing::Masker;

mod measure;
#[allow(unused_imports)]
#[path = "../tests/cli/support/mod.rs"]
mod support;

use measure::{binary, fastest, installed};
use support::home::Home;

/// The size of the output, and of the chunks that a pipe delivers.
const OUTPUT: usize = 64 << 20;
const CHUNK: usize = 64 << 10;

/// How many times the output goes through the binary: 1 GiB.
const TIMES: usize = 16;

fn main() {
    let mut random = Random(0x5eed);
    let tokens: Vec<String> = (0..20).map(|n| random.token(20 + n)).collect();
    let mut mixed = tokens.clone();
    mixed.push(format!(
        "postgres://app:{}@db.internal:5432/app?sslmode=require",
        random.token(24)
    ));
    mixed.push("hunter2".to_owned());
    let key: String = (0..26).map(|_| random.token(64) + "\n").collect();
    mixed.push(format!(
        "-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n"
    ));

    let log: String = std::iter::repeat_with(|| random.line())
        .take(OUTPUT / 60)
        .collect();
    let digits: String = (0..OUTPUT / 77).map(|_| random.token(76) + "\n").collect();
    let leaky = log.replace("user=1", &format!("password={}", tokens[0]));

    println!("{:<34} {:>9} {:>9} {:>6}", "", "MB/s", "memcpy", "ratio");
    for (name, values, text) in [
        ("log, 20 tokens", &tokens, &log),
        ("log, tokens, a URL, a key, hunter2", &mixed, &log),
        ("base64, 20 tokens", &tokens, &digits),
        ("log with a token in 1 of 9 lines", &tokens, &leaky),
    ] {
        let start = Instant::now();
        let masker = Masker::new(values.iter().map(|value| value.as_bytes())).unwrap();
        let prepared = start.elapsed();
        let masked = best(|out| {
            let mut stream = masker.stream();
            for chunk in text.as_bytes().chunks(CHUNK) {
                stream.push(chunk, out).unwrap();
            }
            stream.finish(out).unwrap();
        });
        let copied = best(|out| {
            for chunk in text.as_bytes().chunks(CHUNK) {
                out.extend_from_slice(black_box(chunk));
            }
        });
        let speed = |time: Duration| text.len() as f64 / 1e6 / time.as_secs_f64();
        println!(
            "{name:<34} {:>9.0} {:>9.0} {:>6.1}   prepared in {prepared:.1?}",
            speed(masked),
            speed(copied),
            masked.as_secs_f64() / copied.as_secs_f64(),
        );
    }
    if !installed(&["hyperfine"], "run --mask beside cat") {
        return;
    }
    println!(
        "\n{:<34} {:>9} {:>9} {:>6}",
        "", "MB/s", "cat | cat", "ratio"
    );
    through_the_binary("1 GiB of log, 20 tokens", &tokens, &log);
    through_the_binary("1 GiB of log with tokens", &tokens, &leaky);
}

/// Measures `run --mask` on [`TIMES`] times `text`, with `values` in the vault.
fn through_the_binary(name: &str, values: &[String], text: &str) {
    let home = Home::new();
    let secrets: BTreeMap<String, &String> = values
        .iter()
        .enumerate()
        .map(|(number, value)| (format!("SECRET_{number}"), value))
        .collect();
    let secrets = serde_json::to_vec(&secrets).unwrap();
    home.program(binary(), ["import", "-q", "-"])
        .stdin(secrets)
        .run()
        .ok();
    let path = home.work().join("log");
    let mut file = File::create(&path).unwrap();
    for _ in 0..TIMES {
        file.write_all(text.as_bytes()).unwrap();
    }
    let path = path.display();
    let ours = format!("{} run --mask -- cat {path}", binary());
    let theirs = format!("sh -c 'cat {path} | cat'");
    let times = fastest(&home, 10, &[&ours, &theirs]);
    let (ours, theirs) = (times[0], times[1]);
    let speed = |time: f64| (text.len() * TIMES) as f64 / 1e3 / time;
    println!(
        "{name:<34} {:>9.0} {:>9.0} {:>6.1}",
        speed(ours),
        speed(theirs),
        ours / theirs
    );
}

/// The best time of five for filling a buffer that is large enough.
fn best(mut fill: impl FnMut(&mut Vec<u8>)) -> Duration {
    let mut out = Vec::with_capacity(2 * OUTPUT);
    (0..5)
        .map(|_| {
            out.clear();
            let start = Instant::now();
            fill(&mut out);
            black_box(&out);
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

/// Knuth's generator, so that every run has the same text.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn token(&mut self, length: usize) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..length)
            .map(|_| char::from(DIGITS[self.below(64)]))
            .collect()
    }

    fn line(&mut self) -> String {
        const WORDS: [&str; 12] = [
            "request",
            "handled",
            "in",
            "the",
            "connection",
            "from",
            "pool",
            "was",
            "closed",
            "after",
            "retrying",
            "GET /v1/items",
        ];
        let mut line = format!(
            "2024-05-0{} INFO user={} ",
            1 + self.below(9),
            1 + self.below(9)
        );
        for _ in 0..3 + self.below(6) {
            line.push_str(WORDS[self.below(WORDS.len())]);
            line.push(' ');
        }
        line.push_str(&format!("took={}ms\n", self.below(1000)));
        line
    }
}
