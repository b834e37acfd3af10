//! The real OpenBao: one node in memory, and three with TLS of which one leads. `tests/openbao`
//! installs it; without it the tests of it are left out by name. `KEYFOB_OPENBAO_LONG=1` takes the
//! long measurements, too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::home::Home;
use super::servers::Port;
use super::servers::tls::{Certificate, Tls};

/// So long a server may take to come up on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(180);

const ROOT: &str = "root-token-for-tests";

/// The program; says that `test` is left out where there is none.
pub fn bao(test: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    let path = target.join("openbao/bao");
    if !path.is_file() {
        eprintln!("skipped: {test}: there is no bao; tests/openbao installs it");
        return None;
    }
    Some(path)
}

pub fn is_long() -> bool {
    std::env::var_os("KEYFOB_OPENBAO_LONG").is_some()
}

/// A server's process, which is killed when it is dropped.
struct Process(Child);

impl Process {
    pub fn start(bao: &Path, folder: &Path, args: &[&str]) -> Self {
        let child = Command::new(bao)
            .args(args)
            .env_clear()
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the server starts"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Servers and how to reach them.
pub struct Bao {
    program: PathBuf,
    pub folder: TempDir,
    nodes: Vec<Option<Process>>,
    urls: Vec<String>,
    pub token: String,
    unseal: String,
    pub tls: Option<Tls>,
    // The nodes' for as long as they live, whether they run or not.
    _ports: Vec<Port>,
}

impl Bao {
    /// One node in memory.
    pub fn dev(program: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = Port::take();
        let listen = format!("-dev-listen-address={}", port.address());
        let root = format!("-dev-root-token-id={ROOT}");
        let args = ["server", "-dev", "-dev-no-store-token", &listen, &root];
        let bao = Self {
            nodes: vec![Some(Process::start(&program, folder.path(), &args))],
            urls: vec![format!("http://{}", port.address())],
            program,
            folder,
            token: ROOT.to_owned(),
            unseal: String::new(),
            tls: None,
            _ports: vec![port],
        };
        bao.until("it serves", || {
            bao.try_say(0, &["kv", "list", "secret"])
                .1
                .contains("No value found")
        });
        bao
    }

    /// Three nodes with TLS.
    pub fn cluster(program: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tls = Tls::new(Certificate::Good);
        let held: Vec<Port> = (0..6).map(|_| Port::take()).collect();
        let numbers: Vec<u16> = held.iter().map(|port| port.address().port()).collect();
        let ports: Vec<(u16, u16)> = (0..3).map(|at| (numbers[at], numbers[at + 3])).collect();
        for (at, (api, cluster)) in ports.iter().enumerate() {
            let data = folder.path().join(format!("n{at}"));
            fs::create_dir(&data).expect("a folder");
            let joins = ports.iter().map(|(other, _)| {
                format!(
                    "  retry_join {{\n    leader_api_addr = \"https://127.0.0.1:{other}\"\n    leader_ca_cert_file = \"{}\"\n  }}\n",
                    tls.ca_file().display()
                )
            });
            let config = format!(
                "api_addr = \"https://127.0.0.1:{api}\"\ncluster_addr = \"https://127.0.0.1:{cluster}\"\n\
                 listener \"tcp\" {{\n  address = \"127.0.0.1:{api}\"\n  cluster_address = \"127.0.0.1:{cluster}\"\n  tls_cert_file = \"{}\"\n  tls_key_file = \"{}\"\n}}\n\
                 storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"n{at}\"\n  performance_multiplier = 1\n{}}}\n",
                tls.certificate_file().display(),
                tls.key_file().display(),
                data.display(),
                joins.collect::<String>(),
            );
            fs::write(folder.path().join(format!("n{at}.hcl")), config).expect("a file");
        }
        let mut bao = Self {
            nodes: vec![None, None, None],
            urls: ports
                .iter()
                .map(|(api, _)| format!("https://127.0.0.1:{api}"))
                .collect(),
            program,
            folder,
            token: String::new(),
            unseal: String::new(),
            tls: Some(tls),
            _ports: held,
        };
        (0..3).for_each(|at| bao.start(at));
        let mut made = None;
        bao.until("it is initialised", || {
            let args = [
                "operator",
                "init",
                "-format=json",
                "-key-shares=1",
                "-key-threshold=1",
            ];
            let (done, said) = bao.try_say(0, &args);
            if done {
                made = serde_json::from_str::<Value>(&said).ok();
            }
            made.is_some()
        });
        let made = made.expect("keys");
        bao.unseal = made["unseal_keys_b64"][0]
            .as_str()
            .expect("a key")
            .to_owned();
        bao.token = made["root_token"].as_str().expect("a token").to_owned();
        (0..3).for_each(|at| bao.open(at));
        bao.until("one leads", || bao.leader().is_some());
        // A node that has just joined has no vote, and without votes there is no other leader.
        bao.until("all have a vote", || {
            let settle = "-server-stabilization-time=500ms";
            bao.try_say(0, &["operator", "raft", "autopilot", "set-config", settle]);
            let (_, said) = bao.try_say(0, &["operator", "raft", "list-peers", "-format=json"]);
            let said: Value = serde_json::from_str(&said).unwrap_or_default();
            let servers = said["data"]["config"]["servers"].as_array().cloned();
            let voters = servers.unwrap_or_default();
            voters.iter().filter(|it| it["voter"] == true).count() == 3
        });
        bao.until("a mount is made", || {
            let args = ["secrets", "enable", "-path=secret", "-version=2", "kv"];
            let (done, said) = bao.try_say(0, &args);
            done || said.contains("path is already in use")
        });
        for at in 0..3 {
            bao.until("the mount is everywhere", || {
                bao.try_say(at, &["kv", "list", "secret"])
                    .1
                    .contains("No value found")
            });
        }
        bao
    }

    pub fn start(&mut self, at: usize) {
        let config = format!(
            "-config={}",
            self.folder.path().join(format!("n{at}.hcl")).display()
        );
        let args = ["server", config.as_str()];
        self.nodes[at] = Some(Process::start(&self.program, self.folder.path(), &args));
    }

    /// Unseals a node, which a joining one may need more than once.
    pub fn open(&self, at: usize) {
        self.until("it is unsealed", || {
            self.try_say(at, &["operator", "unseal", &self.unseal]);
            self.try_say(at, &["status"]).0
        });
    }

    pub fn kill(&mut self, at: usize) {
        self.nodes[at] = None;
    }

    pub fn leader(&self) -> Option<usize> {
        let alive = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_some());
        alive.into_iter().find(|at| {
            let (done, said) = self.try_say(*at, &["status", "-format=json"]);
            let said: Value = serde_json::from_str(&said).unwrap_or_default();
            done && said["is_self"] == true
        })
    }

    /// What `bao` says, and whether it is content.
    pub fn try_say(&self, at: usize, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("BAO_ADDR", &self.urls[at])
            .env("BAO_TOKEN", &self.token)
            .env("BAO_CLIENT_TIMEOUT", "5s")
            .env("BAO_MAX_RETRIES", "0");
        if let Some(tls) = &self.tls {
            command.env("BAO_CACERT", tls.ca_file());
        }
        let output = command.output().expect("bao runs");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The address of a node.
    pub fn url(&self, at: usize) -> &str {
        &self.urls[at]
    }

    #[track_caller]
    pub fn say(&self, args: &[&str]) -> String {
        let (done, said) = self.try_say(0, args);
        assert!(done, "{args:?}: {said}");
        said
    }

    #[track_caller]
    pub fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < PATIENCE, "in time: {what}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// A home whose store asks this node, with the tokens' cache of the kernel.
    pub fn home(&self, at: usize) -> Home {
        let mut home = Home::new()
            .with("KEYFOB_STORE", "openbao")
            .with("BAO_ADDR", &self.urls[at])
            .with("BAO_TOKEN", &self.token);
        if let Some(tls) = &self.tls {
            home.set("BAO_CACERT", tls.ca_file());
        }
        home
    }
}
