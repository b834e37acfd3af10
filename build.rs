//! Tells the compiler what `keyfob --version -v` says: which commit this is, for which target, in which
//! profile.
//!
//! The commit is `KEYFOB_COMMIT`, else what `cargo package` noted, else that of the clone. The clone is
//! asked for release builds alone, so that a commit makes nobody compile again who is developing.

use std::path::Path;
use std::process::Command;

/// Where `cargo package` notes the commit.
const NOTED: &str = ".cargo_vcs_info.json";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=KEYFOB_COMMIT");
    let profile = of_cargo("PROFILE");
    let commit = of_cargo("KEYFOB_COMMIT")
        .or_else(noted)
        .or_else(|| of_clone(profile.as_deref()));
    tell("KEYFOB_COMMIT", commit);
    tell("KEYFOB_TARGET", of_cargo("TARGET"));
    tell("KEYFOB_PROFILE", profile);
}

fn tell(name: &str, value: Option<String>) {
    let value = value.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo:rustc-env={name}={value}");
}

fn of_cargo(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The commit in cargo's note: `{"git": {"sha1": "…"}, …}`.
fn noted() -> Option<String> {
    let text = std::fs::read_to_string(NOTED).ok()?;
    println!("cargo:rerun-if-changed={NOTED}");
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}

fn of_clone(profile: Option<&str>) -> Option<String> {
    // A folder within another project's clone has no commit of its own.
    if profile != Some("release") || !Path::new(".git").exists() {
        return None;
    }
    for changes in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", changes])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
