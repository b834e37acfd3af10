//! A look at the Secret Service before the `keyring` crate uses it, over a connection of its own.
//!
//! The crate has whatever it finds locked unlocked, which pops up a dialogue or waits for one
//! that nobody sees. Asking first also answers for a missing entry without the crate.

use std::collections::HashMap;
use std::path::Path;

use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::ring::{Fault, Outlook, Unreachable};
use crate::words::env::Environment;

/// What this platform's keyring is called.
pub(super) const NAME: &str = "Secret Service";

const BUS_NAME: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
const COLLECTION_INTERFACE: &str = "org.freedesktop.Secret.Collection";

/// The session bus, connected when first asked.
pub(super) struct Gate {
    address: String,
    bus: Option<Connection>,
}

impl Gate {
    /// The gate to the session bus that `env` names, or `None` where it names none.
    pub(super) fn new(env: &Environment) -> Option<Self> {
        // The `keyring` crate takes a variable that is set to nothing for an address.
        let address = match env.raw("DBUS_SESSION_BUS_ADDRESS") {
            Some(address) => {
                let address = address.to_str().filter(|address| !address.is_empty());
                address?.to_owned()
            }
            None => {
                let socket = Path::new(env.var_os("XDG_RUNTIME_DIR")?).join("bus");
                socket.try_exists().ok().filter(|there| *there)?;
                format!("unix:path={}", socket.to_str()?)
            }
        };
        Some(Self { address, bus: None })
    }

    /// Where the bus is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What is to be expected of the entry, if nothing is locked.
    pub(super) fn outlook(&mut self, service: &str, account: &str) -> Result<Outlook, Fault> {
        let attributes = HashMap::from([("service", service), ("username", account)]);
        let proxy = self.service()?;
        let (unlocked, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) = proxy
            .call("SearchItems", &(attributes,))
            .map_err(unreachable)?;
        if !locked.is_empty() {
            return Err(Fault::Keyring(Unreachable::Locked));
        }
        if !unlocked.is_empty() {
            return Ok(Outlook::Possible);
        }
        // Some services show nothing of a locked collection, so that only an open one can tell
        // that there is no such entry; and a new entry goes into the default collection.
        self.check()?;
        Ok(Outlook::Missing)
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

    fn service(&mut self) -> Result<Proxy<'static>, Fault> {
        let bus = match &self.bus {
            Some(bus) => bus,
            None => self.bus.insert(
                Builder::address(self.address.as_str())
                    .and_then(Builder::build)
                    .map_err(unconnected)?,
            ),
        };
        Proxy::new(bus, BUS_NAME, SERVICE_PATH, SERVICE_INTERFACE).map_err(unreachable)
    }
}

/// A bus that cannot be connected to is none.
fn unconnected(error: zbus::Error) -> Fault {
    Fault::Keyring(match error {
        zbus::Error::Handshake(why) => Unreachable::Faulty(format!("the session bus: {why}")),
        _ => Unreachable::Absent,
    })
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
