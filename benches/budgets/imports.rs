//! How imports grow with the number of names, in each format that can be read.

use std::fmt::Write as _;
use std::time::Instant;

use crate::measure::binary;
use crate::support::home::Home;

/// How a format is written.
type Write = fn(usize) -> String;

const FORMATS: [(&str, Write); 5] = [
    ("yaml", |names| lines(names, "", "NAME_{}: value-{}\n", "")),
    ("dotenv", |names| lines(names, "", "NAME_{}=value-{}\n", "")),
    ("json", |names| {
        lines(
            names,
            "{\"FIRST\":\"value\"",
            ",\"NAME_{}\":\"value-{}\"",
            "}",
        )
    }),
    ("toml", |names| {
        lines(names, "", "NAME_{} = \"value-{}\"\n", "")
    }),
    ("k8s", |names| {
        let head = "apiVersion: v1\nkind: Secret\nstringData:\n";
        lines(names, head, "  NAME_{}: value-{}\n", "")
    }),
];

/// Plans of imports of 25,000, 50,000 and 100,000 names into an empty vault, and one import of all.
pub fn growth() {
    let mut of_yaml = None;
    for (format, write) in FORMATS {
        let home = Home::new();
        let times: Vec<f64> = [25_000, 50_000, 100_000]
            .into_iter()
            .map(|names| {
                let file = home.write("names", write(names));
                let arguments = ["import", "-q", "--dry-run", "--format", format];
                let fastest = (0..3).map(|_| {
                    let start = Instant::now();
                    home.program(binary(), arguments).arg(&file).run().ok();
                    start.elapsed().as_secs_f64()
                });
                fastest.fold(f64::INFINITY, f64::min)
            })
            .collect();
        let beside = *of_yaml.get_or_insert(times[2]);
        println!(
            "import of {format}, planned: 25,000 {:.2} s, 50,000 {:.2} s, 100,000 {:.2} s; doubling {:.2} and {:.2} (budget 2.5), beside the YAML reader {:.2} (budget 3)",
            times[0],
            times[1],
            times[2],
            times[1] / times[0],
            times[2] / times[1],
            times[2] / beside
        );
    }
}

fn lines(names: usize, head: &str, line: &str, tail: &str) -> String {
    let mut text = head.to_owned();
    for number in 0..names {
        let _ = write!(text, "{}", line.replace("{}", &number.to_string()));
    }
    text + tail
}
