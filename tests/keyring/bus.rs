//! A session bus of a test's own, with a gnome-keyring daemon on it or without.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::OwnedObjectPath;

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=BUS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// Whether the programs for these tests are here; tells which one is not.
pub fn available(test: &str) -> bool {
    for program in ["dbus-daemon", "gnome-keyring-daemon"] {
        let found = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if found.is_err() {
            eprintln!("left out: {test}: there is no {program}");
            return false;
        }
    }
    true
}

/// The bus and its daemons, ended when dropped.
pub struct Bus {
    folder: TempDir,
    bus: Child,
    keyring: Option<Child>,
}

impl Bus {
    /// A bus with nobody on it, and nobody that it could start.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let config = folder.path().join("bus.conf");
        fs::write(&config, CONFIG.replace("BUS", socket.to_str().unwrap())).unwrap();
        let bus = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--config-file"])
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bus = Self {
            folder,
            bus,
            keyring: None,
        };
        wait("the bus to listen", || socket.exists());
        bus
    }

    /// A bus with an unlocked keyring.
    pub fn with_keyring() -> Self {
        let mut bus = Self::empty();
        let home = bus.folder();
        let mut daemon = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
            .env("HOME", home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_RUNTIME_DIR", home)
            .env("DBUS_SESSION_BUS_ADDRESS", bus.address())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        daemon.stdin.take().unwrap().write_all(b"open").unwrap();
        bus.keyring = Some(daemon);
        let connection = bus.connect();
        wait("the keyring to be unlocked", || {
            service(&connection)
                .call("ReadAlias", &("default",))
                .is_ok_and(|path: OwnedObjectPath| path.as_str() != "/")
        });
        bus
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.folder().join("bus").display())
    }

    fn connect(&self) -> Connection {
        Builder::address(self.address().as_str())
            .unwrap()
            .build()
            .unwrap()
    }

    /// Locks the default collection.
    pub fn lock(&self) {
        let connection = self.connect();
        let service = service(&connection);
        let default: OwnedObjectPath = service.call("ReadAlias", &("default",)).unwrap();
        let (locked, _prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) =
            service.call("Lock", &(vec![default],)).unwrap();
        assert_eq!(locked.len(), 1);
    }

    /// Stops the keyring daemon in its tracks: it stays on the bus and answers nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        if let Some(daemon) = &self.keyring {
            kill_process(Pid::from_child(daemon), signal).unwrap();
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        for child in self.keyring.iter_mut().chain([&mut self.bus]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn service(connection: &Connection) -> Proxy<'static> {
    Proxy::new(
        connection,
        "org.freedesktop.secrets",
        "/org/freedesktop/secrets",
        "org.freedesktop.Secret.Service",
    )
    .unwrap()
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        sleep(Duration::from_millis(10));
    }
}
