//! Where traffic may go: to loopback, and to the hosts that the scenario names.

use std::net::{IpAddr, SocketAddr};

use coalmine_core::plan::Target;
use rustls::pki_types::ServerName;

use crate::tls::{Certificates, CertificatesError, Configs, Tls};

/// The target's address, looked up once, so that every connection of the run goes to the same machine.
#[derive(Clone, Debug)]
pub struct Address {
    /// Where connections go.
    pub(crate) socket: SocketAddr,
    /// `host:port` as it was written, for the `Host` header.
    pub(crate) authority: String,
    /// None where it is plain http.
    pub(crate) tls: Option<Tls>,
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
        source: std::io::Error,
    },
}

impl Address {
    /// Checks the target's URL against its list of hosts and looks its name up.
    pub async fn resolve(target: &Target, certificates: &Certificates) -> Result<Self, AddressError> {
        let url = target.base_url.as_str();
        let malformed = || AddressError::Malformed(url.to_owned());
        let plain = url.strip_prefix("http://").map(|rest| (rest, 80));
        let (rest, port) = plain.or_else(|| Some((url.strip_prefix("https://")?, 443))).ok_or_else(malformed)?;
        let authority = rest.trim_end_matches('/');
        let uri: hyper::http::uri::Authority = authority.parse().map_err(|_| malformed())?;
        let host = uri.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || authority.contains('@') {
            return Err(malformed());
        }
        let socket = look_up(&host, uri.port_u16().unwrap_or(port)).await?;
        let named = target.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host));
        if !is_loopback(socket.ip()) && !named {
            return Err(AddressError::NotAllowed(host));
        }
        let tls = if plain.is_some() { None } else { Some(tls(target, certificates, host)?) };
        Ok(Self { socket, authority: authority.to_owned(), tls })
    }
}

fn tls(target: &Target, certificates: &Certificates, host: String) -> Result<Tls, AddressError> {
    let name = target.tls.name.clone().unwrap_or(host);
    let name = ServerName::try_from(name.clone()).map_err(|_| AddressError::Name(name))?;
    Ok(Tls { configs: Configs::new(certificates)?, name })
}

async fn look_up(host: &str, port: u16) -> Result<SocketAddr, AddressError> {
    let failed = |source| AddressError::Lookup { host: host.to_owned(), source };
    let mut found = tokio::net::lookup_host((host, port)).await.map_err(failed)?;
    found.next().ok_or_else(|| failed(std::io::Error::other("it has no address")))
}

/// `::ffff:127.0.0.1` is loopback too.
fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(url: &str, hosts: &[&str]) -> Result<Address, AddressError> {
        let allowed_hosts = hosts.iter().map(ToString::to_string).collect();
        let base_url = url.to_owned();
        let target = Target { base_url, allowed_hosts, ..Target::default() };
        Address::resolve(&target, &Certificates::default()).await
    }

    #[tokio::test]
    async fn loopback_is_always_allowed() {
        for url in [
            "https://127.0.0.1:80",
            "https://localhost",
            "http://[::1]:81/",
            "http://127.9.9.9:1",
            "http://[::ffff:127.0.0.1]:5",
        ] {
            assert!(resolve(url, &[]).await.is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn other_hosts_must_be_named() {
        assert!(matches!(resolve("http://192.0.2.1:80", &[]).await, Err(AddressError::NotAllowed(_))));
        assert!(matches!(resolve("http://192.0.2.1:80", &["192.0.2.2"]).await, Err(AddressError::NotAllowed(_))));
        assert!(resolve("http://192.0.2.1:80", &["192.0.2.1"]).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        for url in ["", "ftp://x", "http://", "http://user:secret@127.0.0.1", "http://127.0.0.1:80/path"] {
            assert!(matches!(resolve(url, &[]).await, Err(AddressError::Malformed(_))), "{url}");
        }
    }
}
