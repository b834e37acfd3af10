//! The names of variables that decide what programs run, load or trust: one table, by families and
//! with the reasons. Whoever may write a secret must not thereby decide what code runs wherever it
//! is injected.
//!
//! A list of names alone is never complete, as programs take ever more variables; so a family is
//! refused whole, and what of it is plainly a credential passes.

use std::borrow::Cow;
use std::sync::LazyLock;

/// Names that are refused for one reason.
struct Family {
    /// Names; with a `*` at one end all that begin or end so.
    names: &'static [&'static str],
    /// Whether the programs that read them take them in any case.
    any_case: bool,
}

const fn family(names: &'static [&'static str]) -> Family {
    Family {
        names,
        any_case: false,
    }
}

const fn in_any_case(names: &'static [&'static str]) -> Family {
    Family {
        names,
        any_case: true,
    }
}

/// What none of the passes below lets through: keyfob's own settings decide what it trusts, whom it
/// asks, and with which key.
const OWN: &str = "KEYFOB_";

/// Of `*_PROXY`, the one that sends less through a proxy and not more.
const NO_PROXY: &str = "NO_PROXY";

const FAMILIES: &[Family] = &[
    // The dynamic loader and the C library load code, or read files, that they name.
    family(&[
        "LD_*",
        "DYLD_*",
        "MALLOC_*",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "LOCPATH",
        "NLSPATH",
        "RES_OPTIONS",
        "HOSTALIASES",
        "LOCALDOMAIN",
    ]),
    // They say where programs, configuration and temporary files are found.
    family(&[
        "PATH",
        "HOME",
        "USERPROFILE",
        "TMPDIR",
        "TMP",
        "TEMP",
        "XDG_*",
    ]),
    // Windows and PowerShell find programs and modules by them.
    in_any_case(&["COMSPEC", "PATHEXT", "PSMODULEPATH"]),
    // keyfob's own settings.
    family(&["KEYFOB_*"]),
    // Shells run what they hold, or read the files that they name.
    family(&[
        "SHELL",
        "ENV",
        "IFS",
        "CDPATH",
        "FPATH",
        "GLOBIGNORE",
        "ZDOTDIR",
        "SHELLOPTS",
        "BASHOPTS",
        "BASH_*",
        "PS0",
        "PS1",
        "PS2",
        "PS3",
        "PS4",
        "PROMPT",
        "RPROMPT",
        "PROMPT_COMMAND",
        "NULLCMD",
        "READNULLCMD",
        "INPUTRC",
        "fish_*",
    ]),
    // Programs that ask, show and edit run what they hold.
    family(&[
        "EDITOR",
        "VISUAL",
        "FCEDIT",
        "PAGER",
        "MANPAGER",
        "BROWSER",
        "*_EDITOR",
        "*_PAGER",
        "*_BROWSER",
        "*_ASKPASS",
        "*_COMMAND",
        "LESS",
        "LESSOPEN",
        "LESSCLOSE",
        "LESSEDIT",
        "LESSKEY",
        "LESSKEYIN",
        "MANOPT",
        "MANPATH",
        "TERMINFO",
        "TERMINFO_DIRS",
        "TERMCAP",
        "EXINIT",
        "VIM",
        "VIMINIT",
        "VIMRUNTIME",
        "MYVIMRC",
        "EMACSLOADPATH",
    ]),
    // Git runs editors, helpers, hooks and whole configurations that they name.
    family(&["GIT_*"]),
    // They say through whom connections go.
    in_any_case(&["*_PROXY", "GOPROXY"]),
    // They say whose certificates are believed, and which modules do the cryptography.
    family(&[
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "*_CA_BUNDLE",
        "OPENSSL_*",
        "PGSSLMODE",
        "KRB5_CONFIG",
        "GNUPGHOME",
        "SSH_AUTH_SOCK",
        "SSH_SK_PROVIDER",
    ]),
    // Npm and Yarn take every setting from them: shells, scripts, registries.
    in_any_case(&["NPM_CONFIG_*", "YARN_*"]),
    // JavaScript's runtimes load code and certificates by them.
    family(&[
        "NODE_OPTIONS",
        "NODE_PATH",
        "NODE_EXTRA_CA_CERTS",
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "NODE_REPL_EXTERNAL_MODULE",
        "BUN_*",
        "DENO_*",
        "COREPACK_*",
    ]),
    // Python loads code by them, and its installers say with them whence packages come.
    family(&["PYTHON*", "PYTEST_*", "PIP_*", "UV_*"]),
    // Rust's tools run wrappers, linkers and runners that they name.
    family(&["CARGO_*", "RUSTC*", "RUSTDOC*", "RUSTUP_*", "RUSTFLAGS"]),
    // Go's tools take flags, toolchains and places from them.
    family(&[
        "CGO_*",
        "GOFLAGS",
        "GOROOT",
        "GOPATH",
        "GOBIN",
        "GOENV",
        "GOTOOLCHAIN",
        "GOSUMDB",
        "GONOSUMDB",
        "GONOSUMCHECK",
        "GOINSECURE",
        "GOPRIVATE",
    ]),
    // Perl, Ruby, PHP, Lua and other languages load code by them.
    family(&[
        "PERL*",
        "RUBYLIB",
        "RUBYOPT",
        "RUBYSHELL",
        "GEM_HOME",
        "GEM_PATH",
        "GEMRC",
        // Bundler's other variables hold credentials of hosts.
        "BUNDLE_GEMFILE",
        "BUNDLE_PATH",
        "BUNDLE_BIN",
        "BUNDLE_CONFIG",
        "BUNDLE_APP_CONFIG",
        "BUNDLE_PLUGINS",
        "BUNDLE_USER_*",
        "BUNDLE_MIRROR*",
        "BUNDLE_BUILD__*",
        "BUNDLE_LOCAL__*",
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "COMPOSER",
        "COMPOSER_HOME",
        "COMPOSER_VENDOR_DIR",
        "COMPOSER_BIN_DIR",
        "LUA_*",
        "ERL_*",
        "ELIXIR_ERL_OPTIONS",
        "JULIA_*",
        "R_HOME",
        "R_LIBS*",
        "R_PROFILE*",
        "R_ENVIRON*",
        "TCLLIBPATH",
        "GUILE_*",
    ]),
    // Java and .NET load agents, hooks and profilers that they name.
    family(&[
        "CLASSPATH",
        "JAVA_HOME",
        "JRE_HOME",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "JDK_JAVA_OPTIONS",
        // The scripts that start programs on the JVM pass these on.
        "*_OPTS",
        "MAVEN_ARGS",
        "GRADLE_USER_HOME",
        "ANT_ARGS",
        "CATALINA_*",
        "DOTNET_*",
        "CORECLR_*",
        "COR_*",
        "COMPlus_*",
    ]),
    // Compilers and build tools run, or build in, what they hold.
    family(&[
        "CC",
        "CXX",
        "CPP",
        "AR",
        "AS",
        "LD",
        "CFLAGS",
        "CXXFLAGS",
        "CPPFLAGS",
        "LDFLAGS",
        "CPATH",
        "*_INCLUDE_PATH",
        "LIBRARY_PATH",
        "*_LIBRARY_PATH",
        "MAKEFILES",
        "MAKEFLAGS",
        "GNUMAKEFLAGS",
        "MFLAGS",
        "CMAKE_*",
        "PKG_CONFIG*",
    ]),
    // Toolkits of graphical programs load modules that they name.
    family(&["GTK_*", "GIO_*", "GDK_*", "QT_*"]),
    // Clients read configurations that they name, which may run commands.
    family(&[
        "KUBECONFIG",
        "DOCKER_CONFIG",
        "DOCKER_CONTEXT",
        "DOCKER_HOST",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "CURL_HOME",
        "WGETRC",
        "PSQLRC",
        "PGSERVICEFILE",
        "PGSYSCONFDIR",
        "MYSQL_HOME",
        "ANSIBLE_*",
        "HELM_*",
        "TF_CLI_*",
        "TF_PLUGIN_*",
        "TF_DATA_DIR",
    ]),
];

/// What the name of a credential ends with; the program that reads it uses it as one.
const CREDENTIALS: &[&str] = &[
    "_TOKEN",
    "_TOKENS",
    "_AUTHTOKEN",
    "_AUTH",
    "_KEY",
    "_SECRET",
    "_PASSWORD",
    "_PASSWD",
    "_PASSPHRASE",
    "_CREDENTIAL",
    "_CREDENTIALS",
];

/// Whether a variable called `name` decides what programs run, load or trust.
pub(super) fn is_harmful(name: &str) -> bool {
    // Windows takes every name in any case.
    let upper = match name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        true => Cow::Owned(name.to_ascii_uppercase()),
        false => Cow::Borrowed(name),
    };
    let is_credential = || CREDENTIALS.iter().any(|ending| upper.ends_with(ending));
    let mut patterns = INDEX.for_names_like(&upper);
    upper != NO_PROXY
        && patterns.any(|pattern| {
            pattern.matches(name, &upper) && !(pattern.passes_credentials && is_credential())
        })
}

/// A pattern of a family.
struct Pattern {
    /// The text without its `*`.
    stem: &'static str,
    /// The same in upper case, for families of names in any case.
    upper: Option<String>,
    place: Place,
    /// Whether it lets through what is plainly a credential.
    passes_credentials: bool,
}

/// Where in a name the text of a pattern stands.
#[derive(Clone, Copy)]
enum Place {
    Whole,
    Beginning,
    End,
}

impl Pattern {
    fn new(text: &'static str, any_case: bool) -> Self {
        let (stem, place) = match (text.strip_suffix('*'), text.strip_prefix('*')) {
            (Some(start), _) => (start, Place::Beginning),
            (None, Some(end)) => (end, Place::End),
            (None, None) => (text, Place::Whole),
        };
        Self {
            stem,
            upper: any_case.then(|| stem.to_ascii_uppercase()),
            place,
            passes_credentials: !matches!(place, Place::Whole) && !text.starts_with(OWN),
        }
    }

    /// Whether it is a pattern of `name`, which is `upper` in upper case.
    fn matches(&self, name: &str, upper: &str) -> bool {
        let (stem, name) = match &self.upper {
            Some(stem) => (stem.as_str(), upper),
            None => (self.stem, name),
        };
        match self.place {
            Place::Whole => name == stem,
            Place::Beginning => name.starts_with(stem),
            Place::End => name.ends_with(stem),
        }
    }
}

/// The patterns of all families by the letter that they begin with, or end with where that is what
/// they tell, in upper case: of ten thousand names each is compared with a few of hundreds.
struct Index {
    by_first: Vec<Vec<Pattern>>,
    by_last: Vec<Vec<Pattern>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let empty = || (0..256).map(|_| Vec::new()).collect();
    let mut index = Index {
        by_first: empty(),
        by_last: empty(),
    };
    for family in FAMILIES {
        for text in family.names {
            let pattern = Pattern::new(text, family.any_case || cfg!(windows));
            let mut letters = pattern.stem.bytes();
            let (patterns, letter) = match pattern.place {
                Place::Whole | Place::Beginning => (&mut index.by_first, letters.next()),
                Place::End => (&mut index.by_last, letters.next_back()),
            };
            patterns[of_letter(letter)].push(pattern);
        }
    }
    index
});

/// The place of a letter in an index.
fn of_letter(letter: Option<u8>) -> usize {
    usize::from(letter.unwrap_or_default().to_ascii_uppercase())
}

impl Index {
    /// The patterns that a name may have which is `upper` in upper case.
    fn for_names_like(&self, upper: &str) -> impl Iterator<Item = &Pattern> {
        let named = &self.by_first[of_letter(upper.bytes().next())];
        let ending = &self.by_last[of_letter(upper.bytes().next_back())];
        named.iter().chain(ending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variables of which a review found that they make some program run, load or believe
    /// something: those that an earlier list of names had, and those that it did not.
    const FOUND: &str = "
        MAKEFLAGS PS4 PROMPT_COMMAND NPM_CONFIG_USERCONFIG RUSTC_WRAPPER GIT_CONFIG_COUNT
        GIT_EXTERNAL_DIFF SSH_ASKPASS SSL_CERT_FILE NODE_OPTIONS NODE_EXTRA_CA_CERTS LUA_INIT
        DOTNET_STARTUP_HOOKS PERL5OPT RUBYOPT PHPRC PHP_INI_SCAN_DIR OPENSSL_CONF LESSOPEN MANPAGER
        SHELLOPTS BASH_ENV BASH_FUNC_ls ENV PATH LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES
        MALLOC_CONF GCONV_PATH HOME SHELL ZDOTDIR

        MAKEFILES GNUMAKEFLAGS MFLAGS KUBECONFIG DOCKER_CONFIG DOCKER_HOST AWS_CONFIG_FILE
        AWS_SHARED_CREDENTIALS_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_DATA_HOME XDG_DATA_DIRS PS0
        PS1 PS2 PS3 PROMPT RPROMPT http_proxy HTTP_PROXY https_proxy HTTPS_PROXY ALL_PROXY all_proxy
        npm_config_script_shell npm_config_node_options npm_config_userconfig
        NPM_CONFIG_SCRIPT_SHELL npm_config_registry PIP_INDEX_URL PIP_CONFIG_FILE
        PIP_EXTRA_INDEX_URL UV_INDEX_URL PYTHONUSERBASE PYTHONWARNINGS PYTHONPLATLIBDIR
        PYTHONEXECUTABLE PYTEST_ADDOPTS PYTEST_PLUGINS CARGO_BUILD_RUSTC_WRAPPER
        RUSTC_WORKSPACE_WRAPPER RUSTC RUSTDOC CARGO_BUILD_RUSTC
        CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER
        CARGO_ENCODED_RUSTFLAGS RUSTUP_HOME RUSTUP_TOOLCHAIN CC CXX CFLAGS GOFLAGS GOROOT GOPROXY
        GOENV CGO_CFLAGS GIT_DIR GIT_WORK_TREE GIT_SEQUENCE_EDITOR GIT_SSL_NO_VERIFY GIT_COMMON_DIR
        GIT_TRACE SUDO_ASKPASS SSH_SK_PROVIDER SSH_AUTH_SOCK CURL_HOME WGETRC REQUESTS_CA_BUNDLE
        CURL_CA_BUNDLE PSQLRC PGSSLMODE PGSERVICEFILE PGSYSCONFDIR PSQL_EDITOR PSQL_PAGER MYSQL_HOME
        VIMINIT EXINIT VIM MYVIMRC EMACSLOADPATH NODE_REPL_EXTERNAL_MODULE
        NODE_TLS_REJECT_UNAUTHORIZED BUN_OPTIONS DENO_DIR ERL_AFLAGS ERL_FLAGS ELIXIR_ERL_OPTIONS
        JULIA_LOAD_PATH R_PROFILE R_PROFILE_USER R_ENVIRON TCLLIBPATH GUILE_LOAD_PATH LUA_INIT_5_4
        LUA_PATH_5_4 JAVA_HOME JAVA_OPTS CATALINA_OPTS SBT_OPTS ANT_OPTS MAVEN_ARGS GRADLE_USER_HOME
        COR_PROFILER_PATH CORECLR_PROFILER CORECLR_PROFILER_PATH_64 CORECLR_ENABLE_PROFILING
        COMPlus_x PERLIO PERL_MM_OPT BUNDLE_GEMFILE BUNDLE_PATH COMPOSER_HOME OPENSSL_MODULES LESS
        LESSKEY LESSEDIT SYSTEMD_PAGER SYSTEMD_EDITOR MANOPT MANPATH INPUTRC BASH_LOADABLES_PATH
        FCEDIT TERMINFO_DIRS GTK_MODULES GTK_PATH GIO_EXTRA_MODULES QT_PLUGIN_PATH PKG_CONFIG_PATH
        CMAKE_TOOLCHAIN_FILE ANSIBLE_CONFIG ANSIBLE_LIBRARY TF_CLI_CONFIG_FILE TF_CLI_ARGS
        HELM_PLUGINS HELM_HOME KRB5_CONFIG GNUPGHOME PATHEXT COMSPEC PSModulePath ComSpec
        USERPROFILE KEYFOB_TRUST KEYFOB_CONFIG KEYFOB_STORE KEYFOB_LOCAL_IDENTITY
        KEYFOB_NEO_BASE_URL fish_function_path fish_user_paths READNULLCMD NULLCMD";

    /// Names that the list of an earlier version had, the review's left out.
    const EARLIER: &str = "
        IFS BASHOPTS CDPATH GLOBIGNORE FPATH NODE_PATH PYTHONPATH PYTHONSTARTUP PYTHONHOME
        PYTHONINSPECT PYTHONBREAKPOINT PERL5LIB PERL5DB PERLLIB RUBYLIB GEM_PATH GEM_HOME CLASSPATH
        JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS MAVEN_OPTS GRADLE_OPTS
        CORECLR_PROFILER_PATH LUA_PATH LUA_CPATH GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH GIT_ASKPASS
        GIT_PROXY_COMMAND GIT_TEMPLATE_DIR GIT_EDITOR GIT_PAGER EDITOR VISUAL PAGER BROWSER
        LESSCLOSE RUSTFLAGS CARGO_HOME GLIBC_TUNABLES LOCPATH NLSPATH RES_OPTIONS HOSTALIASES
        LOCALDOMAIN TERMINFO TERMCAP OPENSSL_ENGINES SSL_CERT_DIR TMPDIR";

    #[test]
    fn what_decides_what_runs_is_told() {
        for name in FOUND.split_whitespace().chain(EARLIER.split_whitespace()) {
            assert!(is_harmful(name), "{name}");
        }
    }

    #[test]
    fn what_the_review_calls_harmless_passes() {
        // Shells set PWD and OLDPWD anew, TERM only picks an entry of the system's own database, and
        // HISTFILE is where an interactive shell notes what its user types.
        for name in "GITHUB_TOKEN RACK_ENV TERM GPG_TTY HISTFILE NO_PROXY no_proxy PWD OLDPWD"
            .split_whitespace()
        {
            assert!(!is_harmful(name), "{name}");
        }
    }

    #[test]
    fn credentials_of_a_family_pass_and_keyfob_s_own_do_not() {
        for name in "CARGO_REGISTRY_TOKEN CARGO_REGISTRIES_MINE_TOKEN GIT_PASSWORD GIT_TOKEN
            npm_config__authToken NPM_CONFIG__AUTH YARN_NPM_AUTH_TOKEN UV_PUBLISH_PASSWORD
            ANSIBLE_VAULT_PASSWORD XDG_SIGNING_KEY GIT_CLIENT_SECRET DENO_AUTH_TOKENS"
            .split_whitespace()
        {
            assert!(!is_harmful(name), "{name}");
        }
        for name in "KEYFOB_FALLBACK_KEY KEYFOB_WEB_API_TOKEN KEYFOB_NEO_API_KEY GIT_CONFIG_KEY_0
            CARGO_REGISTRY_CREDENTIAL_PROVIDER ANSIBLE_VAULT_PASSWORD_FILE LESSKEY
            RESTIC_PASSWORD_COMMAND"
            .split_whitespace()
        {
            assert!(is_harmful(name), "{name}");
        }
    }

    #[test]
    fn what_applications_read_passes() {
        for name in "DATABASE_URL PGPASSWORD PGHOST DOCKER_PASSWORD DOCKER_USERNAME NPM_TOKEN
            NODE_AUTH_TOKEN NODE_ENV AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID GOOGLE_API_KEY
            GOOGLE_APPLICATION_CREDENTIALS GOOGLE_CLIENT_ID SSH_PRIVATE_KEY COMPOSER_AUTH
            BUNDLE_GEMS__CONTRIBSYS__COM TF_VAR_db_password ORG_GRADLE_PROJECT_signingKey
            MAVEN_USERNAME LDAP_PASSWORD LESSON_URL CORS_ORIGIN MYSQL_ROOT_PASSWORD ENVIRONMENT
            path ld_preload git_dir home HF_TOKEN STRIPE_KEY PROXY_URL"
            .split_whitespace()
        {
            assert_eq!(
                is_harmful(name),
                cfg!(windows) && is_harmful(&name.to_uppercase()),
                "{name}"
            );
        }
    }

    #[test]
    fn case_counts_only_where_programs_take_but_one() {
        for name in
            "Http_Proxy NPM_config_Registry comspec PsModulePath yarn_yarn_path".split_whitespace()
        {
            assert!(is_harmful(name), "{name}");
        }
    }
}
