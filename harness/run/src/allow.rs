//! Where traffic may go: to loopback, and to the hosts that the scenario names.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use coalmine_core::plan::Target;
use rustls::pki_types::ServerName;
use tokio::sync::OnceCell;
use url::{Host, Url};

use crate::dial::Dial;
use crate::tls::{Certificates, CertificatesError, Configs, Tls};

/// Other origins than the target that a run may get to know.
const ORIGINS_MAX: usize = 64;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Where the traffic of a run goes: to the target, and to other hosts that its scenario names. Each is looked up once, so that
/// every connection goes to the same machine.
#[derive(Debug)]
pub struct Destinations {
    target: Arc<Origin>,
    /// The target's `host:port` as its URL has it.
    written_authority: String,
    /// What stands before the paths of the scenario; no slash at its end.
    base_path: String,
    allowed_hosts: Vec<String>,
    configs: Configs,
    others: Mutex<Vec<Arc<Origin>>>,
}

/// Scheme, host and port. A run has each of them once.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    /// `host:port`, for the `Host` header.
    pub(crate) authority: String,
    /// Whom to connect to.
    host: String,
    port: u16,
    /// Whether the scenario names it; without it, only loopback may be reached.
    is_listed: bool,
    /// None where it is plain http.
    pub(crate) tls: Option<Tls>,
    /// Who opens connections to it, where it is a service in this process.
    pub(crate) dial: Option<Arc<dyn Dial>>,
    addresses: OnceCell<Vec<SocketAddr>>,
}

/// What stands before `://`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) origin: Arc<Origin>,
    /// Path and query.
    pub(crate) path: String,
}

/// The target's address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not an `http://host:port` address.
    #[error("`{0}` is not an address such as http://127.0.0.1:8080")]
    Malformed(String),
    /// Certificates cannot stand for such a name.
    #[error("`{0}` is not a name or an address for which a certificate can stand")]
    Name(String),
    /// A service in this process is spoken to without TLS.
    #[error("`{0}` is not an address such as http://127.0.0.1:8080: within a process there is no TLS")]
    Secure(String),
    /// The files with certificates cannot be used.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// The host is neither loopback nor named in the scenario.
    #[error("`{0}` is neither loopback nor in `target.hosts` of the scenario: nothing was sent")]
    NotAllowed(String),
    /// The name has no address.
    #[error("cannot look up `{host}`: {source}")]
    Lookup {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
}

/// Where a link or a redirect leads.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Elsewhere {
    /// To a host that may not be reached.
    #[error("it leads to `{0}`, which is neither loopback nor in `target.hosts` of the scenario")]
    NotAllowed(String),
    /// Nowhere that can be reached over HTTP.
    #[error("it is no address of HTTP")]
    Malformed,
    /// There are too many already.
    #[error("it leads to one more origin than the {ORIGINS_MAX} that a run may have")]
    TooMany,
}

impl Destinations {
    /// Checks the target's URL against its list of hosts and looks its name up.
    pub async fn resolve(target: &Target, certificates: &Certificates) -> Result<Self, AddressError> {
        let destinations = Self::written(target, certificates)?;
        let origin = &destinations.target;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied => AddressError::NotAllowed(origin.host.clone()),
            _ => AddressError::Lookup { host: origin.host.clone(), source },
        };
        origin.addresses().await.map_err(failed)?;
        Ok(destinations)
    }

    /// A service in this process stands for the target, by the name in its URL. Nothing else can be reached.
    pub fn in_process(target: &Target, dial: Arc<dyn Dial>) -> Result<Self, AddressError> {
        let mut destinations = Self::written(target, &Certificates::default())?;
        if destinations.target.tls.is_some() {
            return Err(AddressError::Secure(target.base_url.clone()));
        }
        let origin = Arc::get_mut(&mut destinations.target).expect("nobody else has it yet");
        origin.dial = Some(dial);
        Ok(destinations)
    }

    /// The target as its URL has it, before it is looked up.
    fn written(target: &Target, certificates: &Certificates) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(target.base_url.clone());
        let (scheme, rest) = split_scheme(&target.base_url).ok_or_else(malformed)?;
        let (written, path) = rest.split_once('/').unwrap_or((rest, ""));
        let url = Url::parse(&target.base_url).map_err(|_| malformed())?;
        let has_more = url.query().or(url.fragment()).is_some() || written.contains('@');
        let host = url.host().filter(|_| !has_more).ok_or_else(malformed)?;
        let configs = Configs::new(certificates)?;
        let is_listed = is_listed(&host, &target.allowed_hosts);
        let authority = target.host_header.clone().unwrap_or_else(|| written.to_owned());
        let name = target.tls.name.clone().unwrap_or_else(|| bare_host(&authority).to_owned());
        let tls = scheme.is_secure().then(|| server_name(&name).map(|name| Tls { configs: configs.clone(), name }));
        let origin = Origin {
            scheme,
            authority,
            host: bare(&host),
            port: url.port_or_known_default().ok_or_else(malformed)?,
            is_listed,
            tls: tls.transpose()?,
            dial: None,
            addresses: OnceCell::new(),
        };
        Ok(Self {
            target: Arc::new(origin),
            written_authority: written.to_owned(),
            base_path: format!("/{path}").trim_end_matches('/').to_owned(),
            allowed_hosts: target.allowed_hosts.clone(),
            configs,
            others: Mutex::default(),
        })
    }

    pub(crate) fn target(&self) -> &Arc<Origin> {
        &self.target
    }

    /// Where a path of the scenario leads.
    pub(crate) fn at_target(&self, path: String) -> Place {
        let path = if self.base_path.is_empty() { path } else { format!("{}{path}", self.base_path) };
        Place { origin: Arc::clone(&self.target), path }
    }

    /// Where a link leads that an answer gave, or an address that the scenario writes out. Without its fragment.
    pub(crate) fn at(&self, link: &str) -> Result<Place, Elsewhere> {
        let link = link.split('#').next().unwrap_or_default();
        if let Some(path) = self.local(link) {
            return Ok(Place { origin: Arc::clone(&self.target), path: path.to_owned() });
        }
        let written = link.strip_prefix("ws").map_or_else(|| link.to_owned(), |rest| format!("http{rest}"));
        self.at_url(&Url::parse(&written).map_err(|_| Elsewhere::Malformed)?)
    }

    /// Where a redirect leads. Another scheme is another origin.
    pub(crate) fn at_url(&self, url: &Url) -> Result<Place, Elsewhere> {
        let origin = if self.is_target(url) { Arc::clone(&self.target) } else { self.origin(url)? };
        let query = url.query().map_or(String::new(), |query| format!("?{query}"));
        Ok(Place { origin, path: format!("{}{query}", url.path()) })
    }

    fn is_target(&self, url: &Url) -> bool {
        let scheme = self.target.scheme.as_str();
        let mut names = [&self.target.authority, &self.written_authority].into_iter();
        names.any(|name| Url::parse(&format!("{scheme}://{name}")).is_ok_and(|name| name.origin() == url.origin()))
    }

    /// The part of a link that is sent to the target. It knows itself by the name in its URL, or by the one it is called with.
    fn local<'a>(&self, link: &'a str) -> Option<&'a str> {
        if link.starts_with('/') && !link.starts_with("//") {
            return Some(link);
        }
        let schemes = ["http://", "https://", "ws://", "wss://", "//"];
        let after = schemes.into_iter().find_map(|scheme| link.strip_prefix(scheme))?;
        let names = [&self.target.authority, &self.written_authority];
        let path = names.into_iter().find_map(|name| after.strip_prefix(name.as_str()).filter(|rest| is_path(rest)))?;
        Some(if path.is_empty() { "/" } else { path })
    }

    fn origin(&self, url: &Url) -> Result<Arc<Origin>, Elsewhere> {
        let (scheme, _) = split_scheme(url.as_str()).ok_or(Elsewhere::Malformed)?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Elsewhere::Malformed);
        };
        let is_listed = is_listed(&host, &self.allowed_hosts);
        if self.target.dial.is_some() || !is_listed && !may_be_loopback(&host) {
            return Err(Elsewhere::NotAllowed(host.to_string()));
        }
        let authority = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |other: &&Arc<Origin>| other.scheme == scheme && other.authority == authority;
        if let Some(known) = others.iter().find(is_it) {
            return Ok(Arc::clone(known));
        }
        if others.len() == ORIGINS_MAX {
            return Err(Elsewhere::TooMany);
        }
        let name =
            scheme.is_secure().then(|| server_name(&bare(&host))).transpose().map_err(|_| Elsewhere::Malformed)?;
        let tls = name.map(|name| Tls { configs: self.configs.clone(), name });
        let (host, addresses) = (bare(&host), OnceCell::new());
        let origin = Arc::new(Origin { scheme, authority, host, port, is_listed, tls, dial: None, addresses });
        others.push(Arc::clone(&origin));
        Ok(origin)
    }
}

impl Origin {
    /// Whether it is the same, by scheme, host and port.
    pub(crate) fn is(&self, other: &Origin) -> bool {
        std::ptr::eq(self, other)
    }

    /// Where connections go: to the first of them that answers.
    pub(crate) async fn addresses(&self) -> io::Result<&[SocketAddr]> {
        let look_up = || async {
            let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
            let found: Vec<_> = found.filter(|it| self.is_listed || is_loopback(it.ip())).take(ADDRESSES_MAX).collect();
            if !found.is_empty() {
                return Ok(found);
            }
            Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("`{}` is not loopback", self.host)))
        };
        self.addresses.get_or_try_init(look_up).await.map(Vec::as_slice)
    }
}

impl Place {
    /// As an address is written.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}{}", self.origin.scheme.as_str(), self.origin.authority, self.path)
    }
}

#[cfg(test)]
impl Place {
    /// A place that nothing is sent to.
    pub(crate) fn of_test(origin: &str, path: &str) -> Self {
        let (scheme, authority) = split_scheme(origin).unwrap();
        let (host, addresses) = (bare_host(authority).to_owned(), OnceCell::new());
        let authority = authority.to_owned();
        let origin = Origin { scheme, authority, host, port: 1, is_listed: false, tls: None, dial: None, addresses };
        Self { origin: Arc::new(origin), path: path.to_owned() }
    }
}

impl Scheme {
    fn is_secure(self) -> bool {
        self == Self::Https
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

fn split_scheme(url: &str) -> Option<(Scheme, &str)> {
    let plain = url.strip_prefix("http://").map(|rest| (Scheme::Http, rest));
    plain.or_else(|| url.strip_prefix("https://").map(|rest| (Scheme::Https, rest)))
}

fn server_name(name: &str) -> Result<ServerName<'static>, AddressError> {
    ServerName::try_from(name.to_owned()).map_err(|_| AddressError::Name(name.to_owned()))
}

/// The host without its port and its brackets.
fn bare_host(authority: &str) -> &str {
    let host = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(authority, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

fn bare(host: &Host<&str>) -> String {
    bare_host(&host.to_string()).to_owned()
}

fn is_listed(host: &Host<&str>, allowed: &[String]) -> bool {
    let host = bare(host);
    allowed.iter().any(|allowed| allowed.trim_matches(['[', ']']).eq_ignore_ascii_case(&host))
}

/// Names other than `localhost` are not even looked up.
fn may_be_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(ip) => is_loopback((*ip).into()),
        Host::Ipv6(ip) => is_loopback((*ip).into()),
    }
}

/// `::ffff:127.0.0.1` is loopback too.
fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// What may stand behind the authority of a URL.
fn is_path(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(url: &str, hosts: &[&str]) -> Result<Destinations, AddressError> {
        let allowed_hosts = hosts.iter().map(ToString::to_string).collect();
        let base_url = url.to_owned();
        let target = Target { base_url, allowed_hosts, ..Target::default() };
        Destinations::resolve(&target, &Certificates::default()).await
    }

    #[tokio::test]
    async fn loopback_is_always_allowed() {
        for url in ["https://127.0.0.1:80", "https://localhost", "http://[::1]:81/", "http://[::ffff:127.0.0.1]:5"] {
            assert!(resolve(url, &[]).await.is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn other_hosts_must_be_named() {
        assert!(matches!(resolve("http://192.0.2.1:80", &[]).await, Err(AddressError::NotAllowed(_))));
        assert!(matches!(resolve("http://192.0.2.1:80", &["192.0.2.2"]).await, Err(AddressError::NotAllowed(_))));
        assert!(resolve("http://192.0.2.1:80", &["192.0.2.1"]).await.is_ok());
        assert!(resolve("http://[2001:db8::1]", &["2001:db8::1"]).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        for url in ["", "ftp://x", "http://", "http://user:secret@127.0.0.1", "http://127.0.0.1:80/path?x"] {
            assert!(matches!(resolve(url, &[]).await, Err(AddressError::Malformed(_))), "{url}");
        }
    }

    #[tokio::test]
    async fn paths_stand_behind_that_of_the_target() {
        let place =
            |base: &'static str| async move { resolve(base, &[]).await.unwrap().at_target("/x?y".into()).url() };
        assert_eq!(place("http://127.0.0.1:80/api/").await, "http://127.0.0.1:80/api/x?y");
        assert_eq!(place("https://[::1]").await, "https://[::1]/x?y");
    }

    #[tokio::test]
    async fn a_link_leads_to_the_target_or_to_a_listed_host_or_nowhere() {
        let destinations = resolve("http://127.0.0.1:80/api", &["auth.example.test"]).await.unwrap();
        let table = [
            ("/a/b?c=d#e", "http://127.0.0.1:80/a/b?c=d"),
            ("http://127.0.0.1:80/x", "http://127.0.0.1:80/x"),
            ("https://127.0.0.1:80", "http://127.0.0.1:80/"),
            ("//127.0.0.1:80/x", "http://127.0.0.1:80/x"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
            ("wss://auth.example.test/x?y#z", "https://auth.example.test/x?y"),
        ];
        for (link, expected) in table {
            assert_eq!(destinations.at(link).unwrap().url(), expected, "{link}");
        }
        for link in ["http://127.0.0.1:80@example.com/", "https://example.com/x", "http://api.auth.example.test"] {
            assert!(matches!(destinations.at(link), Err(Elsewhere::NotAllowed(_))), "{link}");
        }
        for link in ["//example.com/x", "x/y", "", "ftp://127.0.0.1/"] {
            assert_eq!(destinations.at(link).unwrap_err(), Elsewhere::Malformed, "{link}");
        }
    }

    #[derive(Debug)]
    struct Pipes;

    impl Dial for Pipes {
        fn dial(&self) -> tokio::io::DuplexStream {
            tokio::io::duplex(1).0
        }
    }

    #[test]
    fn beside_a_service_in_this_process_nothing_can_be_reached() {
        let allowed_hosts = vec!["auth.example.test".to_owned()];
        let target = Target { base_url: "http://127.0.0.1:80".into(), allowed_hosts, ..Target::default() };
        let destinations = Destinations::in_process(&target, Arc::new(Pipes)).unwrap();
        assert!(destinations.at("http://127.0.0.1:80/x").unwrap().origin.dial.is_some());
        for link in ["http://127.0.0.1:81/x", "http://localhost:80/x", "http://auth.example.test/x"] {
            assert!(matches!(destinations.at(link), Err(Elsewhere::NotAllowed(_))), "{link}");
        }
    }

    #[test]
    fn a_service_in_this_process_is_not_reached_by_tls() {
        let target = Target { base_url: "https://127.0.0.1".into(), ..Target::default() };
        let refused = Destinations::in_process(&target, Arc::new(Pipes)).unwrap_err();
        assert!(matches!(refused, AddressError::Secure(_)), "{refused}");
    }

    #[tokio::test]
    async fn the_target_may_be_called_by_another_name() {
        let target = Target {
            base_url: "http://127.0.0.1:80".into(),
            host_header: Some("api.example.test".into()),
            ..Target::default()
        };
        let destinations = Destinations::resolve(&target, &Certificates::default()).await.unwrap();
        assert_eq!(destinations.at_target("/x".into()).url(), "http://api.example.test/x");
        for link in ["https://api.example.test/x", "http://127.0.0.1:80/x"] {
            assert!(Arc::ptr_eq(&destinations.at(link).unwrap().origin, destinations.target()), "{link}");
        }
    }
}
