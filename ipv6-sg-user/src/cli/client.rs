//! Asking the daemon over its socket.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::daemon::SOCKET;

/// A connection to the daemon.
pub(super) struct Client {
    runtime: tokio::runtime::Runtime,
    stream: UnixStream,
    patience: Option<Duration>,
}

impl Client {
    /// Connects to the daemon whose socket is in `run_dir`; `None` when none answers.
    pub(super) fn connect(run_dir: &Path) -> Result<Option<Self>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let path = run_dir.join(SOCKET);
        match runtime.block_on(UnixStream::connect(&path)) {
            Ok(stream) => Ok(Some(Self { runtime, stream, patience: None })),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                bail!("{} is for root only: run as root", path.display())
            }
            Err(_) => Ok(None),
        }
    }

    /// Waits for no answer longer than this: else as long as it takes.
    pub(super) const fn within(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Asks for what is at `path`.
    pub(super) fn get<A: DeserializeOwned>(self, path: &str) -> Result<A> {
        self.ask(Method::GET, path, Vec::new())
    }

    /// Asks for something to be done.
    pub(super) fn post<A: DeserializeOwned>(self, path: &str, body: &impl Serialize) -> Result<A> {
        self.ask(Method::POST, path, serde_json::to_vec(body)?)
    }

    fn ask<A: DeserializeOwned>(self, method: Method, path: &str, body: Vec<u8>) -> Result<A> {
        let Self { runtime, stream, patience } = self;
        let question = async {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(HOST, "ipv6-sg")
                .header(CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body)))?;
            let response = sender.send_request(request).await.context("the daemon did not answer")?;
            let ok = response.status().is_success();
            let answer = response.into_body().collect().await.context("the daemon broke off its answer")?.to_bytes();
            connection.abort();
            if !ok {
                bail!("{}", String::from_utf8_lossy(&answer));
            }
            serde_json::from_slice(&answer).context("the daemon is another version of this program: restart it")
        };
        runtime.block_on(async {
            match patience {
                None => question.await,
                Some(patience) => tokio::time::timeout(patience, question)
                    .await
                    .unwrap_or_else(|_| bail!("the daemon does not answer within {patience:?}")),
            }
        })
    }
}
