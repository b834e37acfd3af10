//! Where a Solana keypair is looked for when it is needed.
//!
//! What is configured comes first and alone. Otherwise the usual places are tried, in this order:
//! `keypair_path` of the Solana CLI's configuration, `~/.config/solana/id.json`,
//! `~/.nosana/nosana_key.json`, and last the keypair kept in the OS keyring, so that the keyring
//! is not touched where a file will do.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::Keypair;
use crate::keyring::{Keyring, Unreachable};
use crate::words::env::Environment;
use crate::words::error::{Error, Result};
use crate::words::shown::ShownPath as _;

const SOLANA_CONFIG: &str = ".config/solana/cli/config.yml";
const USUAL_FILES: [&str; 2] = [".config/solana/id.json", ".nosana/nosana_key.json"];

/// The variable that names the keypair of a store, where it is nobody's in particular.
pub const OF_ANY: &str = "KEYFOB_<STORE>_KEYPAIR";

/// A Solana CLI's configuration is a few lines; what is larger is something else.
const MAX_CONFIG: u64 = 64 * 1024;

/// A keypair that the user named, in place of the usual ones.
#[derive(Clone)]
pub enum Named {
    /// A file.
    File(PathBuf),
    /// The keypair itself, from the environment variable `variable`.
    Value {
        /// The variable that held it.
        variable: String,
        /// Its text, in any form that [`Keypair::parse`] takes.
        text: Zeroizing<String>,
    },
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Named::File(path) => write!(f, "File({path:?})"),
            Named::Value { variable, .. } => write!(f, "Value({variable})"),
        }
    }
}

/// A keypair and where it was found.
#[derive(Clone, Debug)]
pub struct Located {
    /// The keypair.
    pub keypair: Keypair,
    /// Where it was found, in words: a path, "environment KEYFOB_NOSANA_KEYPAIR", "OS keyring".
    pub source: String,
}

/// Finds the keypair to act as: `named`, else the first of the usual ones. `variable` is the one that
/// could name another.
///
/// # Errors
/// `unauthenticated` where there is none or others may read its file, `invalid_data` where what
/// was found is no keypair, `config` where the Solana CLI's configuration is not YAML. What is
/// found and bad is never passed over: another place might hold another account.
pub fn locate(
    named: Option<&Named>,
    env: &Environment,
    keyring: &Keyring,
    variable: &str,
) -> Result<Located> {
    match named {
        Some(Named::File(path)) => return from_file(path),
        Some(Named::Value { variable, text }) => {
            return Ok(Located {
                keypair: Keypair::parse(text).map_err(|error| error.context(variable))?,
                source: format!("environment {variable}"),
            });
        }
        None => {}
    }
    if let Some(path) = usual_file(env, variable)? {
        return from_file(&path);
    }
    match Keypair::from_keyring(keyring) {
        Ok(Some(keypair)) => Ok(Located {
            keypair: keypair?,
            source: "OS keyring".to_owned(),
        }),
        Ok(None) | Err(Unreachable::Absent) => Err(none("no Solana keypair was found", variable)),
        Err(why) => {
            let what = format!("no Solana keypair was found in the usual files, and {why}");
            Err(none(&what, variable))
        }
    }
}

/// The file among the usual ones that a keypair is taken from where none is named.
///
/// # Errors
/// `config` where the Solana CLI's configuration is not YAML.
pub fn usual_file(env: &Environment, variable: &str) -> Result<Option<PathBuf>> {
    let Some(home) = env.home() else {
        return Ok(None);
    };
    let usual = USUAL_FILES.iter().map(|name| home.join(name));
    Ok(solana_setting(&home, env, variable)?
        .into_iter()
        .chain(usual)
        .find(|path| path.is_file()))
}

fn none(what: &str, variable: &str) -> Error {
    Error::unauthenticated(what).hint(format!(
        "name one with the setting keypair or {variable}, keep one with: keyfob key import; or make one with: \
         keyfob key new -o ~/.config/solana/id.json"
    ))
}

fn from_file(path: &Path) -> Result<Located> {
    Ok(Located {
        keypair: Keypair::from_file(path)?,
        source: path.shown().exact(),
    })
}

/// The keypair file that the Solana CLI is set to use, where it says.
fn solana_setting(home: &Path, env: &Environment, variable: &str) -> Result<Option<PathBuf>> {
    #[derive(Deserialize)]
    struct Config {
        keypair_path: Option<String>,
    }

    let path = home.join(SOLANA_CONFIG);
    let bad = |why: &str| {
        Error::config(format!("{}: {why}", path.shown())).hint(format!(
            "name a keypair with the setting keypair or {variable}, and this file is not read"
        ))
    };
    match std::fs::metadata(&path) {
        Ok(found) if !found.is_file() => return Err(bad("not a regular file")),
        Ok(found) if found.len() > MAX_CONFIG => return Err(bad("too large for a configuration")),
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    let text = std::fs::read_to_string(&path).map_err(|error| {
        bad(&format!(
            "cannot be read: {}",
            crate::words::error::io_reason(&error)
        ))
    })?;
    let config: Config = serde_saphyr::from_str(&text)
        .map_err(|_| bad("not the YAML that the Solana CLI writes"))?;
    Ok(config
        .keypair_path
        .filter(|text| !text.is_empty())
        .map(|text| env.resolve(&text, home)))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::words::error::Kind;

    struct Home {
        folder: TempDir,
        env: Environment,
    }

    impl Home {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let env = Environment::from_vars([("HOME", folder.path())], folder.path());
            Self { folder, env }
        }

        /// A new keypair in the file `name`; its address.
        fn keypair(&self, name: &str) -> String {
            let keypair = Keypair::generate().unwrap();
            keypair.write_new(&self.folder.path().join(name)).unwrap();
            keypair.address()
        }

        fn config(&self, text: &str) {
            let path = self.folder.path().join(SOLANA_CONFIG);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn locate(&self, named: Option<&Named>) -> Result<Located> {
            let variable = "KEYFOB_NOSANA_KEYPAIR";
            locate(named, &self.env, &Keyring::default(), variable)
        }

        fn address(&self) -> String {
            self.locate(None).unwrap().keypair.address()
        }
    }

    #[test]
    fn usual_places_are_tried_in_order() {
        let home = Home::new();
        assert_eq!(home.locate(None).unwrap_err().kind(), Kind::Unauthenticated);
        let nosana = home.keypair(".nosana/nosana_key.json");
        assert_eq!(home.address(), nosana);
        let solana = home.keypair(".config/solana/id.json");
        assert_eq!(home.address(), solana);
        let configured = home.keypair("keys/main.json");
        home.config(&format!(
            "---\njson_rpc_url: \"https://api.mainnet-beta.solana.com\"\nwebsocket_url: ''\nkeypair_path: {}\naddress_labels:\n  \"11111111111111111111111111111111\": System Program\ncommitment: confirmed\n",
            home.folder.path().join("keys/main.json").shown()
        ));
        assert_eq!(home.address(), configured);
        let named = home.keypair("named.json");
        let file = Named::File(home.folder.path().join("named.json"));
        assert_eq!(home.locate(Some(&file)).unwrap().keypair.address(), named);
    }

    #[test]
    fn a_setting_that_names_no_file_is_passed_over() {
        let home = Home::new();
        let solana = home.keypair(".config/solana/id.json");
        for path in ["usb://ledger", "/no/such/file.json", "", "null"] {
            home.config(&format!("keypair_path: {path:?}\n"));
            assert_eq!(home.address(), solana, "{path}");
        }
        home.config("commitment: confirmed\n");
        assert_eq!(home.address(), solana);
    }

    #[test]
    fn what_is_bad_is_not_passed_over() {
        let home = Home::new();
        home.keypair(".nosana/nosana_key.json");
        home.config("keypair_path: [\n");
        assert_eq!(home.locate(None).unwrap_err().kind(), Kind::Config);
        home.config("keypair_path: ~/bad.json\n");
        std::fs::write(home.folder.path().join("bad.json"), "[1]").unwrap();
        assert!(home.locate(None).is_err());
    }

    fn in_the_environment(text: &str) -> Named {
        Named::Value {
            variable: "KEYFOB_NOSANA_KEYPAIR".to_owned(),
            text: Zeroizing::new(text.to_owned()),
        }
    }

    #[test]
    fn the_environment_holds_the_keypair_itself() {
        let home = Home::new();
        let address = home.keypair("id.json");
        let json = std::fs::read_to_string(home.folder.path().join("id.json")).unwrap();
        let bytes: Vec<u8> = serde_json::from_str(&json).unwrap();
        for text in [
            &json,
            &bs58::encode(&bytes).into_string(),
            &bs58::encode(&bytes[..32]).into_string(),
        ] {
            let located = home.locate(Some(&in_the_environment(text))).unwrap();
            assert_eq!(located.keypair.address(), address);
            assert_eq!(located.source, "environment KEYFOB_NOSANA_KEYPAIR");
        }
    }

    #[test]
    fn a_damaged_key_in_the_environment_is_not_shown() {
        let home = Home::new();
        let key = bs58::encode([7; 64]).into_string();
        for text in [&key[..key.len() - 3], &format!("{key}0"), "[7,7,7"] {
            let named = in_the_environment(text);
            assert_eq!(format!("{named:?}"), "Value(KEYFOB_NOSANA_KEYPAIR)");
            let error = home.locate(Some(&named)).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidData);
            let said = format!("{error:?}");
            assert!(
                said.contains("KEYFOB_NOSANA_KEYPAIR") && !said.contains(&text[..6]),
                "{said}"
            );
        }
    }
}
