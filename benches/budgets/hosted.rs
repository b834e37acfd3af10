//! A hosted store beside curl, on a server of this machine: time, memory, requests.

use std::time::{Duration, Instant};

use crate::costs::pages;
use crate::measure::{binary, installed};
use crate::support::bao::{Bao, bao};
use crate::support::home::Home;
use crate::support::servers::neo::API_KEY;
use crate::support::servers::{Fault, Neo, Nosana};
use crate::support::solana::Keypair;
use crate::table::Table;

/// Reading one secret with a token in the kernel's keyring, beside curl making that request.
pub fn cached_get(table: &mut Table) {
    if !installed(&["curl"], "a cached get beside curl") {
        return;
    }
    let (home, server, keypair) = nosana("keyutils");
    server.put(&keypair.address(), "A", "value");
    let get = format!("{} -s nosana get A", binary());
    home.program(binary(), ["-s", "nosana", "get", "A"])
        .run()
        .ok();
    let token = server.token(&keypair.address());
    let curl = format!(
        "curl -s -o /dev/null -H 'Authorization: Bearer {token}' {}/secrets",
        server.url()
    );
    let what = "`get` of a hosted store, token cached";
    table.row(&home, 200, what, &get, &[&curl], Some(0.5));
    server.forget_requests();
    let connections = server.connections();
    home.program(binary(), ["-s", "nosana", "get", "A"])
        .run()
        .ok();
    println!(
        "requests of a cached get: {} on {} connections (budget 1 on 1)",
        server.requests().len(),
        server.connections() - connections
    );
    home.program(binary(), ["-s", "nosana", "logout"])
        .run()
        .ok();
    server.forget_requests();
    let connections = server.connections();
    home.program(binary(), ["-s", "nosana", "get", "A"])
        .run()
        .ok();
    println!(
        "requests of a first get: {} on {} connections (budget 2 on 1)",
        server.requests().len(),
        server.connections() - connections
    );
    home.program(binary(), ["-s", "nosana", "logout"])
        .run()
        .ok();
}

/// Reading one secret from the real OpenBao, beside its own command and curl.
pub fn openbao(table: &mut Table) {
    let Some(program) = bao("a get from openbao, which tests/openbao installs") else {
        return;
    };
    let server = Bao::dev(program.clone());
    server.say(&["kv", "put", "secret/app", "PASSWORD=value"]);
    let home = server.home(0).with("KEYFOB_TOKEN_CACHE", "keyutils");
    let ours = format!("{} get app/PASSWORD", binary());
    home.program(binary(), ["get", "app/PASSWORD"]).run().ok();
    let theirs = format!("{} kv get -field=PASSWORD secret/app", program.display());
    table.row(&home, 100, "`get` from openbao", &ours, &[&theirs], None);
    if installed(&["curl"], "a get from openbao beside curl") {
        let curl = format!(
            "curl -s -o /dev/null -H 'X-Vault-Token: {}' {}/v1/secret/data/app",
            server.token,
            server.url(0)
        );
        table.row(&home, 100, "`get` from openbao", &ours, &[&curl], None);
    }
    home.program(binary(), ["logout"]).run().ok();
}

/// The memory of one secret, and of an answer of 8 MiB.
pub fn peaks() {
    let (home, server, keypair) = nosana("none");
    server.put(&keypair.address(), "A", "value");
    if let Some((_, peak)) = pages(&home, &format!("{} -s nosana get A", binary())) {
        println!("peak memory of a hosted get: {peak} KiB (budget 15,360)");
    }
    const ANSWER: usize = 8 << 20;
    let value = "v".repeat(64 << 10);
    for number in 0..ANSWER / value.len() {
        server.put(&keypair.address(), &format!("B{number}"), value.as_str());
    }
    let export = format!("{} -s nosana export --format json -o out.json", binary());
    if let Some((_, peak)) = pages(&home, &export) {
        println!(
            "peak memory of an answer of 8 MiB: {peak} KiB, {:.1} times the answer (budget 3)",
            peak as f64 * 1024.0 / ANSWER as f64
        );
    }
}

/// Imports of 1,000 secrets.
pub fn bulk() {
    let all: serde_json::Map<String, serde_json::Value> = (0..1000)
        .map(|number| (format!("SECRET_{number}"), format!("{number:0>100}").into()))
        .collect();
    let all = serde_json::to_vec(&all).expect("JSON");

    let (home, server, _) = nosana("none");
    let import = [
        "-s", "nosana", "import", "-q", "-y", "--format", "json", "-",
    ];
    home.program(binary(), import).stdin(&*all).run().ok();
    let largest = server.requests().iter().map(|it| it.body.len()).max();
    println!(
        "import of 1,000 into nosana: {} requests with the login, bodies up to {} KiB (budget 13, below 1,024)",
        server.requests().len(),
        largest.unwrap_or_default() / 1024
    );

    const LATENCY: Duration = Duration::from_millis(50);
    let server = Neo::start();
    let mut home = Home::new();
    home.set("KEYFOB_NEO_BASE_URL", server.url());
    home.set("NEO_API_KEY", API_KEY);
    server.faults().always(Fault::Delay(LATENCY));
    let import = ["-s", "neo", "import", "-q", "-y", "--format", "json", "-"];
    let start = Instant::now();
    home.program(binary(), import).stdin(&*all).run().ok();
    let took = start.elapsed().as_secs_f64();
    let parallel = server.peak_connections();
    let ideal = server.requests().len() as f64 / parallel as f64 * LATENCY.as_secs_f64();
    println!(
        "import of 1,000 into neo at 50 ms: {took:.2} s for {} requests on {parallel} connections, {:.2} times the ideal (budget 1.15, 16 connections)",
        server.requests().len(),
        took / ideal
    );
}

/// A home with a store of Nosana's, its server, and its key.
fn nosana(cache: &str) -> (Home, Nosana, Keypair) {
    let server = Nosana::start();
    let keypair = Keypair::new(1);
    let mut home = Home::new();
    home.set("KEYFOB_TOKEN_CACHE", cache);
    home.set("KEYFOB_NOSANA_BASE_URL", server.url());
    home.set("KEYFOB_NOSANA_KEYPAIR", keypair.write(&home));
    (home, server, keypair)
}
