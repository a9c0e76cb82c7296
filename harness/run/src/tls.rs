//! TLS: whom to trust, as whom to come, and what to say when the other side is not whom it should be.
//!
//! One configuration serves all connections. No session is resumed: what one principal's connection has learned, another's
//! must not bring along.

use std::fmt;
use std::sync::Arc;

use coalmine_core::plan::HttpVersion;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    server::VerifierBuilderError,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::socket::ConnectError;

/// What the files say that a scenario names under `target.tls`.
#[derive(Clone, Default)]
pub struct Certificates {
    /// Those that are trusted besides the authorities of the web.
    pub ca: Option<Vec<u8>>,
    /// A certificate to show, and its key.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// No certificate in PEM stands in it.
    #[error("the file of `target.tls.{0}` holds no certificate in PEM: one begins with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate(&'static str),
    /// No key in PEM stands in it.
    #[error("the file of `target.tls.key` holds no private key in PEM, or one with a password")]
    NoKey,
    /// The certificate and the key do not belong together, or are of a kind that is not known.
    #[error("the certificate of `target.tls` cannot be shown: {0}")]
    Client(Error),
    /// The authorities cannot be used.
    #[error("the certificates of `target.tls.ca` cannot be used: {0}")]
    Authorities(#[from] VerifierBuilderError),
}

/// How to come to one server.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) configs: Configs,
    /// The name for which its certificate must stand.
    pub(crate) name: ServerName<'static>,
}

/// What all connections have in common.
#[derive(Clone, Debug)]
pub(crate) struct Configs {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Configs {
    pub(crate) fn new(certificates: &Certificates) -> Result<Self, CertificatesError> {
        let provider = Arc::new(ring::default_provider());
        let own = certificates.ca.as_deref().map_or(Ok(vec![]), |pem| read_certificates(pem, "ca"))?;
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // One that is no authority's is known by itself: see `Verifier`.
        roots.add_parsable_certificates(own.iter().cloned());
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(CertificatesError::Client)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { web, own }));
        let mut config = match &certificates.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = read_certificates(chain, "cert")?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificatesError::NoKey)?;
                builder.with_client_auth_cert(chain, key).map_err(CertificatesError::Client)?
            }
        };
        config.resumption = Resumption::disabled();
        let agreeing_on = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            Arc::new(config)
        };
        Ok(Self { http1: agreeing_on(b"http/1.1"), http2: agreeing_on(b"h2") })
    }

    fn of(&self, version: HttpVersion) -> Arc<ClientConfig> {
        Arc::clone(match version {
            HttpVersion::Http1 => &self.http1,
            HttpVersion::Http2 => &self.http2,
        })
    }
}

fn read_certificates(pem: &[u8], of: &'static str) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let missing = || CertificatesError::NoCertificate(of);
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| missing())?;
    if read.is_empty() { Err(missing()) } else { Ok(read) }
}

/// Shakes hands. The error says what the scenario may say to make it work.
pub(crate) async fn connect(
    tls: &Tls,
    stream: TcpStream,
    version: HttpVersion,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let connector = TlsConnector::from(tls.configs.of(version));
    let connected = connector.connect(tls.name.clone(), stream).await;
    let stream = connected.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(reason) => ConnectError::Tls(in_words(reason, &tls.name)),
        None => ConnectError::Io(error),
    })?;
    if version == HttpVersion::Http2 && stream.get_ref().1.alpn_protocol().is_none() {
        return Err(ConnectError::Tls(no_http2(&tls.name.to_str())));
    }
    Ok(stream)
}

/// What to do about it, where a connection broke off because of who comes.
pub(crate) fn help(error: &std::io::Error) -> Option<&'static str> {
    let reason = error.get_ref()?.downcast_ref::<Error>()?;
    let wanted = matches!(reason, Error::AlertReceived(AlertDescription::CertificateRequired));
    wanted.then_some("the target wants to be shown a certificate: `target: {tls: {cert: FILE, key: FILE}}`")
}

fn no_http2(name: &str) -> String {
    format!("`{name}` does not agree to speak HTTP/2: leave out `target: {{http: 2}}`")
}

fn in_words(reason: &Error, name: &ServerName<'_>) -> String {
    let name = name.to_str();
    match reason {
        Error::InvalidCertificate(why) => distrusted(why, &name),
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) => no_http2(&name),
        Error::InvalidMessage(_) => {
            format!("`{name}` does not answer in TLS; a target without it has a URL that begins with `http://`")
        }
        other => format!("TLS with `{name}` failed: {other}"),
    }
}

fn distrusted(why: &CertificateError, name: &str) -> String {
    let pinned = "a certificate that stands itself in the file of `target: {tls: {ca: FILE}}` is taken as it is";
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "the certificate is not for `{name}`: say for whom it is with `target: {{tls: {{name: NAME}}}}`; {pinned}"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of `{name}` has expired; {pinned}")
        }
        CertificateError::UnknownIssuer => format!(
            "nobody who is trusted has signed the certificate of `{name}`: name a file with that of its authority in \
             `target: {{tls: {{ca: FILE}}}}`, or with its own"
        ),
        other => format!("the certificate of `{name}` cannot be trusted: {other}; {pinned}"),
    }
}

/// Trusts as browsers do, and besides it every certificate that the scenario names itself: whoever has its key is the one
/// who is meant. So a test system with a certificate of its own making can be reached, and nobody else in its place.
#[derive(Debug)]
struct Verifier {
    web: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.own.iter().any(|own| own == shown) {
            return Ok(ServerCertVerified::assertion());
        }
        self.web.verify_server_cert(shown, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}
