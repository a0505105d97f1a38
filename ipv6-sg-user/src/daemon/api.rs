//! What other programs of this host may ask the daemon: HTTP with JSON on a unix socket.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/status` | [`Status`] |
//! | `POST /v1/detach` | [`Detached`]; body: [`Detach`] |

use std::sync::mpsc::Sender;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::oneshot;

use super::enforcer::Request;
use super::status::Status;

/// The name of the socket in `run_dir`.
pub const SOCKET: &str = "api.sock";

/// The longest request body: an interface name needs little.
const MAX_BODY: usize = 64 * 1024;

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

type Refusal = (StatusCode, String);

pub(super) async fn serve(listener: UnixListener, requests: Sender<Request>) {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/detach", post(detach))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(requests);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("the API has ended: {error}");
    }
}

async fn status(State(requests): State<Sender<Request>>) -> Result<Json<Status>, Refusal> {
    let (reply, answer) = oneshot::channel();
    ask(&requests, Request::Status(reply), answer).await.map(Json)
}

async fn detach(State(requests): State<Sender<Request>>, Json(body): Json<Detach>) -> Result<Json<Detached>, Refusal> {
    let (reply, answer) = oneshot::channel();
    match ask(&requests, Request::Detach(body.interface, reply), answer).await? {
        Ok(interfaces) => Ok(Json(Detached { interfaces })),
        Err(reason) => Err((StatusCode::CONFLICT, reason)),
    }
}

async fn ask<T>(requests: &Sender<Request>, request: Request, answer: oneshot::Receiver<T>) -> Result<T, Refusal> {
    let ended = |()| (StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping".to_owned());
    requests.send(request).map_err(|_| ended(()))?;
    answer.await.map_err(|_| ended(()))
}
