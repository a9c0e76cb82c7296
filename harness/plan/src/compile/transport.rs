//! How the target is spoken to.

use coalmine_core::plan::{ClientCertificate, Tls};

use crate::document::TlsText;
use crate::problem::Problems;
use crate::span::{Span, Spanned};
use crate::target::{BaseUrl, is_host};

pub(super) fn tls(written: &TlsText, problems: &Problems<'_>) -> Tls {
    for file in [&written.ca, &written.cert, &written.key].into_iter().flatten() {
        if file.value.trim().is_empty() {
            problems.add(file.span, "this is not the name of a file", None);
        }
    }
    if let Some(name) = written.name.as_ref().filter(|name| !is_host(name.as_str())) {
        let help = "write the host alone, such as `api.example.com`".to_owned();
        problems.add(name.span, format!("`{}` is not the name of a host", name.value), Some(help));
    }
    let text = |written: &Option<Spanned<String>>| written.as_ref().map(|it| it.value.clone());
    Tls { ca: text(&written.ca), name: text(&written.name), client: client(written, problems) }
}

/// The name by which the target is called.
pub(super) fn host_header(written: &Spanned<String>, problems: &Problems<'_>) -> String {
    if BaseUrl::parse(&format!("http://{}", written.value)).is_err() || written.value.contains('/') {
        let help = "write `api.example.com` or `api.example.com:8443`".to_owned();
        problems.add(written.span, format!("`{}` is not a host", written.value), Some(help));
    }
    written.value.clone()
}

/// Where an address that a step writes out may lead: to the target, to loopback, or to a host of the list.
pub(super) fn check_address(written: &str, span: Span, hosts: &[String], problems: &Problems<'_>) {
    let secure = written.replacen("ws", "http", usize::from(written.starts_with("ws")));
    let end = secure.find("://").and_then(|at| secure[at + 3..].find('/').map(|len| at + 3 + len));
    match BaseUrl::parse(&secure[..end.unwrap_or(secure.len())]) {
        Err(error) => problems.add(
            span,
            error.to_string(),
            Some("write `https://host/path`, or name the host in a variable: `{{env.LOGIN}}/path`".to_owned()),
        ),
        Ok(url) if url.may_be_reached(hosts) => {}
        Ok(url) => {
            let help = format!("list it under `target`: `hosts: [{}]`", url.host());
            problems.absent(span, format!("the host `{}` is not listed", url.host()), Some(help));
        }
    }
}

fn client(written: &TlsText, problems: &Problems<'_>) -> Option<ClientCertificate> {
    match (&written.cert, &written.key) {
        (Some(cert), Some(key)) => Some(ClientCertificate { cert: cert.value.clone(), key: key.value.clone() }),
        (None, None) => None,
        (Some(alone), None) | (None, Some(alone)) => {
            let help = "write `cert: FILE` and `key: FILE`; they may name the same file".to_owned();
            problems.add(alone.span, "a certificate is shown with its key", Some(help));
            None
        }
    }
}
