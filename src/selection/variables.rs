//! Names of environment variables: which are valid, which are dangerous, and how a secret's name
//! becomes one.

use crate::error::{Error, Result};

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

/// How names become variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Naming {
    /// `db-password` becomes `DB_PASSWORD`.
    pub upper: bool,
    /// A name that is no variable name is an error instead of being skipped.
    pub strict: bool,
}

impl Naming {
    /// The variable for `name`, or `None` where there is none and that is no error.
    pub(super) fn variable(self, name: &str) -> Result<Option<String>> {
        let variable = if self.upper {
            upper(name)
        } else {
            name.to_owned()
        };
        if is_variable_name(&variable) {
            return Ok(Some(variable));
        }
        if self.strict {
            return Err(Error::usage(format!("{name} is no valid name of a variable")).hint(
                "--upper turns - and . into _; -e VAR=NAME gives it another name; --except leaves it out",
            ));
        }
        Ok(None)
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

/// Whether shells take `name` for a variable: ASCII letters, digits and `_`, no digit first.
pub fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Refuses a variable that nobody could read.
pub(super) fn check_variable(variable: &str) -> Result<()> {
    if is_variable_name(variable) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "{variable:?} is no valid name of a variable: ASCII letters, digits and '_', not beginning with a digit"
    )))
}

/// Refuses a variable that changes how programs run.
pub(super) fn check_harmless(variable: &str) -> Result<()> {
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
        };
        for (name, variable) in [
            ("db-password", "DB_PASSWORD"),
            ("a.b/c", "A_B_C"),
            ("2fa", "_2FA"),
            ("größe", "GR__E"),
        ] {
            assert_eq!(naming.variable(name).unwrap().as_deref(), Some(variable));
        }
    }

    #[test]
    fn odd_names_are_skipped_or_refused() {
        assert_eq!(Naming::default().variable("a-b").unwrap(), None);
        assert!(
            Naming {
                strict: true,
                upper: false
            }
            .variable("a-b")
            .is_err()
        );
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
