//! The Secret Service on the session bus, as keyfob uses it: over one connection, to the first
//! address that somebody listens at, and without ever having anything unlocked, which would pop up
//! a dialogue or wait for one that nobody sees.

use std::collections::HashMap;
use std::path::Path;

use secret_service::EncryptionType;
use secret_service::blocking::SecretService;
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};
use zeroize::Zeroizing;

use super::ring::{Fault, Unreachable};
use crate::words::env::Environment;

/// What this platform's keyring is called.
pub(super) const NAME: &str = "Secret Service";

/// Whether it may ask a person whether this program is to be let in: here nothing does.
pub(super) const ASKS: bool = false;

const BUS_NAME: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
const COLLECTION_INTERFACE: &str = "org.freedesktop.Secret.Collection";

/// What secrets are said to be; they may be any bytes.
const CONTENT_TYPE: &str = "application/octet-stream";

/// The session bus, connected when first asked.
pub(super) struct Gate {
    addresses: String,
    bus: Option<Connection>,
    /// The session in which secrets travel encrypted.
    session: Option<SecretService<'static>>,
}

/// The items of an account.
struct Items {
    open: Vec<OwnedObjectPath>,
    locked: Vec<OwnedObjectPath>,
}

impl Items {
    /// Those that are open, where none is locked.
    fn all_open(self) -> Result<Vec<OwnedObjectPath>, Fault> {
        match self.locked.is_empty() {
            true => Ok(self.open),
            false => Err(Fault::Keyring(Unreachable::Locked)),
        }
    }
}

impl Gate {
    /// The gate to the session bus that `env` names, or `None` where it names none.
    pub(super) fn new(env: &Environment) -> Option<Self> {
        let addresses = match env.raw("DBUS_SESSION_BUS_ADDRESS") {
            // Set to nothing, it says that there is none.
            Some(addresses) => {
                let addresses = addresses.to_str().filter(|list| !list.is_empty());
                addresses?.to_owned()
            }
            None => {
                let socket = Path::new(env.var_os("XDG_RUNTIME_DIR")?).join("bus");
                socket.try_exists().ok().filter(|there| *there)?;
                format!("unix:path={}", socket.to_str()?)
            }
        };
        Some(Self {
            addresses,
            bus: None,
            session: None,
        })
    }

    /// Where the bus is.
    pub(super) fn address(&self) -> &str {
        &self.addresses
    }

    /// Whether entries can be kept: there is a default collection, and it is open.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        let proxy = self.service()?;
        let default: OwnedObjectPath = proxy
            .call("ReadAlias", &("default",))
            .map_err(unreachable)?;
        if default.as_str() == "/" {
            return Err(Fault::Keyring(Unreachable::Faulty(
                "it has no default collection".to_owned(),
            )));
        }
        // Asked for directly: a proxy would fetch all properties and subscribe to their changes.
        let locked = proxy
            .connection()
            .call_method(
                Some(BUS_NAME),
                &default,
                Some("org.freedesktop.DBus.Properties"),
                "Get",
                &(COLLECTION_INTERFACE, "Locked"),
            )
            .and_then(|answer| {
                let value: OwnedValue = answer.body().deserialize()?;
                Ok(bool::try_from(value)?)
            })
            .map_err(unreachable)?;
        if locked {
            return Err(Fault::Keyring(Unreachable::Locked));
        }
        Ok(())
    }

    /// What is kept under `account`, of each item that is open. Locked ones beside it are copies
    /// that somebody has put away.
    pub(super) fn read(
        &mut self,
        service: &str,
        account: &str,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, Fault> {
        let items = self.items(service, account)?;
        let open = match items.open.is_empty() {
            true => items.all_open()?,
            false => items.open,
        };
        let mut secrets = Vec::with_capacity(open.len());
        if open.is_empty() {
            return Ok(secrets);
        }
        let session = self.session()?;
        for path in open {
            let secret = session
                .get_item_by_path(path)
                .and_then(|item| item.get_secret());
            secrets.extend(found(secret)?.map(Zeroizing::new));
        }
        Ok(secrets)
    }

    /// Keeps `secret` under `account`, in place of what is there, be it several items.
    pub(super) fn write(
        &mut self,
        service: &str,
        account: &str,
        secret: &[u8],
    ) -> Result<(), Fault> {
        let mut paths = self.items(service, account)?.all_open()?.into_iter();
        let session = self.session()?;
        let kept = match paths.next() {
            None => None,
            Some(path) => found(
                session
                    .get_item_by_path(path)
                    .and_then(|item| item.set_secret(secret, CONTENT_TYPE)),
            )?,
        };
        if kept.is_none() {
            let attributes = HashMap::from([("service", service), ("username", account)]);
            // As the `keyring` crate names them, by which earlier versions kept them.
            let label = format!("keyring:{account}@{service}");
            let default = session.get_default_collection().map_err(fault)?;
            default
                .create_item(&label, attributes, secret, true, CONTENT_TYPE)
                .map_err(fault)?;
        }
        for double in paths {
            remove(session, double)?;
        }
        Ok(())
    }

    /// Forgets what is kept under `account`, be it several items; tells whether there was anything.
    pub(super) fn delete(&mut self, service: &str, account: &str) -> Result<bool, Fault> {
        let paths = self.items(service, account)?.all_open()?;
        let mut any = false;
        if !paths.is_empty() {
            let session = self.session()?;
            for path in paths {
                any |= remove(session, path)?;
            }
        }
        Ok(any)
    }

    /// The items of `account`. Where there are none, that is for sure.
    fn items(&mut self, service: &str, account: &str) -> Result<Items, Fault> {
        let attributes = HashMap::from([("service", service), ("username", account)]);
        let proxy = self.service()?;
        let (open, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) = proxy
            .call("SearchItems", &(attributes,))
            .map_err(unreachable)?;
        if open.is_empty() && locked.is_empty() {
            // Some services show nothing of a locked collection, so that only an open one can tell
            // that there is no such item; and a new one goes into the default collection.
            self.check()?;
        }
        Ok(Items { open, locked })
    }

    fn service(&mut self) -> Result<Proxy<'static>, Fault> {
        let bus = self.bus()?;
        Proxy::new(bus, BUS_NAME, SERVICE_PATH, SERVICE_INTERFACE).map_err(unreachable)
    }

    fn session(&mut self) -> Result<&SecretService<'static>, Fault> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let bus = self.bus()?.clone();
                SecretService::connect_with_existing(EncryptionType::Dh, bus).map_err(fault)?
            }
        };
        Ok(self.session.insert(session))
    }

    fn bus(&mut self) -> Result<&Connection, Fault> {
        let bus = match self.bus.take() {
            Some(bus) => bus,
            None => connect(&self.addresses)?,
        };
        Ok(self.bus.insert(bus))
    }
}

/// Connects to the first of `addresses`, which semicolons separate, that can be connected to, as
/// the D-Bus specification has it.
fn connect(addresses: &str) -> Result<Connection, Fault> {
    let mut why = Fault::Keyring(Unreachable::Absent);
    for address in addresses.split(';').filter(|address| !address.is_empty()) {
        match Builder::address(address).and_then(Builder::build) {
            Ok(bus) => return Ok(bus),
            // One at which somebody answers badly says more than one at which nobody does.
            Err(zbus::Error::Handshake(words)) => {
                let words = format!("the session bus: {words}");
                why = Fault::Keyring(Unreachable::Faulty(words));
            }
            Err(_) => {}
        }
    }
    Err(why)
}

/// Deletes the item at `path`; tells whether it was still there.
fn remove(session: &SecretService<'static>, path: OwnedObjectPath) -> Result<bool, Fault> {
    let removed = session
        .get_item_by_path(path)
        .and_then(|item| item.delete());
    Ok(found(removed)?.is_some())
}

/// Tells an item that somebody has deleted meanwhile from one that cannot be used.
fn found<T>(result: Result<T, secret_service::Error>) -> Result<Option<T>, Fault> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if name(&error) == Some("org.freedesktop.Secret.Error.NoSuchObject") => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

/// What the service calls an error.
fn name(error: &secret_service::Error) -> Option<&str> {
    match error {
        secret_service::Error::Zbus(zbus::Error::MethodError(name, ..)) => Some(name.as_str()),
        _ => None,
    }
}

/// What an error of the client means; none of its messages holds a secret.
fn fault(error: secret_service::Error) -> Fault {
    use secret_service::Error;

    if name(&error) == Some("org.freedesktop.Secret.Error.IsLocked") {
        return Fault::Keyring(Unreachable::Locked);
    }
    match error {
        // What asks a person is not waited for.
        Error::Locked | Error::NoResult | Error::Prompt | Error::PromptDisconnected => {
            Fault::Keyring(Unreachable::Locked)
        }
        Error::Crypto(_) | Error::Zvariant(_) => {
            Fault::Entry("an entry in it is damaged".to_owned())
        }
        Error::Zbus(error) => unreachable(error),
        error => Fault::Keyring(Unreachable::Faulty(error.to_string())),
    }
}

/// A bus without a Secret Service, and without the means to start one, has no keyring.
fn unreachable(error: zbus::Error) -> Fault {
    const NOBODY: [&str; 2] = [
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
    ];
    Fault::Keyring(match &error {
        zbus::Error::MethodError(name, ..)
            if NOBODY.contains(&name.as_str())
                || name.starts_with("org.freedesktop.DBus.Error.Spawn.") =>
        {
            Unreachable::Absent
        }
        _ => Unreachable::Faulty(error.to_string()),
    })
}
