//! What a login gives away: nothing in what is signed names a server, so whoever runs one can send a
//! login that it was sent to another, and is then taken for the keypair's owner there.

use std::collections::BTreeSet;
use std::net::IpAddr;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{DEVNET, MAINNET, MAINNET_OF_SDK};
use crate::providers::endpoint::Endpoint;
use crate::providers::services::Services;
use crate::state::file::File;
use crate::words::error::Result;

/// The servers of which the user was told.
#[derive(Default, Serialize, Deserialize)]
struct Told {
    servers: BTreeSet<String>,
}

/// Says, once for each server, what a login tells whoever runs it. Not of the vendor's, which the
/// logins are for, nor of loopback; nor where it cannot be remembered that it was said.
pub fn warn(endpoint: &Endpoint, services: &Services) {
    let server = endpoint.shown();
    if !is_foreign(&server) || !matches!(is_news(&server, services), Ok(true)) {
        return;
    }
    (services.notice)(&format!(
        "whoever runs {server} can log in to Nosana's own servers with what keyfob signs for it: use a keypair there that has no secrets elsewhere"
    ));
}

/// Whether the user was not told of `server` before; remembers that this is the case now.
fn is_news(server: &str, services: &Services) -> Result<bool> {
    let folders = &services.folders;
    let file = File::<Told>::new(
        folders.data.join("nosana").join("servers.json"),
        "remove it: what it remembers is said once more",
    );
    if let Some(told) = file.read()?
        && told.servers.contains(server)
    {
        return Ok(false);
    }
    file.update(folders.patience, |told| {
        told.servers.insert(server.to_owned())
    })
}

/// Whether `server` is somebody else's than the vendor's and than this machine's.
fn is_foreign(server: &str) -> bool {
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    let vendors = [MAINNET, MAINNET_OF_SDK, DEVNET];
    if vendors.iter().any(|own| origin(own) == origin(server)) {
        return false;
    }
    let url = Url::parse(server).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host != "localhost" && !address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendor_s_and_this_machine_s_servers_are_not_foreign() {
        for own in [
            MAINNET,
            DEVNET,
            "https://secrets.k8s.prd.nos.ci/",
            "https://secrets.nosana.ci:443/base",
            "http://127.0.0.1:4124",
            "http://127.3.2.1",
            "http://[::1]:1",
            "http://localhost:4124",
        ] {
            assert!(!is_foreign(own), "{own}");
        }
        for foreign in [
            "https://secrets.example.org",
            "https://secrets.nosana.ci:444",
            "https://secrets.nosana.ci.example.org",
            "https://10.0.0.1",
        ] {
            assert!(is_foreign(foreign), "{foreign}");
        }
    }
}
