//! TLS: certificate authorities, client certificates, pinned certificates, and what went wrong in plain words.

use crate::domain::instance::Tls;
use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, InvalidMessage, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// Sets up the client's side of TLS.
///
/// # Errors
/// When a file cannot be read or holds something else than it should.
pub(in crate::qdrant) fn apply(mut builder: ClientBuilder, tls: &Tls) -> Result<ClientBuilder, String> {
    if let Some(path) = &tls.certificate_pin {
        return Ok(builder.tls_backend_preconfigured(pinned(path, tls)?));
    }
    if let Some(path) = &tls.ca_certificate {
        let pem = read_pem(path, "ca-certificate")?;
        let certificates =
            Certificate::from_pem_bundle(&pem).map_err(|error| format!("ca-certificate {}: {error}", path.display()))?;
        if certificates.is_empty() {
            return Err(format!("ca-certificate {} holds no certificate", path.display()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let (Some(certificate), Some(key)) = (&tls.client_certificate, &tls.client_key) {
        let mut pem = read_pem(certificate, "client-certificate")?;
        pem.push(b'\n');
        pem.extend(read_pem(key, "client-key")?);
        let identity = Identity::from_pem(&pem).map_err(|_| no_identity(certificate, key))?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

fn no_identity(certificate: &Path, key: &Path) -> String {
    format!("client-certificate {} and client-key {} do not form an identity", certificate.display(), key.display())
}

fn read_pem(path: &Path, key: &str) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{key} {} cannot be read: {error}", path.display()))
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read_pem(path, key)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("{key} {} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", path.display())),
    }
}

fn pinned(path: &Path, tls: &Tls) -> Result<ClientConfig, String> {
    let unusable = |error: Error| format!("TLS cannot be set up: {error}");
    let provider = CryptoProvider::get_default().cloned().ok_or("no crypto provider is installed")?;
    let pin = Pin { certificates: certificates(path, "certificate-pin")?, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pin));
    let mut config = match (&tls.client_certificate, &tls.client_key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate, "client-certificate")?;
            let secret =
                PrivateKeyDer::from_pem_slice(&read_pem(key, "client-key")?).map_err(|_| no_identity(certificate, key))?;
            config.with_client_auth_cert(chain, secret).map_err(|_| no_identity(certificate, key))?
        }
        _ => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Accepts a server whose certificate is, byte for byte, one of these. Names, dates and issuers in it are not looked at: the
/// file says that this is the server. That the server has the key is checked as always.
#[derive(Debug)]
struct Pin {
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.certificates.iter().any(|pinned| pinned.as_ref() == end_entity.as_ref()) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What failed, and what to do: both in plain words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::qdrant) struct Said {
    pub(in crate::qdrant) message: String,
    pub(in crate::qdrant) advice: String,
}

/// The TLS error inside a failed request, if that is what it was.
pub(in crate::qdrant) fn error_in<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    if let Some(found) = error.downcast_ref::<Error>() {
        return Some(found);
    }
    // An I/O error gives the source of what it wraps, and leaves out what it wraps, which may be an I/O error again.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.and_then(|inner| error_in(inner)).or_else(|| error_in(error.source()?))
}

/// Whether the server speaks something else than https on this port.
pub(in crate::qdrant) fn speaks_otherwise(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidMessage(InvalidMessage::InvalidContentType)
            | Error::AlertReceived(AlertDescription::NoApplicationProtocol)
            | Error::NoApplicationProtocol
    )
}

/// A TLS error in plain words; `http` is the server's address with that scheme, `host` its name.
pub(in crate::qdrant) fn explain(error: &Error, http: &str, host: &str) -> Said {
    let said = |message: String, advice: String| Said { message, advice };
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => said(
            "the server speaks http, not https".into(),
            format!("write {http} in the configuration, or switch TLS on at the server"),
        ),
        Error::InvalidCertificate(why) => certificate(why, host),
        Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate | AlertDescription::UnknownCA,
        ) => said(
            "the server wants a client certificate that it trusts".into(),
            "give one with client-certificate and client-key in the configuration".into(),
        ),
        other => said(
            format!("TLS failed: {other}"),
            "check that the port is the one for https; `openssl s_client -connect HOST:PORT` shows what the server offers".into(),
        ),
    }
}

fn certificate(why: &CertificateError, host: &str) -> Said {
    let said = |message: String, advice: &str| Said { message, advice: advice.to_owned() };
    let pin = "or accept exactly this certificate: save it as a PEM file and name that with certificate-pin";
    match why {
        CertificateError::ApplicationVerificationFailure => said(
            "the server shows another certificate than the one in certificate-pin".into(),
            "if it was renewed, put the new certificate into the file; if it was not, another server may be answering",
        ),
        CertificateError::UnknownIssuer => said(
            "the server's certificate is signed by an authority that this machine does not know".into(),
            &format!("name that authority's certificate with ca-certificate in the configuration, {pin}"),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => said(
            format!("the server's certificate is not for the name {host}"),
            &format!("use a name that the certificate has, {pin}"),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            said("the server's certificate has expired".into(), &format!("renew it on the server, {pin}"))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            said("the server's certificate is not valid yet".into(), &format!("check the clocks of both machines, {pin}"))
        }
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => said(
            "the server's certificate is marked as one of an authority (CA:TRUE), as openssl makes them by default".into(),
            "accept exactly this certificate: save it as a PEM file and name that with certificate-pin in the configuration",
        ),
        other => said(format!("the server's certificate is not accepted: {other}"), &format!("replace it on the server, {pin}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_cannot_be_used_are_explained() {
        for (why, message, advice) in [
            (CertificateError::UnknownIssuer, "does not know", "ca-certificate"),
            (CertificateError::Expired, "expired", "certificate-pin"),
            (CertificateError::NotValidForName, "name h", "certificate-pin"),
            (CertificateError::ApplicationVerificationFailure, "another certificate", "renewed"),
        ] {
            let said = explain(&Error::InvalidCertificate(why), "http://h:1", "h");
            assert!(said.message.contains(message) && said.advice.contains(advice), "{said:?}");
        }
        let said = explain(&Error::InvalidMessage(InvalidMessage::InvalidContentType), "http://h:1", "h");
        assert_eq!(said.message, "the server speaks http, not https");
        assert!(said.advice.contains("http://h:1"));
    }

    #[test]
    fn a_pin_that_holds_no_certificate_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pin.pem");
        assert!(certificates(&path, "certificate-pin").unwrap_err().contains("cannot be read"));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nnonsense").unwrap();
        assert!(certificates(&path, "certificate-pin").unwrap_err().contains("holds no certificate"));
    }
}
