//! Services behind TLS, and services that speak HTTP/2, with certificates that are made for the test.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use coalmine_core::history::{Happening, Reader, Record};
use coalmine_core::plan::Op;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::support::Coalmine;

/// An authority that only the test knows.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// What a server speaks, where it speaks TLS.
pub(crate) enum Speaks {
    Http1,
    Http2,
    /// Nothing is agreed on.
    Anything,
}

/// A server on a free port of loopback, for HTTP/1.1 and HTTP/2.
pub(crate) struct Server {
    _runtime: Runtime,
    pub(crate) port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "an authority of the test");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn certify(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        Identity { certificate, key }
    }
}

impl Identity {
    /// One that nobody has signed but its owner, marked as an authority, as `openssl req -x509` makes them.
    pub(crate) fn of_its_own() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["somewhere.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    pub(crate) fn pem(&self) -> String {
        format!("{}{}", self.certificate.pem(), self.key.serialize_pem())
    }

    /// `guests`: whose guests must show a certificate.
    pub(crate) fn config(&self, speaks: &Speaks, guests: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match guests {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(vec![self.certificate.der().clone()], key).unwrap();
        config.alpn_protocols = match speaks {
            Speaks::Http1 => vec![b"http/1.1".to_vec()],
            Speaks::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Speaks::Anything => vec![],
        };
        config
    }
}

impl Server {
    pub(crate) fn start(router: Router, tls: Option<ServerConfig>) -> Self {
        Self::start_at("127.0.0.1:0", router, tls)
    }

    pub(crate) fn start_at(address: &str, router: Router, tls: Option<ServerConfig>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (router, acceptor) = (router.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(router, stream).await,
                        // A guest that does not trust the server has gone.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(router, stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self { _runtime: runtime, port, accepted }
    }

    /// How many connections were made so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }
}

/// How all operations of a step ended, in the order of the history.
pub(crate) fn endings(coalmine: &Coalmine, step: &str) -> Vec<Happening> {
    endings_of(coalmine, step, |_| true)
}

/// The same of those that were not to be given up in the middle, or spoiled.
pub(crate) fn whole_endings(coalmine: &Coalmine, step: &str) -> Vec<Happening> {
    endings_of(coalmine, step, |op| op.manner.cut.is_none() && op.manner.poison.is_none())
}

fn endings_of(coalmine: &Coalmine, step: &str, is_meant: impl Fn(&Op) -> bool) -> Vec<Happening> {
    let records = Reader::new(File::open(coalmine.history()).unwrap()).map(Result::unwrap);
    let (mut asked, mut found) = (BTreeSet::new(), vec![]);
    for record in records {
        match record {
            Record::Round(plan) => {
                let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
                let ops = lanes.flat_map(|lane| &lane.ops).filter(|op| plan.step(op.step).name == step && is_meant(op));
                asked = ops.map(|op| op.id).collect();
            }
            Record::Event(event) if asked.contains(&event.op) && is_end(&event.what) => found.push(event.what),
            _ => {}
        }
    }
    found
}

fn is_end(what: &Happening) -> bool {
    matches!(what, Happening::Ok(_) | Happening::Fail { .. } | Happening::Info { .. } | Happening::Skipped { .. })
}

async fn serve(router: Router, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let builder = auto::Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(router);
    // Guests come and go as they like.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}
