//! What a command works with: the options and the environment made into a configuration, services
//! and a way to talk to the user. Each part is made when it is first needed.

use std::cell::OnceCell;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anstream::ColorChoice;

use crate::auth::cache::{Policy, TokenCache};
use crate::auth::keyring::Keyring;
use crate::auth::session::Sessions;
use crate::cli::{self, Global, WaitArg};
use crate::config::{Config, LoadOptions};
use crate::duration::HumanDuration;
use crate::env::{Environment, Folders};
use crate::error::{Error, Result};
use crate::http::{Deadline, Http};
use crate::providers::{Services, registry};
use crate::render::{Bar, Ui};
use crate::secret::{Reference, StoreName, Target};
use crate::store::Store;

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
    config: OnceCell<Config>,
    services: OnceCell<Rc<Services>>,
}

impl App {
    /// Takes the options and the environment over; reads and checks nothing yet.
    pub fn new(global: Global, env: Environment) -> Self {
        let ui = ui(&global, &env);
        Self {
            env,
            ui,
            global,
            wait: OnceCell::new(),
            folders: OnceCell::new(),
            config: OnceCell::new(),
            services: OnceCell::new(),
        }
    }

    /// keyfob's own folders.
    ///
    /// # Errors
    /// `config` on a machine without a home folder.
    pub fn folders(&self) -> Result<&Folders> {
        if let Some(folders) = self.folders.get() {
            return Ok(folders);
        }
        let folders = Folders::new().ok_or_else(|| {
            Error::config("there is no home folder to keep anything in").hint("set HOME")
        })?;
        Ok(self.folders.get_or_init(|| folders))
    }

    /// The configuration file named by option or environment.
    pub fn explicit_config(&self) -> Option<PathBuf> {
        match &self.global.config {
            Some(path) => Some(path.clone()),
            None => self.env.var_os("KEYFOB_CONFIG").map(PathBuf::from),
        }
    }

    /// The merged configuration.
    pub fn config(&self) -> Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = Config::load(&self.load_options()?)?;
        Ok(self.config.get_or_init(|| config))
    }

    /// What the configuration is loaded from.
    pub fn load_options(&self) -> Result<LoadOptions<'_>> {
        Ok(LoadOptions {
            env: &self.env,
            folders: self.folders()?,
            explicit: self.explicit_config(),
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
            None => match self.config()?.default_store()? {
                Some(name) => Ok(name.clone()),
                None => StoreName::new("local"),
            },
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
    pub fn waits(&self, wait: WaitArg) {
        if let Some(wait) = wait.wait {
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
        let timeout = self.timeout()?;
        let deadline = Arc::new(Deadline::after(
            timeout.map_or(Some(DEFAULT_TIMEOUT), HumanDuration::limit),
        ));
        let keyring = Keyring::new(&self.env);
        let bar = Bar::new(ui.quiet);
        let (told, noticed) = (bar.clone(), bar.clone());
        let services = Services {
            http: Http::new(
                Arc::clone(&deadline),
                Arc::new(move |line| told.aside(|| ui.trace(1, line))),
            ),
            sessions: Sessions::new(
                TokenCache::new(Policy::from_env(&self.env)?, keyring.clone()),
                Some(folders.cache.clone()),
            ),
            keyring,
            env: self.env.clone(),
            folders,
            progress: Rc::new(bar),
            notice: Arc::new(move |message| noticed.aside(|| ui.note(message))),
            wait: self.wait.get().copied(),
        };
        Ok(self.services.get_or_init(|| Rc::new(services)))
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
            cli::ColorChoice::Auto => ColorChoice::Auto,
            cli::ColorChoice::Always => ColorChoice::Always,
            cli::ColorChoice::Never => ColorChoice::Never,
        },
        interactive: !silent && io::stdin().is_terminal(),
    }
}
