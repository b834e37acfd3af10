//! The OS keyring, reached in time or not at all.
//!
//! A keyring that is absent, locked, hanging or damaged is an [`Unreachable`], never a failure of
//! the command: each caller has another way, or says in its own words what it needed. Nothing
//! here prompts: what is locked stays so.

use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::http::Lost;
use crate::words::duration::HumanDuration;
use crate::words::env::Environment;
use crate::words::error::Error;
use crate::words::progress::waiting_for;

#[cfg(all(
    unix,
    not(any(target_os = "macos", target_os = "ios", target_os = "android"))
))]
#[path = "secret_service.rs"]
mod gate;
#[cfg(not(all(
    unix,
    not(any(target_os = "macos", target_os = "ios", target_os = "android"))
)))]
#[path = "native.rs"]
mod gate;

#[cfg(target_os = "linux")]
#[path = "keyutils.rs"]
pub mod kernel;
mod memory;
mod ring;

use memory::Memory;
use ring::Fault;
pub use ring::{Ring, Unreachable};

/// What this platform's keyring is called.
pub const NAME: &str = gate::NAME;

/// The variable that says what all calls of a process together may take; `0` is as long as they
/// like.
pub const TIMEOUT_VARIABLE: &str = "KEYFOB_KEYRING_TIMEOUT";

/// What they may take where it says nothing. A person waits for it once, not at every call.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What they may take where the system may ask a person who sits there to let keyfob in.
const ASKED: Duration = Duration::from_secs(30);

/// What they may take where it did not answer earlier in this login session: enough for one that does
/// again.
const BRIEF: Duration = Duration::from_millis(100);

/// The service under which everything of keyfob is kept; the account tells entries apart.
const SERVICE: &str = "keyfob";

/// What `doctor` tells of the keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What keyring this platform has: "Secret Service", "Keychain", "Credential Manager".
    pub name: &'static str,
    /// Why it cannot be used; `None` where it can.
    pub why: Option<Unreachable>,
    /// How long finding that out took.
    pub took: Duration,
}

impl Status {
    /// Whether entries can be read and written.
    pub fn reachable(&self) -> bool {
        self.why.is_none()
    }
}

/// The OS keyring. Making one touches nothing; the first call connects. Clones share what was
/// learnt: once it was found unreachable, it is not tried again in this process.
///
/// The default one is unreachable, for tests and for commands that must not use it.
#[derive(Clone)]
pub struct Keyring(Arc<Mutex<State>>);

struct State {
    /// Why it is not tried any more.
    verdict: Option<Unreachable>,
    /// What calls may still take.
    left: Duration,
    /// Where it is remembered that it did not answer.
    memory: Option<Memory>,
    /// What was waited for in vain.
    lost: Lost,
    /// Told when it does not answer, and did before.
    notice: Option<Notice>,
    stage: Stage,
}

/// Tells the user something.
type Notice = Box<dyn Fn(&str) + Send>;

enum Stage {
    /// Nothing was called yet.
    New(gate::Gate),
    /// The worker has the connection and does one job after the other. One that hangs is left
    /// behind; the process's end ends it.
    Working(Sender<Job>),
    /// There is no keyring to talk to.
    Absent,
}

type Job = Box<dyn FnOnce(&mut gate::Gate) + Send>;

impl Default for Keyring {
    fn default() -> Self {
        Self::made(Stage::Absent)
    }
}

impl Keyring {
    /// A handle that has not connected yet. Where `env` shows that this session has no keyring,
    /// it never will. `attended`: somebody sits there who can be asked.
    ///
    /// # Errors
    /// `usage` where [`TIMEOUT_VARIABLE`] is no duration.
    pub fn new(env: &Environment, attended: bool) -> Result<Self, Error> {
        let timeout = env.var(TIMEOUT_VARIABLE).map(str::parse::<HumanDuration>);
        let timeout = timeout.transpose();
        let timeout = timeout.map_err(|error| error.context(TIMEOUT_VARIABLE))?;
        let gate = gate::Gate::new(env);
        // Who says how long to wait is waited for, each time.
        let memory = gate
            .as_ref()
            .filter(|_| timeout.is_none())
            .and_then(|gate| Memory::new(env, gate.address()));
        let keyring = Self::made(gate.map_or(Stage::Absent, Stage::New));
        let mut state = keyring.state();
        state.left = match timeout {
            Some(timeout) => timeout.limit().unwrap_or(Duration::MAX),
            None if memory.as_ref().is_some_and(Memory::is_silent) => BRIEF,
            None => patience(gate::ASKS, attended),
        };
        state.memory = memory;
        drop(state);
        Ok(keyring)
    }

    /// The same, whose calls take no more than `limit` together.
    pub fn within(self, limit: Option<Duration>) -> Self {
        let mut state = self.state();
        state.left = limit.map_or(state.left, |limit| limit.min(state.left));
        drop(state);
        self
    }

    /// The same, which adds to `lost` what was waited for in vain, and tells `notice` of it, once in
    /// a login session.
    pub fn telling(self, lost: Lost, notice: impl Fn(&str) + Send + 'static) -> Self {
        let mut state = self.state();
        state.lost = lost;
        state.notice = Some(Box::new(notice));
        drop(state);
        self
    }

    fn made(stage: Stage) -> Self {
        Self(Arc::new(Mutex::new(State {
            verdict: matches!(stage, Stage::Absent).then_some(Unreachable::Absent),
            left: TIMEOUT,
            memory: None,
            lost: Lost::default(),
            notice: None,
            stage,
        })))
    }

    /// Finds out whether the keyring can be used, without reading or writing anything in it.
    pub fn probe(&self) -> Status {
        let begun = Instant::now();
        let why = self.call(|gate| gate.check()).err();
        Status {
            name: gate::NAME,
            why,
            took: begun.elapsed(),
        }
    }

    /// Whether anything was sent to the keyring so far.
    pub fn touched(&self) -> bool {
        matches!(self.state().stage, Stage::Working(_))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the worker do `work`, for as long as is left.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut gate::Gate) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Unreachable> {
        let mut state = self.state();
        if let Some(why) = &state.verdict {
            return Err(why.clone());
        }
        let begun = Instant::now();
        let _waiting = waiting_for("the OS keyring");
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |gate| {
            // Nobody may be waiting any more.
            let _ = answer.send(work(gate));
        });
        let result = match state.send(job) {
            Ok(()) => match answered.recv_timeout(state.left) {
                Ok(result) => result,
                Err(RecvTimeoutError::Timeout) => Err(Fault::Keyring(Unreachable::Slow)),
                Err(RecvTimeoutError::Disconnected) => Err(gone()),
            },
            Err(fault) => Err(fault),
        };
        let took = begun.elapsed();
        state.left = state.left.saturating_sub(took);
        match &result {
            Err(Fault::Keyring(Unreachable::Slow)) => state.note_silence(took),
            _ => state.note_answer(),
        }
        match result {
            Ok(value) => Ok(value),
            Err(Fault::Entry(what)) => Err(Unreachable::Faulty(what)),
            Err(Fault::Keyring(why)) => {
                state.verdict = Some(why.clone());
                Err(why)
            }
        }
    }
}

impl Ring for Keyring {
    fn name(&self) -> &'static str {
        "the OS keyring"
    }

    fn is_reachable(&self) -> bool {
        self.probe().reachable()
    }

    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Unreachable> {
        let mut kept = self.get_all(account)?.into_iter();
        let first = kept.next();
        match kept.next() {
            None => Ok(first),
            Some(_) => Err(Unreachable::Faulty(
                "it holds several entries of the same name, which differ".to_owned(),
            )),
        }
    }

    fn get_all(&self, account: &str) -> Result<Vec<Zeroizing<Vec<u8>>>, Unreachable> {
        let account = account.to_owned();
        let mut kept = self.call(move |gate| gate.read(SERVICE, &account))?;
        // A copy says nothing new.
        kept.sort_unstable_by(|one, other| one.as_slice().cmp(other.as_slice()));
        kept.dedup();
        Ok(kept)
    }

    fn set(
        &self,
        account: &str,
        secret: &[u8],
        _lifetime: Option<Duration>,
    ) -> Result<(), Unreachable> {
        let account = account.to_owned();
        let secret = Zeroizing::new(secret.to_vec());
        self.call(move |gate| gate.write(SERVICE, &account, &secret))
    }

    fn delete(&self, account: &str) -> Result<bool, Unreachable> {
        let account = account.to_owned();
        self.call(move |gate| gate.delete(SERVICE, &account))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Keyring")
            .field("verdict", &state.verdict)
            .field("left", &state.left)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Remembers that there was no answer, and says so where that is new.
    fn note_silence(&mut self, took: Duration) {
        self.lost.add(took);
        let is_known = self.memory.as_ref().is_some_and(Memory::is_silent);
        if let Some(memory) = &mut self.memory {
            memory.note_silence();
        }
        if let Some(notice) = self.notice.as_ref().filter(|_| !is_known) {
            notice(&format!(
                "the OS keyring did not answer within {}: commands go on without it, and hardly wait for it until it answers again",
                HumanDuration::coarse(took)
            ));
        }
    }

    /// Forgets that it did not answer before; from now on it is waited for as ever.
    fn note_answer(&mut self) {
        if let Some(memory) = self.memory.as_mut().filter(|memory| memory.is_silent()) {
            memory.forget();
            self.left = self.left.max(TIMEOUT);
        }
    }

    /// Gives `job` to the worker, which the first one starts.
    fn send(&mut self, job: Job) -> Result<(), Fault> {
        let sender = match std::mem::replace(&mut self.stage, Stage::Absent) {
            Stage::Absent => return Err(Fault::Keyring(Unreachable::Absent)),
            Stage::Working(sender) => sender,
            Stage::New(mut gate) => {
                let (sender, jobs) = mpsc::channel::<Job>();
                thread::Builder::new()
                    .name("keyring".to_owned())
                    .spawn(move || jobs.into_iter().for_each(|job| job(&mut gate)))
                    .map_err(|error| Fault::Keyring(Unreachable::Faulty(error.to_string())))?;
                sender
            }
        };
        let sent = sender.send(job).map_err(|_| gone());
        self.stage = Stage::Working(sender);
        sent
    }
}

/// How long the keyring is waited for: one that `asks` whoever attends takes as long as they do.
fn patience(asks: bool, attended: bool) -> Duration {
    match asks && attended {
        true => ASKED,
        false => TIMEOUT,
    }
}

fn gone() -> Fault {
    Fault::Keyring(Unreachable::Faulty("its client broke off".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_one_is_absent() {
        let keyring = Keyring::default();
        assert_eq!(keyring.get("x"), Err(Unreachable::Absent));
        assert_eq!(keyring.set("x", b"y", None), Err(Unreachable::Absent));
        assert_eq!(keyring.delete("x"), Err(Unreachable::Absent));
        assert_eq!(keyring.probe().why, Some(Unreachable::Absent));
        assert!(!keyring.touched());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_a_session_bus_nothing_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let env = Environment::from_vars([("XDG_RUNTIME_DIR", folder.path())], "/");
        let keyring = Keyring::new(&env, false).unwrap();
        assert_eq!(keyring.get("x"), Err(Unreachable::Absent));
        assert!(!keyring.touched());
    }

    #[test]
    fn only_one_that_asks_whoever_sits_there_is_waited_for_long() {
        assert_eq!(patience(true, true), ASKED);
        for (asks, attended) in [(true, false), (false, true), (false, false)] {
            assert_eq!(patience(asks, attended), TIMEOUT);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn addresses_that_lead_nowhere_are_no_keyring() {
        let folder = tempfile::tempdir().unwrap();
        for address in [
            "disabled:",
            "/dev/null",
            "autolaunch:",
            "unix:path=/no/such/socket",
        ] {
            let env = Environment::from_vars([("DBUS_SESSION_BUS_ADDRESS", address)], "/");
            let keyring = Keyring::new(&env, false).unwrap();
            assert_eq!(keyring.get("x"), Err(Unreachable::Absent), "{address}");
        }
        // A socket left behind by a bus that has ended.
        let path = folder.path().join("bus");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let env = Environment::from_vars([("XDG_RUNTIME_DIR", folder.path())], "/");
        let keyring = Keyring::new(&env, false).unwrap();
        assert_eq!(keyring.get("x"), Err(Unreachable::Absent));
        assert!(keyring.touched());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn addresses_are_tried_in_order() {
        use std::os::unix::net::UnixListener;

        let folder = tempfile::tempdir().unwrap();
        let bus = |name: &str| folder.path().join(name);
        let listener = UnixListener::bind(bus("second")).unwrap();
        let answer = std::thread::spawn(move || drop(listener.accept().unwrap()));
        let list =
            ["first", "second", "third"].map(|name| format!("unix:path={}", bus(name).display()));
        let env = [(
            "DBUS_SESSION_BUS_ADDRESS",
            format!(";disabled:;{};", list.join(";")),
        )];
        let keyring = Keyring::new(&Environment::from_vars(env, "/"), false).unwrap();
        // Somebody has answered there, and hung up.
        assert!(matches!(
            keyring.get("x"),
            Err(Unreachable::Faulty(_) | Unreachable::Absent)
        ));
        answer.join().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_that_never_answers_costs_its_time_once() {
        let folder = tempfile::tempdir().unwrap();
        // It accepts connections, by its backlog, and says nothing.
        let _silent = std::os::unix::net::UnixListener::bind(folder.path().join("bus")).unwrap();
        let folder = folder.path().to_str().unwrap();
        let env = |timeout| {
            let vars = [("XDG_RUNTIME_DIR", folder), (TIMEOUT_VARIABLE, timeout)];
            Environment::from_vars(vars, "/")
        };
        for (text, timeout) in [("", TIMEOUT), ("3s", Duration::from_secs(3))] {
            let keyring = Keyring::new(&env(text), false).unwrap();
            let begun = Instant::now();
            assert_eq!(keyring.get("x"), Err(Unreachable::Slow));
            assert!(begun.elapsed() >= timeout, "{text}");
            // What is left is none, so that no other call waits.
            assert_eq!(keyring.state().left, Duration::ZERO);
            for clone in [keyring.clone(), keyring] {
                assert_eq!(clone.set("x", b"y", None), Err(Unreachable::Slow));
                assert_eq!(clone.probe().why, Some(Unreachable::Slow));
            }
        }
        // The next process of the session hardly waits, and is not told again, and neither is one in a
        // session that has no folder of its own.
        let bus = format!("unix:path={folder}/bus");
        let vars = [("HOME", folder), ("DBUS_SESSION_BUS_ADDRESS", &bus)];
        let folderless = Environment::from_vars(vars, "/");
        let first = Keyring::new(&folderless, false).unwrap();
        assert_eq!(first.get("x"), Err(Unreachable::Slow));
        for env in [env(""), folderless] {
            let (told, heard) = mpsc::channel();
            let keyring = Keyring::new(&env, false).unwrap();
            assert_eq!(keyring.state().left, BRIEF);
            let keyring = keyring.telling(Lost::default(), move |text| {
                drop(told.send(text.to_owned()))
            });
            assert_eq!(keyring.get("x"), Err(Unreachable::Slow));
            assert!(heard.try_recv().is_err());
        }
        // Another start of the machine is another session.
        let note = std::path::Path::new(folder).join(".cache/keyfob/keyring-silent");
        let noted = std::fs::read_to_string(&note).unwrap();
        std::fs::write(&note, noted.replace('-', "+")).unwrap();
        let keyring = Keyring::new(&Environment::from_vars(vars, "/"), false).unwrap();
        assert_eq!(keyring.state().left, TIMEOUT);
        let error = Keyring::new(&env("soon"), false).err().unwrap();
        assert!(error.message().starts_with(TIMEOUT_VARIABLE), "{error:?}");
    }
}
