//! Ratios against what a user would otherwise do, measured side by side in one run by hyperfine:
//! `cargo bench --bench budgets`. Needs hyperfine, age and curl; what is missing is left out by
//! name. rage is taken into account where it is installed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use keyfob::testing::Folders;
use keyfob::testing::Keyring;
use keyfob::testing::{Batch, Write};
use keyfob::testing::{Name, SecretValue};
use keyfob::testing::{Vault, VaultOptions};

mod compare;
#[allow(unused_imports)]
#[path = "../tests/cli/support/mod.rs"]
mod support;

use compare::{compare, installed};
use support::home::{BINARY, Home};
use support::servers::Nosana;
use support::solana::Keypair;

fn main() {
    println!("binary: {:.2} MiB (budget 8)", size_of(Path::new(BINARY)));
    version();
    hosted();
    vault(100, "run -- true", 1.5);
    vault(10_000, "get", 2.0);
}

fn size_of(path: &Path) -> f64 {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    bytes as f64 / 1024.0 / 1024.0
}

fn report(what: &str, ours: f64, theirs: f64, budget: f64) {
    println!(
        "{what}: {ours:.2} ms against {theirs:.2} ms, ratio {:.2} (budget {budget})",
        ours / theirs
    );
}

fn version() {
    if !installed("hyperfine") || !installed("rage") {
        println!("left out: --version against rage: hyperfine or rage is not installed");
        return;
    }
    let home = Home::new();
    let (ours, theirs) = compare(&home, 50, &format!("{BINARY} --version"), "rage --version");
    report("--version against rage", ours, theirs, 1.2);
}

fn hosted() {
    if !installed("hyperfine") || !installed("curl") {
        println!("left out: a cached get against curl: hyperfine or curl is not installed");
        return;
    }
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let mut home = Home::new();
    home.set("KEYFOB_TOKEN_CACHE", "keyutils");
    home.set("KEYFOB_NOSANA_BASE_URL", server.url());
    home.set("KEYFOB_NOSANA_KEYPAIR", keypair.write(&home));
    server.put(&keypair.address(), "A", "value");
    home.run(["-s", "nosana", "get", "A"]).ok();
    let token = server.token(&keypair.address());
    let mut curl = String::from("curl -s -o /dev/null");
    let _ = write!(
        curl,
        " -H 'Authorization: Bearer {token}' {}/secrets",
        server.url()
    );
    let (ours, theirs) = compare(&home, 50, &format!("{BINARY} -s nosana get A"), &curl);
    report(
        "a cached get from a hosted store against curl",
        ours,
        theirs,
        1.0,
    );
    if installed("/usr/bin/time") {
        let run = home
            .program(
                "/usr/bin/time",
                ["-f", "%M", BINARY, "-s", "nosana", "get", "A"],
            )
            .run();
        println!(
            "peak memory of it: {} KiB (budget 15360)",
            run.stderr.trim()
        );
    }
    home.run(["-s", "nosana", "logout"]).ok();
}

fn vault(secrets: usize, what: &str, budget: f64) {
    if !installed("hyperfine") || !installed("age") {
        println!("left out: {what} against age -d: hyperfine or age is not installed");
        return;
    }
    let home = Home::new();
    let vault = Vault::new(VaultOptions {
        store: "local".parse().expect("a store's name"),
        path: None,
        identity: None,
        recipients: Vec::new(),
        folders: Folders {
            config: home.config(),
            data: home.data(),
            cache: home.root().join("cache"),
            patience: Folders::PATIENCE,
        },
        keyring: Arc::new(Keyring::default()),
        lock_timeout: None,
        on_created: Rc::new(|_| ()),
        notice: None,
        withheld: BTreeSet::new(),
    });
    let writes = (0..secrets)
        .map(|number| {
            Write::new(
                Name::new(format!("SECRET_{number}")).expect("a name"),
                SecretValue::from(format!("{number:0>100}")),
            )
        })
        .collect();
    vault
        .write(Batch {
            writes,
            if_absent: false,
        })
        .expect("a vault");
    let file = home.data().join("vault.age");
    let identity = home.data().join("identity.txt");
    let age = format!(
        "age -d -i {} -o /dev/null {}",
        identity.display(),
        file.display()
    );
    let ours = if what == "get" {
        format!("{BINARY} get SECRET_{}", secrets / 2)
    } else {
        format!("{BINARY} run -- true")
    };
    let (ours, theirs) = compare(&home, 50, &ours, &age);
    report(
        &format!("{what} with {secrets} secrets against age -d"),
        ours,
        theirs,
        budget,
    );
    if what == "get" && installed("/usr/bin/time") {
        let run = home
            .program("/usr/bin/time", ["-f", "%M", BINARY, "get", "SECRET_5"])
            .run();
        println!(
            "peak memory of it: {} KiB over a vault of {:.0} KiB (budget 6 times)",
            run.stderr.trim(),
            size_of(&file) * 1024.0
        );
    }
}
