//! A real Secret Service for one test: a private D-Bus session with gnome-keyring on it.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

use super::wait::until;

use super::programs::installed;

/// The Secret Service's well-known name.
const SECRETS: &str = "org.freedesktop.secrets";
/// The collection that gnome-keyring makes when it is started with a password.
const LOGIN: &str = "/org/freedesktop/secrets/collection/login";

/// A session bus that nothing else knows of. Everything on it ends when it is dropped.
///
/// It starts no services by itself, so that what answers there is what the test put there.
pub struct PrivateBus {
    folder: TempDir,
    bus: Child,
    keyring: Option<Child>,
    frozen: Cell<bool>,
}

impl PrivateBus {
    /// Whether the programs it needs are installed.
    pub fn available() -> bool {
        ["dbus-daemon", "dbus-send", "gnome-keyring-daemon"]
            .iter()
            .all(|program| installed(program))
    }

    /// Whether the programs are there; says on stderr that `test` is left out when they are not.
    pub fn available_for(test: &str) -> bool {
        let available = Self::available();
        if !available {
            eprintln!("skipped: {test} needs dbus-daemon, dbus-send and gnome-keyring-daemon");
        }
        available
    }

    /// A bus without a Secret Service.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("kfbus")
            .tempdir()
            .expect("a temporary folder");
        for name in ["home", "data", "run"] {
            fs::create_dir(folder.path().join(name)).expect("a folder for the keyring");
        }
        let socket = folder.path().join("bus");
        let config = folder.path().join("bus.conf");
        fs::write(&config, bus_config(&socket)).expect("the bus's configuration");
        let mut bus = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(&config)
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .env("HOME", folder.path().join("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts");
        // It says its address once it listens; the socket's file is there before.
        let mut address = String::new();
        let said = BufReader::new(bus.stdout.take().expect("a pipe")).read_line(&mut address);
        assert!(said.is_ok_and(|length| length > 0), "the bus listens");
        Self {
            folder,
            bus,
            keyring: None,
            frozen: Cell::new(false),
        }
    }

    /// A bus with an unlocked default collection.
    pub fn unlocked() -> Self {
        let mut bus = Self::empty();
        let mut keyring = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--components=secrets", "--unlock"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", bus.folder.path().join("home"))
            .env("XDG_DATA_HOME", bus.folder.path().join("data"))
            .env("XDG_RUNTIME_DIR", bus.folder.path().join("run"))
            .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon starts");
        let mut stdin = keyring.stdin.take().expect("a pipe");
        stdin.write_all(b"test").expect("the keyring's password");
        drop(stdin);
        bus.keyring = Some(keyring);
        until("the default collection", || {
            bus.service(&["ReadAlias", "string:default"])
                .is_some_and(|reply| reply.contains(LOGIN))
        });
        bus
    }

    /// A bus whose default collection is locked, with nobody there to ask for its password.
    pub fn locked() -> Self {
        let bus = Self::unlocked();
        bus.lock();
        bus
    }

    /// A bus whose Secret Service is there and never answers.
    pub fn hanging() -> Self {
        let bus = Self::unlocked();
        bus.freeze();
        bus
    }

    /// The address for `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    /// How long keyfob may wait for it: as long as a busy machine takes, or as by default, which is
    /// what empty says, where it never answers.
    pub fn patience(&self) -> &'static str {
        match self.frozen.get() {
            true => "",
            false => "4m",
        }
    }

    /// Locks the default collection.
    pub fn lock(&self) {
        let reply = self.service(&["Lock", &format!("array:objpath:{LOGIN}")]);
        let reply = reply.expect("the Secret Service answers");
        assert!(reply.contains(LOGIN), "the collection is locked: {reply}");
    }

    /// Stops the Secret Service from answering until [`PrivateBus::thaw`].
    pub fn freeze(&self) {
        let keyring = self.signal_keyring(Signal::STOP);
        // A signal is on its way for a while; this returns when the process has stopped.
        let stopped = waitpid(Some(keyring), WaitOptions::UNTRACED).expect("a child process");
        assert!(stopped.is_some_and(|(_, status)| status.stopped()));
        self.frozen.set(true);
    }

    /// Lets a frozen Secret Service go on.
    pub fn thaw(&self) {
        self.signal_keyring(Signal::CONT);
        self.frozen.set(false);
    }

    /// How many items the default collection holds.
    pub fn items(&self) -> usize {
        let reply = self.send(
            SECRETS,
            LOGIN,
            &[
                "org.freedesktop.DBus.Properties.Get",
                "string:org.freedesktop.Secret.Collection",
                "string:Items",
            ],
        );
        let reply = reply.expect("the Secret Service answers");
        reply.matches("object path").count()
    }

    /// Makes another item of keyfob's `account`, as another program or a restored backup would.
    pub fn double(&self, account: &str, secret: &str) {
        let mut program = Command::new("secret-tool")
            .args(["store", "--label=double", "service", "keyfob"])
            .args(["username", account, "by", "somebody else"])
            .env("DBUS_SESSION_BUS_ADDRESS", self.address())
            .stdin(Stdio::piped())
            .spawn()
            .expect("secret-tool starts");
        let mut stdin = program.stdin.take().expect("a pipe");
        stdin.write_all(secret.as_bytes()).expect("the secret");
        drop(stdin);
        assert!(program.wait().expect("secret-tool ends").success());
    }

    /// The home of the services on it.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Calls a method of the Secret Service.
    fn service(&self, call: &[&str]) -> Option<String> {
        let method = format!("org.freedesktop.Secret.Service.{}", call.first()?);
        let mut args = vec![method.as_str()];
        args.extend(&call[1..]);
        self.send(SECRETS, "/org/freedesktop/secrets", &args)
    }

    /// The reply of a method call on the bus; `None` when it failed.
    fn send(&self, destination: &str, object: &str, call: &[&str]) -> Option<String> {
        let output = Command::new("dbus-send")
            .arg(format!("--bus={}", self.address()))
            .args(["--print-reply", "--reply-timeout=60000"])
            .arg(format!("--dest={destination}"))
            .arg(object)
            .args(call)
            .env("DBUS_SESSION_BUS_ADDRESS", self.address())
            .stderr(Stdio::null())
            .output()
            .expect("dbus-send starts");
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn signal_keyring(&self, signal: Signal) -> Pid {
        let keyring = Pid::from_child(self.keyring.as_ref().expect("a keyring on this bus"));
        kill_process(keyring, signal).expect("a running keyring");
        keyring
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process as well.
        for child in self.keyring.iter_mut().chain([&mut self.bus]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A session bus that everybody of this user may use, and that starts no services.
fn bus_config(socket: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        socket.display()
    )
}
