//! How the target is spoken to.

use coalmine_core::plan::{ClientCertificate, Tls};

use crate::document::TlsText;
use crate::problem::Problems;
use crate::span::Spanned;
use crate::target::is_host;

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
