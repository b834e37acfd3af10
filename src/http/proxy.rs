//! Whether a server is reached through a proxy, as the environment says it to `curl` and its like.

use std::net::IpAddr;

use reqwest::Url;

use super::address;
use crate::words::env::Environment;

/// The variables that name the proxy for https, the one that counts first; plain http is for
/// loopback, and never goes through one.
pub const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// The variables that name what is reached directly all the same.
pub const DIRECT: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The variable of a web server's child, whose `HTTP_PROXY` may come from a request: none of a
/// proxy's variables counts beside it.
pub const CGI: &str = "REQUEST_METHOD";

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// As the system's settings have it, where they have anything.
    System,
    /// Directly.
    Direct,
    /// Through this proxy.
    Through(Proxy),
}

/// A proxy, and the variable that names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proxy {
    /// Its address, which may hold a password.
    pub url: Url,
    variable: &'static str,
}

impl Proxy {
    /// The proxy as messages name it, without what stands before its host.
    pub fn shown(&self) -> String {
        format!("the proxy {} ({})", address::host(&self.url), self.variable)
    }

    /// What may be said of how its password is given.
    pub fn password_hint(&self) -> String {
        format!(
            "name both in the variable: {}=http://USER:PASSWORD@{}",
            self.variable,
            address::host(&self.url)
        )
    }
}

/// What the environment says of proxies.
#[derive(Default)]
pub struct Proxies {
    proxy: Option<Proxy>,
    direct: Vec<Exempt>,
    /// Whether a proxy is named and does not count, as this is a web server's child.
    pub passed_over: bool,
}

impl Proxies {
    /// What `env` says.
    pub fn new(env: &Environment) -> Self {
        let named = VARIABLES
            .into_iter()
            .find_map(|variable| Some((variable, env.var(variable)?)));
        let is_cgi = env.raw(CGI).is_some();
        let proxy = named
            .filter(|_| !is_cgi)
            .and_then(|(variable, text)| Some((variable, address(text)?)))
            .map(|(variable, url)| Proxy { url, variable });
        let direct = DIRECT.into_iter().find_map(|variable| env.var(variable));
        Self {
            proxy,
            direct: exempt(direct.unwrap_or_default()),
            passed_over: is_cgi && named.is_some(),
        }
    }

    /// How `url` is reached.
    pub fn way(&self, url: &Url) -> Way {
        if self.passed_over || self.direct.iter().any(|exempt| exempt.admits(url)) {
            return Way::Direct;
        }
        match &self.proxy {
            Some(proxy) => Way::Through(proxy.clone()),
            None => Way::System,
        }
    }
}

/// The address of a proxy, which is http's where it has no scheme.
pub fn address(text: &str) -> Option<Url> {
    let text = text.trim();
    let url = match text.contains("://") {
        true => Url::parse(text),
        false => Url::parse(&format!("http://{text}")),
    };
    url.ok().filter(Url::has_host)
}

/// What is reached without a proxy: a name or an address, on one port or on all.
#[derive(Debug, PartialEq, Eq)]
struct Exempt {
    what: What,
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    All,
    /// A network: its address and how many of its bits count.
    Network(IpAddr, u8),
    /// A host, and all below it; in lower case and ASCII.
    Domain(String),
}

/// What a `NO_PROXY` names, between commas or blanks.
fn exempt(list: &str) -> Vec<Exempt> {
    list.split(|c: char| c == ',' || c.is_whitespace())
        .filter_map(entry)
        .collect()
}

fn entry(text: &str) -> Option<Exempt> {
    let whole = |what| Some(Exempt { what, port: None });
    if let Some((address, bits)) = text.split_once('/') {
        let address: IpAddr = bare(address).parse().ok()?;
        let bits = bits.parse().ok().filter(|bits| *bits <= width(address))?;
        return whole(What::Network(address, bits));
    }
    if let Ok(address) = bare(text).parse::<IpAddr>() {
        return whole(What::Network(address, width(address)));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (text, None),
    };
    let what = match bare(host).parse::<IpAddr>() {
        Ok(address) => What::Network(address, width(address)),
        Err(_) if host == "*" => What::All,
        Err(_) => {
            let domain = host.strip_prefix('*').unwrap_or(host);
            let domain = domain.trim_start_matches('.').trim_end_matches('.');
            if domain.is_empty() {
                return None;
            }
            What::Domain(in_ascii(domain))
        }
    };
    Some(Exempt { what, port })
}

/// `domain` as it stands in a URL: in lower case, and an international one in Punycode.
fn in_ascii(domain: &str) -> String {
    let lower = domain.to_lowercase();
    if lower.is_ascii() {
        return lower;
    }
    let url = Url::parse(&format!("https://{lower}/"));
    let host = url.ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or(lower)
}

/// `text` without the brackets around an address of IPv6.
fn bare(text: &str) -> &str {
    let inside = text.strip_prefix('[');
    inside
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text)
}

/// How many bits `address` has.
fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl Exempt {
    fn admits(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let is_host = match &self.what {
            What::All => true,
            What::Network(network, bits) => bare(host)
                .parse()
                .is_ok_and(|address| is_within(address, *network, *bits)),
            What::Domain(domain) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with('.')),
        };
        is_host && (self.port.is_none() || self.port == url.port_or_known_default())
    }
}

/// Whether the first `bits` of both are the same.
fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let differ = match (address.to_canonical(), network.to_canonical()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    differ >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(vars: &[(&str, &str)], url: &str) -> Way {
        let env = Environment::from_vars(vars.iter().copied(), "/");
        Proxies::new(&env).way(&url.parse().unwrap())
    }

    #[test]
    fn what_is_reached_directly_is_named_in_all_the_usual_ways() {
        for (list, url, direct) in [
            ("*", "https://api.example.com", true),
            ("*", "https://127.0.0.1:8443", true),
            ("x,*", "https://[::1]", true),
            ("a, *, b", "https://api.example.com", true),
            ("example.com", "https://example.com", true),
            ("example.com", "https://API.Example.com", true),
            (".example.com", "https://api.example.com", true),
            (".example.com", "https://example.com", true),
            ("*.example.com", "https://api.example.com", true),
            ("x *.example.com", "https://a.b.example.com", true),
            ("example.com", "https://badexample.com", false),
            ("example.com.", "https://example.com", true),
            ("example.com:443", "https://example.com", true),
            ("example.com:8443", "https://example.com:8443", true),
            ("example.com:8443", "https://example.com", false),
            ("127.0.0.1", "https://127.0.0.1:8443", true),
            ("127.0.0.1:8443", "https://127.0.0.1:8443", true),
            ("127.0.0.1:1", "https://127.0.0.1:8443", false),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("0.0.0.0/0", "https://11.1.2.3", true),
            ("10.0.0.0/33", "https://10.0.0.0", false),
            ("::1", "https://[::1]", true),
            ("[::1]:443", "https://[::1]", true),
            ("fd00::/8", "https://[fd12::1]", true),
            ("fd00::/8", "https://[fe12::1]", false),
            ("", "https://example.com", false),
            (",,", "https://example.com", false),
            (".", "https://example.com", false),
            ("Bücher.example", "https://api.bücher.example", true),
            ("xn--bcher-kva.example", "https://bücher.example", true),
            ("bücher.example", "https://b.example", false),
            ("*:8443", "https://example.com", false),
        ] {
            let vars = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", list)];
            let way = way(&vars, url);
            assert_eq!(way == Way::Direct, direct, "{list:?} {url}: {way:?}");
        }
    }

    // Windows knows no difference between them.
    #[cfg(unix)]
    #[test]
    fn small_letters_win_over_capitals() {
        let host = |vars: &[(&str, &str)]| match way(vars, "https://example.com") {
            Way::Through(proxy) => proxy.shown(),
            other => format!("{other:?}"),
        };
        let (small, capital) = (("https_proxy", "small:1"), ("HTTPS_PROXY", "http://big:2"));
        let all = ("ALL_PROXY", "http://me:hunter2@all:3");
        assert_eq!(
            host(&[small, capital, all]),
            "the proxy small:1 (https_proxy)"
        );
        assert_eq!(host(&[capital, all]), "the proxy big:2 (HTTPS_PROXY)");
        assert_eq!(host(&[all]), "the proxy all:3 (ALL_PROXY)");
        assert_eq!(
            host(&[capital, ("no_proxy", "x"), ("NO_PROXY", "*")]),
            "the proxy big:2 (HTTPS_PROXY)"
        );
        assert_eq!(host(&[]), "System");
        assert_eq!(host(&[all, (CGI, "GET")]), "Direct");
    }
}
