//! Keys that are used by an `age-plugin-NAME` in the `PATH`: it is started for each file, and told
//! the key and what to wrap or unwrap with it. It may want a person to do something.

use std::collections::HashSet;
use std::io;
use std::slice;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use age::secrecy::{ExposeSecret as _, SecretString};
use age::{Callbacks, DecryptError, EncryptError};
use age_core::format::{FileKey, Stanza};

use super::asking;
use super::program;
use super::trouble::Trouble;
use crate::words::error::Result;

/// A private key, or what stands for one in a device.
pub struct PluginIdentity {
    identity: age::plugin::Identity,
    trouble: Trouble,
}

impl PluginIdentity {
    /// The key; what keeps it from being used goes to `trouble`.
    pub fn new(identity: age::plugin::Identity, trouble: Trouble) -> Self {
        Self { identity, trouble }
    }

    /// The key as it is written.
    pub fn text(&self) -> String {
        self.identity.to_string()
    }
}

impl age::Identity for PluginIdentity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(slice::from_ref(stanza))
    }

    /// `None` where it cannot: another key may.
    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let identity = self.identity.clone();
        let stanzas: Vec<Stanza> = stanzas.iter().map(copy).collect();
        let unwrapped = bounded(move |person| {
            let text = identity.to_string();
            program::unwrap(identity.plugin(), &text, &stanzas, &person)
        });
        let why = match unwrapped {
            Some(Ok(Some(file_key))) => return Some(Ok(file_key)),
            Some(Ok(None)) => return None,
            Some(Err(why)) => words(&why),
            None => late(self.identity.plugin()),
        };
        self.trouble.note(why);
        None
    }
}

/// A public key that only its plugin can encrypt to.
#[derive(Clone)]
pub struct PluginRecipient(pub age::plugin::Recipient);

impl age::Recipient for PluginRecipient {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let recipient = self.0.clone();
        let file_key = FileKey::init_with_mut(|own| own.copy_from_slice(file_key.expose_secret()));
        let wrapped = bounded(move |person| {
            let text = recipient.to_string();
            program::wrap(recipient.plugin(), &text, &file_key, &person)
        });
        match wrapped {
            Some(Ok(wrapped)) => Ok(wrapped),
            Some(Err(why)) => Err(io::Error::other(words(&why)).into()),
            None => Err(io::Error::other(late(self.0.plugin())).into()),
        }
    }
}

fn copy(stanza: &Stanza) -> Stanza {
    Stanza {
        tag: stanza.tag.clone(),
        args: stanza.args.clone(),
        body: stanza.body.clone(),
    }
}

fn late(plugin: &str) -> String {
    format!("age-plugin-{plugin} did not answer in time")
}

/// What a plugin says, in one line.
fn words(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// What happens while a plugin works.
enum Event {
    /// A person is asked something.
    Asked,
    /// The person has answered.
    Answered,
    /// The work is done.
    Done,
}

/// Has `work` use a plugin; `None` where that takes longer than it may, without the time in which
/// a person was asked. The plugin is then left to itself, and ends when keyfob does, with its input.
fn bounded<T: Send + 'static>(work: impl FnOnce(Person) -> T + Send + 'static) -> Option<T> {
    let (send, events) = mpsc::channel();
    let person = Person(send.clone());
    let worker = thread::spawn(move || {
        let done = work(person);
        // Nobody may be waiting any more.
        let _ = send.send(Event::Done);
        done
    });
    let mut asked = false;
    loop {
        let event = match asking::limit() {
            Some(limit) if !asked => events.recv_timeout(limit),
            _ => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match event {
            Ok(Event::Asked) => asked = true,
            Ok(Event::Answered) => asked = false,
            Ok(Event::Done) => return worker.join().ok(),
            Err(_) => return None,
        }
    }
}

/// The person at the terminal, for the library, and whoever waits for the two.
#[derive(Clone)]
struct Person(Sender<Event>);

impl Person {
    /// What `ask` brings; `None` where nobody may be asked.
    fn answer<T>(&self, ask: impl FnOnce() -> Result<T>) -> Option<T> {
        let _ = self.0.send(Event::Asked);
        let answer = ask();
        let _ = self.0.send(Event::Answered);
        answer.ok()
    }
}

impl Callbacks for Person {
    fn display_message(&self, message: &str) {
        asking::say(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let choices = match no {
            Some(no) => format!("yes: {yes}, no: {no}"),
            None => format!("yes: {yes}"),
        };
        self.answer(|| asking::confirm(&format!("{message} ({choices})")))
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.answer(|| asking::line(description))
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        self.answer(|| asking::secret(description))
    }
}
