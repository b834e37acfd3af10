//! The relative files that a configuration names and whose content decides as much as its own: keys,
//! authorities, and the programs that its commands run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::check::Value;
use super::layer::Layer;
use super::rotation::ValueSource;
use super::schema::Shape;
use super::source;

/// Programs that run a file which is named to them, or another program.
const RUNNERS: &[&str] = &[
    ".", "source", "exec", "command", "env", "nice", "nohup", "time", "sudo", "doas", "sh", "bash",
    "dash", "ksh", "zsh", "fish", "python", "python2", "python3", "perl", "ruby", "node", "nodejs",
    "deno", "bun", "php", "lua", "tclsh", "Rscript", "awk", "make",
];

/// The relative files that `layer` names, as they stand in it.
pub(super) fn named_by(layer: &Layer) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let fields = layer.stores.values().flat_map(|table| {
        let fields = table.fields.iter();
        fields.filter_map(|(key, placed)| Some((table.schema.field(key)?, &placed.value)))
    });
    for (field, value) in fields {
        match value {
            Value::Text(text) if field.is_command() => named.extend(run_by(text)),
            Value::Text(text) if field.shape == Shape::Path && !field.written => {
                named.extend(relative(text));
            }
            _ => {}
        }
    }
    for placed in layer.rotations.values() {
        let rotation = &placed.value;
        let made = match &rotation.value {
            Some(ValueSource::Command(command)) => Some(command),
            Some(ValueSource::Generate(_)) | None => None,
        };
        let commands = [
            made,
            rotation.verify.as_ref(),
            rotation.on_rollback.as_ref(),
        ];
        named.extend(commands.into_iter().flatten().flat_map(|text| run_by(text)));
    }
    named
}

/// What stands for the content of each of the files `named`, relative to `base`: its SHA-256, or
/// nothing where there is no such file.
pub(super) fn contents(named: BTreeSet<String>, base: &Path) -> BTreeMap<String, String> {
    let content = |name: &str| digest_of(&base.join(name)).unwrap_or_default();
    named
        .into_iter()
        .map(|name| (name.clone(), content(&name)))
        .collect()
}

fn digest_of(path: &Path) -> io::Result<String> {
    let mut file = source::open_regular(path)?;
    let mut digest = Sha256::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(base16ct::lower::encode_string(&digest.finalize())),
            read => digest.update(&buffer[..read]),
        }
    }
}

/// `text`, where it is a relative path.
fn relative(text: &str) -> Option<String> {
    // On Windows a path may begin at the root of whichever drive.
    let elsewhere = text == "~" || text.starts_with("~/") || Path::new(text).has_root();
    (!elsewhere).then(|| text.to_owned())
}

/// The relative files that the command `text` runs: the first word of each simple command where it
/// is a path, and what is given to a program that runs files, such as a shell.
fn run_by(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for command in commands(text) {
        let words = command.iter().skip_while(|word| is_assignment(word));
        let mut runner = false;
        for word in words {
            if runner && (word.starts_with('-') || is_assignment(word)) {
                continue;
            }
            // What the shell works out is not known before it runs.
            let known = !word.contains(['$', '`', '*', '?']);
            if known && (runner || word.contains('/')) {
                found.extend(relative(word).filter(|word| !RUNNERS.contains(&word.as_str())));
            }
            let name = word.rsplit('/').next().unwrap_or(word);
            if !RUNNERS.contains(&name) {
                break;
            }
            runner = true;
        }
    }
    found
}

/// Whether `word` sets a variable for the command that follows.
fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(crate::words::text::is_variable_name)
}

/// The words of each simple command of the shell's text, quotes taken off. What is quoted for the
/// shell in ways that this does not know comes out as words that name no file.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => {
                let next = chars.next().filter(|next| *next != '\n');
                word.get_or_insert_default().extend(next);
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() || ";|&()<>{}!".contains(c) => {
                if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
                    command.push(word);
                }
                if c == '\n' || ";|&(){}!".contains(c) {
                    commands.push(Vec::new());
                }
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if let (Some(word), Some(command)) = (word, commands.last_mut()) {
        command.push(word);
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_that_a_command_runs_are_found() {
        for (text, files) in [
            ("./get.sh", &["./get.sh"][..]),
            ("tools/get --for me", &["tools/get"]),
            ("'./my get.sh' x/y", &["./my get.sh"]),
            ("./my\\ get.sh", &["./my get.sh"]),
            ("A=1 B=x/y ./get.sh", &["./get.sh"]),
            ("sh ./get.sh", &["./get.sh"]),
            ("python3 -u get.py data/x", &["get.py"]),
            ("env A=1 bash -e get.sh", &["get.sh"]),
            (
                "./a.sh | ./b.sh && (c/d; e)\n. ./f",
                &["./a.sh", "./b.sh", "./f", "c/d"],
            ),
            ("pass show a/b", &[]),
            ("/usr/bin/get ./x", &[]),
            ("~/bin/get", &[]),
            ("\"$HOME/get\"", &[]),
            ("PGPASSWORD=$(cat) psql -h db", &[]),
            ("", &[]),
        ] {
            let expected: BTreeSet<String> = files.iter().map(|&file| file.to_owned()).collect();
            assert_eq!(run_by(text), expected, "{text}");
        }
    }

    #[test]
    fn contents_are_told_apart_and_absence_from_both() {
        let folder = tempfile::tempdir().unwrap();
        let named = || BTreeSet::from(["a/b".to_owned()]);
        let absent = contents(named(), folder.path());
        assert_eq!(absent["a/b"], "");
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/b"), "1").unwrap();
        let one = contents(named(), folder.path());
        std::fs::write(folder.path().join("a/b"), "2").unwrap();
        let two = contents(named(), folder.path());
        assert!(one != absent && two != absent && one != two);
    }
}
