//! Questions and answers as bytes: one POST each, with a bound on everything.
//!
//! No redirect is followed and no proxy asked: what is sent lets its holder ask the same for some minutes.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::{ApiError, Limits};

/// The server, and how it is reached.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    url: String,
    limits: Limits,
}

/// An answer.
pub(super) struct Answer {
    /// The status of HTTP.
    pub(super) status: u16,
    /// What it says.
    pub(super) body: Vec<u8>,
}

impl Http {
    /// Asks nobody yet.
    pub(super) fn new(url: &str, ca_file: Option<&Path>, limits: Limits) -> Result<Self, ApiError> {
        let uri = check(url)?;
        let mut tls = TlsConfig::builder();
        if uri.scheme_str() == Some("https") {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            tls = tls.unversioned_rustls_crypto_provider(provider).root_certs(authorities(ca_file)?);
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_connect(Some(limits.connect))
            .timeout_resolve(Some(limits.connect))
            .timeout_global(Some(limits.answer))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .accept("application/json")
            .user_agent(concat!("ipv6-sg/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.new_agent(), url: url.to_owned(), limits })
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// How long it is waited for, and the like.
    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether anybody in between can read and write what is said.
    pub(super) fn is_open(&self) -> bool {
        let uri: Option<Uri> = self.url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        !local && uri.is_some_and(|uri| uri.scheme_str() != Some("https"))
    }

    /// Sends a question and reads the whole answer.
    pub(super) fn post(&self, command: &'static str, body: &str) -> Result<Answer, ApiError> {
        let bytes = self.limits.bytes;
        let failed = |error: ureq::Error| match error {
            ureq::Error::BodyExceedsLimit(_) => ApiError::TooLong { command, bytes },
            error => ApiError::NoAnswer { command, url: self.url.clone(), reason: error.to_string() },
        };
        let request = self.agent.post(&self.url).content_type("application/x-www-form-urlencoded");
        let mut response = request.send(body).map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(bytes).read_to_vec().map_err(failed)?;
        Ok(Answer { status, body })
    }
}

fn check(url: &str) -> Result<Uri, ApiError> {
    let refused = |problem| ApiError::Url { url: url.to_owned(), problem };
    let uri: Uri = url.parse().map_err(|_| refused("not a URL"))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(ApiError::Url { url: "…".to_owned(), problem: "names a user; keys are read from files" });
    }
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(refused("neither https:// nor http:// with a host"));
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(refused("has more than a path; what is asked is added here"));
    }
    Ok(uri)
}

/// Those of the machine, and those in the file.
fn authorities(file: Option<&Path>) -> Result<RootCerts, ApiError> {
    let machine = rustls_native_certs::load_native_certs();
    let mut known: Vec<_> = machine.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    if let Some(path) = file {
        let refused = |problem: String| ApiError::Authorities { path: path.to_owned(), problem };
        let text = fs::read(path).map_err(|error| refused(error.to_string()))?;
        let before = known.len();
        for item in parse_pem(&text) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| refused(error.to_string()))? {
                known.push(certificate);
            }
        }
        if known.len() == before {
            return Err(refused("no certificate in it".to_owned()));
        }
    }
    if known.is_empty() {
        let reasons: Vec<_> = machine.errors.iter().map(ToString::to_string).collect();
        return Err(ApiError::NoAuthority(if reasons.is_empty() {
            "none found".to_owned()
        } else {
            reasons.join(", ")
        }));
    }
    Ok(RootCerts::from(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_api_can_be() {
        let new = |url: &str| Http::new(url, None, Limits::default());
        for (url, open) in [
            ("http://mgmt.example:8080/client/api", true),
            ("http://192.0.2.1/client/api", true),
            ("http://localhost:8080/client/api", false),
            ("http://127.0.0.1/client/api", false),
            ("http://[::1]:8080/client/api", false),
        ] {
            assert_eq!(new(url).map(|http| http.is_open()).ok(), Some(open), "{url}");
        }
        for (url, problem) in [
            ("", "not a URL"),
            ("a b", "not a URL"),
            ("mgmt.example", "neither https:// nor http:// with a host"),
            ("/client/api", "neither https:// nor http:// with a host"),
            ("ftp://mgmt.example/", "neither https:// nor http:// with a host"),
            ("https://mgmt.example/client/api?command=x", "has more than a path; what is asked is added here"),
        ] {
            let wanted = format!("url = {url:?}: {problem}; write one like https://mgmt.example/client/api");
            assert_eq!(new(url).map(|_| ()).unwrap_err().to_string(), wanted);
        }
        let error = new("https://admin:password@mgmt.example/client/api").map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("names a user") && !error.contains("password"), "{error}");
    }

    #[test]
    fn authorities_that_are_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        let message = |text: Option<&str>| {
            let _ = fs::remove_file(&file);
            if let Some(text) = text {
                fs::write(&file, text).unwrap();
            }
            let error = authorities(Some(&file)).map(|_| ()).unwrap_err().to_string();
            error.replace(&directory.path().display().to_string(), "DIR")
        };
        assert_eq!(message(None), "DIR/ca.pem: No such file or directory (os error 2); write certificates as PEM");
        assert_eq!(message(Some("hello")), "DIR/ca.pem: no certificate in it; write certificates as PEM");
        assert!(message(Some("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----")).starts_with("DIR/ca.pem: "));
    }
}
