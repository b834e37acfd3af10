//! The names that selected secrets get: those of environment variables, some of which are
//! dangerous, or those of secrets in another store.

use crate::words::error::{Error, Result};
use crate::words::secret::Name;
use crate::words::text::is_variable_name;

/// Variables that change how programs run. Whoever may write a secret must not thereby decide what
/// code runs wherever it is injected.
const DANGEROUS: &[&str] = &[
    "PATH",
    "BASH_ENV",
    "ENV",
    "IFS",
    "PS4",
    "PROMPT_COMMAND",
    "SHELLOPTS",
    "BASHOPTS",
    "CDPATH",
    "GLOBIGNORE",
    "ZDOTDIR",
    "FPATH",
    "SHELL",
    "HOME",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NPM_CONFIG_USERCONFIG",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONBREAKPOINT",
    "PERL5LIB",
    "PERL5OPT",
    "PERL5DB",
    "PERLLIB",
    "RUBYLIB",
    "RUBYOPT",
    "GEM_PATH",
    "GEM_HOME",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "MAVEN_OPTS",
    "GRADLE_OPTS",
    "DOTNET_STARTUP_HOOKS",
    "CORECLR_PROFILER_PATH",
    "LUA_PATH",
    "LUA_CPATH",
    "LUA_INIT",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_ASKPASS",
    "GIT_PROXY_COMMAND",
    "GIT_TEMPLATE_DIR",
    "GIT_EDITOR",
    "GIT_PAGER",
    "SSH_ASKPASS",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    "MANPAGER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "CARGO_HOME",
    "MAKEFLAGS",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "LOCPATH",
    "NLSPATH",
    "RES_OPTIONS",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "TERMINFO",
    "TERMCAP",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TMPDIR",
];

/// Beginnings of such names.
const DANGEROUS_PREFIXES: &[&str] = &["LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG", "MALLOC_"];

/// Where selected secrets go, which decides what they may be called there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// An environment, of whatever form: names are those of variables, and harmless ones.
    #[default]
    Environment,
    /// Another store: names are any text.
    Store,
}

/// How selected secrets are named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Naming {
    /// Where they go.
    pub destination: Destination,
    /// `db-password` becomes `DB_PASSWORD`.
    pub upper: bool,
    /// A name that is no variable name is an error instead of being skipped, or of being kept
    /// where names are any text.
    pub strict: bool,
}

impl Naming {
    /// What the secret called `name` is called there, or `None` where nothing can be made of it
    /// and that is no error.
    pub(super) fn of(self, name: &str) -> Result<Option<String>> {
        let named = self.turned(name);
        match (self.strict, self.destination) {
            _ if is_variable_name(&named) => Ok(Some(named)),
            (true, _) => Err(Error::usage(format!("{name} is no valid name of a variable")).hint(
                "--upper turns - and . into _; -e VAR=NAME gives it another name; --except leaves it out",
            )),
            (false, Destination::Environment) => Ok(None),
            // No store takes what another one has under the empty name.
            (false, Destination::Store) if named.is_empty() => Ok(None),
            (false, Destination::Store) => Ok(Some(named)),
        }
    }

    /// `name`, or the beginning of one, as `upper` has it.
    pub(super) fn turned(self, name: &str) -> String {
        match self.upper {
            true => upper(name),
            false => name.to_owned(),
        }
    }

    /// Checks a name that was asked for.
    pub(super) fn check(self, name: &str) -> Result<()> {
        match (self.strict, self.destination) {
            (false, Destination::Store) => Name::new(name).map(drop),
            _ => check_variable(name),
        }
    }

    /// Refuses a variable that changes how programs run.
    pub(super) fn check_harmless(self, name: &str) -> Result<()> {
        match self.destination {
            Destination::Environment => check_harmless(name),
            Destination::Store => Ok(()),
        }
    }
}

fn upper(name: &str) -> String {
    let mut variable: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    if variable.starts_with(|c: char| c.is_ascii_digit()) {
        variable.insert(0, '_');
    }
    variable
}

/// Refuses a variable that nobody could read.
fn check_variable(variable: &str) -> Result<()> {
    if is_variable_name(variable) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{variable:?} is no valid name of a variable: ASCII letters, digits and '_', not beginning with a digit"
    )))
}

fn check_harmless(variable: &str) -> Result<()> {
    let dangerous = DANGEROUS.contains(&variable)
        || DANGEROUS_PREFIXES
            .iter()
            .any(|prefix| variable.starts_with(prefix));
    if !dangerous {
        return Ok(());
    }
    Err(Error::usage(format!(
        "a secret named {variable} would change how programs run"
    ))
    .hint(format!(
        "leave it out with --except {variable}, or bring it on purpose with -e {variable}={variable}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_makes_variable_names() {
        let naming = Naming {
            upper: true,
            strict: true,
            ..Naming::default()
        };
        for (name, variable) in [
            ("db-password", "DB_PASSWORD"),
            ("a.b/c", "A_B_C"),
            ("2fa", "_2FA"),
            ("größe", "GR__E"),
        ] {
            assert_eq!(naming.of(name).unwrap().as_deref(), Some(variable));
        }
    }

    #[test]
    fn odd_names_are_skipped_refused_or_kept() {
        use Destination::{Environment, Store};

        let cases = [
            (Environment, false, Some(None)),
            (Environment, true, None),
            (Store, false, Some(Some("a-b".to_owned()))),
            (Store, true, None),
        ];
        for (destination, strict, expected) in cases {
            let naming = Naming {
                destination,
                strict,
                upper: false,
            };
            assert_eq!(naming.of("a-b").ok(), expected, "{naming:?}");
            let kept = (destination, strict) == (Store, false);
            assert_eq!(naming.check("a-b").is_ok(), kept, "{naming:?}");
            assert!(naming.check("").is_err(), "{naming:?}");
            let harmless = naming.check_harmless("PATH").is_ok();
            assert_eq!(harmless, destination == Store);
        }
    }

    #[test]
    fn names_that_change_how_programs_run_are_refused() {
        for name in [
            "PATH",
            "LD_PRELOAD",
            "BASH_ENV",
            "NODE_OPTIONS",
            "GIT_CONFIG_COUNT",
        ] {
            assert!(check_harmless(name).is_err(), "{name}");
        }
        for name in ["DATABASE_URL", "GIT_TOKEN", "LDAP_PASSWORD", "path"] {
            assert!(check_harmless(name).is_ok(), "{name}");
        }
    }
}
