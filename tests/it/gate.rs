//! A proxy for tests: it sees the head of every request, and answers itself or passes it on. With TLS if wanted.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What becomes of a request.
pub enum Verdict {
    /// It goes on to the server behind.
    Pass,
    /// It goes on with another head.
    PassAs(String),
    /// This is the answer, and the connection ends.
    Answer(String),
}

/// Answers in HTTP/1.1.
pub fn answer(status: &str, headers: &str, body: &str) -> Verdict {
    let length = body.len();
    Verdict::Answer(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"))
}

/// The value of a header in the head of a request.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

type Decide = dyn Fn(&str) -> Verdict + Send + Sync;

/// A running gate.
pub struct Gate {
    pub address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    /// Before the server at `upstream`, an address of the form `http://host:port`.
    pub async fn open(upstream: &str, decide: impl Fn(&str) -> Verdict + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0", upstream, None, Arc::new(decide)).await.unwrap()
    }

    /// With a certificate.
    pub async fn tls(upstream: &str, acceptor: TlsAcceptor) -> Self {
        Self::listen("127.0.0.1:0", upstream, Some(acceptor), Arc::new(|_: &str| Verdict::Pass)).await.unwrap()
    }

    /// On an address of its own; `None` where that is taken.
    pub async fn at(place: &str, upstream: &str, decide: impl Fn(&str) -> Verdict + Send + Sync + 'static) -> Option<Self> {
        Self::listen(place, upstream, None, Arc::new(decide)).await
    }

    async fn listen(place: &str, upstream: &str, acceptor: Option<TlsAcceptor>, decide: Arc<Decide>) -> Option<Self> {
        let listener = TcpListener::bind(place).await.ok()?;
        let address = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, upstream) = (heads.clone(), upstream.trim_start_matches("http://").to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, upstream, decide, acceptor) = (seen.clone(), upstream.clone(), decide.clone(), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &upstream, &seen, decide.as_ref()).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => serve(stream, &upstream, &seen, decide.as_ref()).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Some(Self { address, heads })
    }

    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn https(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve<S>(mut stream: S, upstream: &str, seen: &Mutex<Vec<String>>, decide: &Decide) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
        if !head[0].is_ascii_uppercase() {
            // No http: what a server says to that.
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.ok();
        }
    }
    let head = String::from_utf8(head).ok()?;
    seen.lock().unwrap().push(head.clone());
    let head = match decide(&head) {
        Verdict::Answer(text) => {
            stream.write_all(text.as_bytes()).await.ok()?;
            return stream.shutdown().await.ok();
        }
        Verdict::Pass => head,
        Verdict::PassAs(other) => other,
    };
    // One request a connection: the head of the next one must be seen, too.
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    let mut server = TcpStream::connect(upstream).await.ok()?;
    server.write_all(head.as_bytes()).await.ok()?;
    copy_bidirectional(&mut stream, &mut server).await.ok()?;
    Some(())
}

/// A certificate with its key.
pub struct Identity {
    pub der: CertificateDer<'static>,
    key: KeyPair,
    params: CertificateParams,
}

impl Identity {
    /// Signed by itself; `shape` changes what is written in it.
    pub fn own(names: &[&str], shape: impl FnOnce(&mut CertificateParams)) -> Self {
        let (key, params) = (KeyPair::generate().unwrap(), Self::params(names, shape));
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { der, key, params }
    }

    /// As `openssl req -x509` makes it by default: one of an authority.
    pub fn of_openssl(names: &[&str]) -> Self {
        Self::own(names, |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
    }

    /// Signed by an authority.
    pub fn signed_by(authority: &Self, names: &[&str]) -> Self {
        let (key, params) = (KeyPair::generate().unwrap(), Self::params(names, |_| {}));
        let issuer = Issuer::new(authority.params.clone(), &authority.key);
        let der = params.signed_by(&key, &issuer).unwrap().der().clone();
        Self { der, key, params }
    }

    fn params(names: &[&str], shape: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        shape(&mut params);
        params
    }

    /// Writes the certificate as PEM.
    pub fn write(&self, path: &Path) {
        let body = STANDARD.encode(&self.der);
        std::fs::write(path, format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")).unwrap();
    }

    /// A server with this certificate.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_with_key_of(self, rustls::ALL_VERSIONS)
    }

    /// A server that shows this certificate and has the key of another one.
    pub fn acceptor_with_key_of(&self, other: &Self, versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsAcceptor {
        qsnap::compose::install_crypto();
        let key = PrivateKeyDer::try_from(other.key.serialize_der()).unwrap();
        let shown = CertifiedKey::new(vec![self.der.clone()], any_supported_type(&key).unwrap());
        let config = rustls::ServerConfig::builder_with_protocol_versions(versions)
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        TlsAcceptor::from(Arc::new(config))
    }
}
