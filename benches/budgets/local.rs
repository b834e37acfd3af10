//! The local vault, at three sizes, beside age's own tools and other stores of files.

use std::path::{Path, PathBuf};

use crate::costs::pages;
use crate::measure::{binary, installed};
use crate::support::home::Home;
use crate::table::Table;

/// Reading one, and starting a command, of 100 secrets.
pub fn vault_of_100(table: &mut Table) {
    let vault = Vault::new(100);
    let get = vault.keyfob("get SECRET_50");
    let run = vault.keyfob("run -- true");
    let home = &vault.home;
    for (program, get_budget, run_budget) in [("rage", Some(0.95), Some(1.1)), ("age", None, None)]
    {
        if installed(&[program], &format!("a vault of 100 beside {program}")) {
            let decrypt = vault.decrypted_by(program);
            table.row(
                home,
                200,
                "`get`, vault of 100",
                &get,
                &[&decrypt],
                get_budget,
            );
            let theirs = [decrypt.as_str(), "true"];
            table.row(
                home,
                200,
                "`run -- true`, vault of 100",
                &run,
                &theirs,
                run_budget,
            );
        }
    }
    if installed(&["pass", "gpg"], "a vault of 100 beside pass")
        && let Some(home) = password_store()
    {
        // Both find what they need in the one home.
        let name = "SECRET_50";
        home.program(binary(), ["set", name])
            .stdin("value")
            .run()
            .ok();
        let get = format!("{} get {name}", binary());
        table.row(
            &home,
            20,
            "`get`, beside pass",
            &get,
            &["pass show SECRET_50"],
            None,
        );
        // Debian's gopass reads the store of pass; the other program of that name has its own.
        let theirs = ["show", "SECRET_50"];
        if installed(&["gopass"], "a vault of 100 beside gopass") {
            match home.program("gopass", theirs).run().stdout == b"value\n" {
                true => table.row(
                    &home,
                    20,
                    "`get`, beside gopass",
                    &get,
                    &["gopass show SECRET_50"],
                    None,
                ),
                false => println!("left out: gopass: it does not read the store of pass"),
            }
        }
    }
}

/// Reading one, listing and exporting 10,000 secrets of 100 bytes.
pub fn vault_of_10_000(table: &mut Table) {
    if !installed(&["rage"], "a vault of 10,000") {
        return;
    }
    let vault = Vault::new(10_000);
    let decrypt = vault.decrypted_by("rage");
    for (command, budget) in [
        ("get SECRET_5000", 1.3),
        ("list", 2.0),
        ("export --format json", 3.0),
    ] {
        let what = format!("`{command}`, vault of 10,000");
        let ours = vault.keyfob(command);
        table.row(&vault.home, 50, &what, &ours, &[&decrypt], Some(budget));
        let plain = vault.plain_size();
        if let Some((_, peak)) = pages(&vault.home, &ours) {
            println!(
                "peak memory of {what}: {peak} KiB, {:.1} times what age prints (budget 6)",
                peak as f64 * 1024.0 / plain as f64
            );
        }
    }
}

/// Reading one, storing one and listing 100,000 secrets of 100 bytes.
pub fn vault_of_100_000(table: &mut Table) {
    if !installed(&["rage"], "a vault of 100,000") {
        return;
    }
    let vault = Vault::new(100_000);
    let decrypt = vault.decrypted_by("rage");
    let value = vault.home.write("value", "a new value");
    let set = format!("set SECRET_50000 --file {}", value.display());
    for (what, command) in [
        (
            "`get`, vault of 100,000 (budget 100 ms)",
            "get SECRET_50000",
        ),
        ("`list`, vault of 100,000 (budget 500 ms)", "list"),
        ("`export`, vault of 100,000", "export --format json"),
        ("`set`, vault of 100,000 (budget 300 ms)", &set),
    ] {
        table.row(
            &vault.home,
            10,
            what,
            &vault.keyfob(command),
            &[&decrypt],
            None,
        );
    }
}

/// A vault of secrets of 100 bytes.
struct Vault {
    home: Home,
}

impl Vault {
    fn new(secrets: usize) -> Self {
        let home = Home::new();
        let all: serde_json::Map<String, serde_json::Value> = (0..secrets)
            .map(|number| (format!("SECRET_{number}"), format!("{number:0>100}").into()))
            .collect();
        let all = serde_json::to_vec(&all).expect("JSON");
        let import = ["import", "-q", "-y", "--format", "json", "-"];
        home.program(binary(), import).stdin(all).run().ok();
        Self { home }
    }

    fn keyfob(&self, arguments: &str) -> String {
        format!("{} {arguments}", binary())
    }

    fn file(&self) -> PathBuf {
        self.home.data().join("vault.age")
    }

    /// The command of `program` that decrypts the vault, and keeps nothing.
    fn decrypted_by(&self, program: &str) -> String {
        format!(
            "{program} -d -i {} -o /dev/null {}",
            self.home.data().join("identity.txt").display(),
            self.file().display()
        )
    }

    /// How many bytes the vault is in the clear: age adds 16 to each 64 KiB, and a header.
    fn plain_size(&self) -> u64 {
        size(&self.file())
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// A home with a store of `pass` that holds SECRET_50.
fn password_store() -> Option<Home> {
    let home = Home::new();
    let key = [
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-generate-key",
        "bench",
        "ed25519",
    ];
    let subkey = "--batch --quiet --passphrase";
    let made = home.program("gpg", key).run();
    if made.code != Some(0) {
        println!("left out: pass: gpg made no key");
        return None;
    }
    let list = home
        .program("gpg", ["--list-keys", "--with-colons"])
        .run()
        .ok()
        .text();
    let fingerprint = list.lines().find_map(|line| line.strip_prefix("fpr:"))?;
    let fingerprint = fingerprint.trim_matches(':').to_owned();
    let mut subkey: Vec<&str> = subkey.split(' ').collect();
    subkey.extend(["", "--quick-add-key", &fingerprint, "cv25519", "encr"]);
    home.program("gpg", subkey).run().ok();
    home.program("pass", ["init", &fingerprint]).run().ok();
    let insert = ["insert", "-m", "-f", "SECRET_50"];
    home.program("pass", insert).stdin("value\n").run().ok();
    Some(home)
}
