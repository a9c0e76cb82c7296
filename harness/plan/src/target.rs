//! The address of a target.

/// `http://host:port`, and perhaps a path before all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    host: String,
}

/// The text is not the address of a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the address of a target: {reason}")]
pub struct BaseUrlError {
    text: String,
    reason: &'static str,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let wrong = |reason| BaseUrlError { text: text.to_owned(), reason };
        let plain = text.strip_suffix('/').unwrap_or(text);
        let rest = plain.strip_prefix("http://").or_else(|| plain.strip_prefix("https://"));
        let rest = rest.ok_or_else(|| wrong("it begins with `http://` or `https://`"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') || rest.contains(['?', '#']) || !path.bytes().all(is_of_path) || path.ends_with('/')
        {
            return Err(wrong("it is scheme, host and port, perhaps with a path, without user or query"));
        }
        let (host, port) = split_port(authority);
        if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
            return Err(wrong("its port is a number from 1 to 65535"));
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_host(host),
        };
        let host = bare.unwrap_or(host).to_ascii_lowercase();
        if valid { Ok(Self { text: plain.to_owned(), host }) } else { Err(wrong("its host is not one")) }
    }

    /// The same without a path.
    pub(crate) fn parse_origin(text: &str) -> Result<Self, BaseUrlError> {
        let url = Self::parse(text)?;
        if url.text.split("://").any(|rest| rest.contains('/')) {
            let reason = "it is scheme, host and port, without user, path or query";
            return Err(BaseUrlError { text: text.to_owned(), reason });
        }
        Ok(url)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is loopback or one of the listed hosts.
    pub(crate) fn may_be_reached(&self, hosts: &[String]) -> bool {
        let address: Option<std::net::IpAddr> = self.host.parse().ok();
        self.host == "localhost" || address.is_some_and(|it| it.is_loopback()) || hosts.contains(&self.host)
    }
}

fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte)
}

/// Whether it may be a name, or an address of IPv4.
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port_and_perhaps_a_path() {
        for right in [
            "http://127.0.0.1:8080",
            "https://staging.example.com",
            "http://[::1]:80",
            "http://localhost/",
            "http://a/b/c/",
        ] {
            assert!(BaseUrl::parse(right).is_ok(), "{right}");
        }
        let wrong = [
            "",
            "127.0.0.1:80",
            "http://",
            "http://a:0",
            "http://a:x",
            "http://a/b?c",
            "http://a/b c",
            "http://u@a",
            "http://a b",
        ];
        for wrong in wrong {
            assert!(BaseUrl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_loopback_and_listed_hosts_may_be_reached() {
        let reached = |url: &str| BaseUrl::parse(url).unwrap().may_be_reached(&["staging.example.com".to_owned()]);
        assert!(reached("http://127.3.2.1:1"));
        assert!(reached("http://[::1]:1"));
        assert!(reached("http://LOCALHOST:1"));
        assert!(reached("https://staging.example.com"));
        assert!(!reached("http://127.0.0.1.example.com"));
        assert!(!reached("http://10.0.0.1"));
    }
}
