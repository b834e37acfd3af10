//! What a command works with: the options and the environment made into a configuration, services
//! and a way to talk to the user. Each part is made when it is first needed.

pub mod consent;
mod referred;

use std::cell::{Cell, OnceCell};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anstream::ColorChoice as Colors;
use clap::{Args, ValueEnum, ValueHint};

use crate::config::review;
use crate::config::trust::{TrustRecord, Untrusted};
use crate::config::{Config, Files, LoadOptions};
use crate::credential;
use crate::http::{Deadline, Http, Lost};
use crate::identity::asking;
use crate::identity::sealed::Notice;
use crate::keyring::Keyring;
use crate::providers::{Services, registry};
use crate::session::Sessions;
use crate::session::cache::TokenCache;
use crate::state::named;
use crate::store::Store;
use crate::ui::{self, Bar, Spinner, Ui};
use crate::words::duration::HumanDuration;
use crate::words::env::{Environment, Folders};
use crate::words::error::{Error, Result};
use crate::words::progress;
use crate::words::secret::{Reference, StoreName, Target};
use referred::{Loaded, Referred};

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The store to use [env: KEYFOB_STORE] [default: the configuration's default_store, else local]
    #[arg(short, long, global = true, value_name = "NAME")]
    pub store: Option<StoreName>,
    /// The profile of the configuration to use [env: KEYFOB_PROFILE]
    #[arg(short = 'P', long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Use this configuration file and look for no other; none: your own alone [env: KEYFOB_CONFIG]
    #[arg(short = 'C', long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Print one JSON document on stdout, and errors as JSON on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Tell what is asked of whom; given twice, with the time
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours [env: NO_COLOR]
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Never ask for anything [env: KEYFOB_NO_INPUT; implied by CI and without a terminal]
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Deadline of all network work, such as 500ms, 30s or 5m; 0 is none [env: KEYFOB_TIMEOUT] [default: 30s]
    #[arg(long, global = true, value_name = "DURATION")]
    pub timeout: Option<HumanDuration>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Everything a command works with.
pub struct App {
    /// The environment.
    pub env: Environment,
    /// How to talk to the user.
    pub ui: Ui,
    global: Global,
    wait: OnceCell<Duration>,
    folders: OnceCell<Folders>,
    config: Loaded,
    leaves_out: Cell<bool>,
    services: OnceCell<Rc<Services>>,
}

impl App {
    /// Takes the options and the environment over; reads and checks nothing yet.
    pub fn new(global: Global, env: Environment) -> Self {
        ui::at_home(env.home().as_deref());
        let ui = self::ui(&global, &env);
        let app = Self {
            env,
            ui,
            global,
            wait: OnceCell::new(),
            folders: OnceCell::new(),
            config: Loaded::default(),
            leaves_out: Cell::new(false),
            services: OnceCell::new(),
        };
        // A word that makes no sense is an error of whatever needs it.
        if let Ok(limit) = app.limit() {
            named::introduce(limit);
        }
        app
    }

    /// keyfob's own folders.
    ///
    /// # Errors
    /// `config` on a machine without a home folder, `usage` where `KEYFOB_TIMEOUT` is no duration.
    pub fn folders(&self) -> Result<&Folders> {
        if let Some(folders) = self.folders.get() {
            return Ok(folders);
        }
        let mut folders = Folders::new().ok_or_else(|| {
            Error::config("there is no home folder to keep anything in").hint("set HOME")
        })?;
        if let Some(limit) = self.timeout()?.and_then(HumanDuration::limit) {
            folders.patience = folders.patience.min(limit);
        }
        Ok(self.folders.get_or_init(|| folders))
    }

    /// The files that option or environment make the configuration of.
    pub fn files(&self) -> Files {
        let named = self.global.config.clone();
        let named = named.or_else(|| self.env.var_os("KEYFOB_CONFIG").map(PathBuf::from));
        named.map_or(Files::Found, Files::of)
    }

    /// Has a project's file that is not trusted left out, from here on, where it would be an error.
    pub fn leave_out_untrusted(&self) {
        self.leaves_out.set(true);
    }

    /// The merged configuration. Where a project's file is not trusted, a person at the terminal is
    /// shown what it decides, and asked once.
    ///
    /// # Errors
    /// `untrusted` where it still is not, and is not to be [left out](Self::leave_out_untrusted);
    /// otherwise as [`Config::load`].
    pub fn config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let options = self.load_options()?;
        let mut config = Config::load(&options)?;
        if !self.leaves_out.get() {
            if let Some(untrusted) = config.left_out()
                && self.consents(untrusted, &options)?
            {
                config = Config::load(&options)?;
            }
            if let Some(untrusted) = config.left_out() {
                return Err(untrusted.error());
            }
        }
        if let Some(profile) = self.profile() {
            config.choose_profile(profile)?;
        }
        Ok(self.config.get_or_init(|| config))
    }

    /// The profile that option or environment choose.
    pub fn profile(&self) -> Option<&str> {
        let named = self.global.profile.as_deref();
        named.or_else(|| self.env.var("KEYFOB_PROFILE"))
    }

    /// Checks that a project's file, where one was found, counts.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub fn check_trust(&self) -> Result<()> {
        match self.files() {
            Files::Found => self.config().map(drop),
            Files::Own | Files::Named(_) => Ok(()),
        }
    }

    /// Whether the user, asked now, lets the file count.
    fn consents(&self, untrusted: &Untrusted, options: &LoadOptions<'_>) -> Result<bool> {
        if !untrusted.can_be_trusted() || !self.ui.can_show_and_ask() {
            return Ok(false);
        }
        let review = review::review(options, &untrusted.path)?;
        // Nobody can answer what was not shown.
        let ui = Ui {
            quiet: false,
            ..self.ui
        };
        ui.note(&untrusted.words());
        consent::show(&review, &ui);
        let consents = consent::ask(&review, &ui)?;
        if consents {
            review.allow(&TrustRecord::new(options.folders))?;
        }
        Ok(consents)
    }

    /// What the configuration is loaded from.
    pub fn load_options(&self) -> Result<LoadOptions<'_>> {
        Ok(LoadOptions {
            env: &self.env,
            folders: self.folders()?,
            files: self.files(),
            schemas: registry::SCHEMAS,
        })
    }

    /// Changes a configuration file with `change`.
    pub fn edit(&self, change: impl FnOnce(&LoadOptions<'_>) -> Result<()>) -> Result<()> {
        change(&self.load_options()?)
    }

    /// The store that commands use when none is named with the secret: `--store`, else
    /// `KEYFOB_STORE`, else `default_store`, else `local`.
    pub fn selected_store(&self) -> Result<StoreName> {
        if let Some(name) = &self.global.store {
            return Ok(name.clone());
        }
        match self.env.var("KEYFOB_STORE") {
            Some(name) => StoreName::new(name).map_err(|error| error.context("KEYFOB_STORE")),
            None => self.default_store(),
        }
    }

    /// The store that is used where neither option nor environment names one.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub fn default_store(&self) -> Result<StoreName> {
        match self.config()?.default_store()? {
            Some(name) => Ok(name.clone()),
            None => StoreName::new("local"),
        }
    }

    /// What names the store, where option or environment do and not the configuration.
    pub fn store_named_by(&self) -> Option<&'static str> {
        match &self.global.store {
            Some(_) => Some("--store"),
            None => self.env.var("KEYFOB_STORE").map(|_| "KEYFOB_STORE"),
        }
    }

    /// The store named with `--store`, where one is.
    pub fn named_store(&self) -> Option<&StoreName> {
        self.global.store.as_ref()
    }

    /// The reference that `target` stands for.
    pub fn reference(&self, target: &Target) -> Result<Reference> {
        Ok(match target {
            Target::Reference(reference) => reference.clone(),
            Target::Name(name) => Reference {
                store: self.selected_store()?,
                name: name.clone(),
            },
        })
    }

    /// Opens a store.
    pub fn open(&self, name: &StoreName) -> Result<Store> {
        Store::open(name, self.config()?, self.services()?)
    }

    /// Remembers how long `--wait` is willing to wait. Said before the services are made.
    pub fn waits(&self, wait: Option<HumanDuration>) {
        if let Some(wait) = wait {
            self.wait.get_or_init(|| wait.get());
        }
    }

    /// What providers work with.
    pub fn services(&self) -> Result<&Rc<Services>> {
        if let Some(services) = self.services.get() {
            return Ok(services);
        }
        let ui = self.ui;
        let folders = self.folders()?.clone();
        let timeout = self.limit()?;
        let withheld = credential::withheld(registry::SCHEMAS, &self.env);
        let theirs = self.env.vars_without(&withheld);
        let theirs = theirs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        asking::introduce(ui, timeout, theirs.collect());
        if ui.shows_waits() {
            progress::introduce(Spinner::default());
        }
        let lost = Lost::default();
        let deadline = Rc::new(Deadline::after(timeout).less(lost.clone()));
        let keyring = Keyring::new(&self.env, ui.interactive)?
            .within(timeout)
            .telling(lost, move |text| ui.warn(text));
        let bar = Bar::new(&self.ui);
        let beside = bar.clone();
        let log = Rc::new(move |line: &str| beside.aside(|| ui.trace(1, line)));
        let beside = bar.clone();
        let notice: Notice = Rc::new(move |message| beside.aside(|| ui.note(message)));
        let http = Http::new(deadline, log);
        let sessions = Sessions::new(
            TokenCache::from_env(&self.env, &keyring)?,
            Some(folders.cache.clone()),
        )
        .noted_in(folders.data.join("sessions"));
        let services = Rc::new_cyclic(|services| Services {
            references: Rc::new(Referred {
                config: Rc::clone(&self.config),
                services: services.clone(),
            }),
            http: http
                .in_environment(&self.env)
                .with_notice(Rc::clone(&notice)),
            sessions,
            keyring,
            withheld,
            env: self.env.clone(),
            folders,
            progress: Rc::new(bar),
            notice,
            is_heard: true,
            wait: self.wait.get().copied(),
        });
        Ok(self.services.get_or_init(|| services))
    }

    /// How long to wait for somebody else; `None` is for ever.
    ///
    /// # Errors
    /// As [`timeout`](Self::timeout).
    pub fn limit(&self) -> Result<Option<Duration>> {
        let timeout = self.timeout()?;
        Ok(timeout.map_or(Some(DEFAULT_TIMEOUT), HumanDuration::limit))
    }

    /// How long network work may take, as the user says: `None` where nothing is said, no
    /// duration where it is said that it may take for ever.
    ///
    /// # Errors
    /// `usage` where `KEYFOB_TIMEOUT` is no duration.
    pub fn timeout(&self) -> Result<Option<HumanDuration>> {
        if self.global.timeout.is_some() {
            return Ok(self.global.timeout);
        }
        let text = self.env.var("KEYFOB_TIMEOUT");
        text.map(|text| {
            text.parse::<HumanDuration>()
                .map_err(|error| error.context("KEYFOB_TIMEOUT"))
        })
        .transpose()
    }
}

/// How to talk to the user under these options.
pub fn ui(global: &Global, env: &Environment) -> Ui {
    let silent = global.no_input || env.flag("KEYFOB_NO_INPUT") || env.flag("CI");
    Ui {
        json: global.json,
        quiet: global.quiet,
        verbose: global.verbose,
        color: match global.color {
            ColorChoice::Auto => Colors::Auto,
            ColorChoice::Always => Colors::Always,
            ColorChoice::Never => Colors::Never,
        },
        interactive: !silent && io::stdin().is_terminal(),
    }
}
