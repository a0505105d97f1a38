//! What other programs of this host may ask the daemon: HTTP with JSON on a unix socket.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/status` | [`Status`] |
//! | `POST /v1/detach` | [`Detached`]; body: [`Detach`] |
//! | `POST /v1/cloudstack/agent` | [`Answer`]; body: [`AgentCall`] |
//!
//! Whatever is refused is answered with a status of 4xx or 5xx and one line that says why.

use std::sync::mpsc::Sender;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::oneshot;

use super::enforcer::Request;
use super::news::News;
use super::status::Status;

/// The name of the socket in `run_dir`.
pub const SOCKET: &str = "api.sock";

/// The longest request body. The kernel passes 128 KiB to a program in one argument; as JSON it may be twice that.
const MAX_BODY: usize = 512 * 1024;

/// Which interface to take enforcement off; all without one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detach {
    /// Its name.
    pub interface: Option<String>,
}

/// The interfaces that are not guarded any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Detached {
    /// Their names.
    pub interfaces: Vec<String>,
}

/// A call of CloudStack's agent, as it would call its script.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentCall {
    /// The arguments behind the script's name.
    pub arguments: Vec<String>,
}

/// What a call answers that is done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// For standard output; most calls have nothing to say.
    pub output: String,
}

/// Who answers.
#[derive(Clone)]
pub(super) struct Threads {
    /// What is enforced.
    pub(super) enforcer: Sender<Request>,
    /// What is wanted.
    pub(super) steward: Sender<News>,
}

type Refusal = (StatusCode, String);

pub(super) async fn serve(listener: UnixListener, threads: Threads) {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/detach", post(detach))
        .route("/v1/cloudstack/agent", post(agent))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(threads);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("the API has ended: {error}");
    }
}

async fn status(State(threads): State<Threads>) -> Result<Json<Status>, Refusal> {
    let (reply, answer) = oneshot::channel();
    ask(&threads.enforcer, Request::Status(reply), answer).await.map(Json)
}

async fn detach(State(threads): State<Threads>, Json(body): Json<Detach>) -> Result<Json<Detached>, Refusal> {
    let (reply, answer) = oneshot::channel();
    match ask(&threads.enforcer, Request::Detach(body.interface, reply), answer).await? {
        Ok(interfaces) => Ok(Json(Detached { interfaces })),
        Err(reason) => Err((StatusCode::CONFLICT, reason)),
    }
}

async fn agent(State(threads): State<Threads>, Json(body): Json<AgentCall>) -> Result<Json<Answer>, Refusal> {
    let (reply, answer) = oneshot::channel();
    match ask(&threads.steward, News::Agent(body.arguments, reply), answer).await? {
        Ok(output) => Ok(Json(Answer { output })),
        Err(reason) => Err((StatusCode::CONFLICT, reason)),
    }
}

async fn ask<R, T>(thread: &Sender<R>, request: R, answer: oneshot::Receiver<T>) -> Result<T, Refusal> {
    let ended = |()| (StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping".to_owned());
    thread.send(request).map_err(|_| ended(()))?;
    answer.await.map_err(|_| ended(()))
}
