//! A management server of CloudStack's, as far as its HTTP API goes: it looks at every signature, has pages, and fails in any
//! way that a test asks for.
//!
//! - [`Cloud`]: what it knows
//! - `signed`: whether a question is signed as CloudStack wants it, found out with nothing of ipv6-sg's
//! - `tls`: the same behind TLS

mod cloud;
mod signed;
mod tls;

use std::convert::Infallible;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use futures_util::{StreamExt as _, stream};
use ipv6_sg::cloudstack::api::{Config, Limits};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use cloud::{Cloud, HERE, id};
pub use signed::{Asked, Refusal};

/// The key that it knows its user by.
pub const API_KEY: &str = "KqsVmHJJ-test-api-key-_zQnOPmFp86kbKRi2";
/// The key that its user signs with.
pub const SECRET_KEY: &str = "Zw5C9dO1-test-secret-key-_oMlXwvY3tXMg";

/// How it answers instead of as it should.
#[derive(Clone, Debug)]
pub enum Fault {
    /// With this status and these words.
    Says(u16, String),
    /// With what it was asked.
    Echo(u16),
    /// With a part of the answer, and then no more.
    Cut,
    /// With a byte from time to time.
    Slow,
    /// Without end.
    Endless,
    /// By sending whoever asks elsewhere.
    Redirect,
}

type Hook = Box<dyn FnMut(&Asked, &mut Cloud) + Send>;

#[derive(Default)]
struct Inside {
    cloud: Cloud,
    fault: Option<(&'static str, Fault)>,
    hook: Option<Hook>,
    asked: Vec<Asked>,
}

type Shared = Arc<Mutex<Inside>>;

/// The server. It is gone when dropped.
pub struct Management {
    url: String,
    inside: Shared,
    runtime: Option<Runtime>,
}

impl Management {
    /// Starts it, with a cloud.
    #[track_caller]
    pub fn start(cloud: Cloud) -> Self {
        Self::new(cloud, "http", |router, listener| async move { axum::serve(listener, router).await })
    }

    /// The same behind TLS; returns also the certificate of the authority to believe.
    #[track_caller]
    pub fn start_with_tls(cloud: Cloud) -> (Self, String) {
        let (acceptor, authority) = tls::acceptor();
        let serve = |router, listener| async move { axum::serve(tls::Listener { listener, acceptor }, router).await };
        (Self::new(cloud, "https", serve), authority)
    }

    fn new<F>(cloud: Cloud, scheme: &str, serve: impl FnOnce(Router, TcpListener) -> F) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let inside: Shared = Arc::new(Mutex::new(Inside { cloud, ..Inside::default() }));
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let router = Router::new().route("/client/api", any(answer)).with_state(Arc::clone(&inside));
        runtime.spawn(serve(router, listener));
        Self { url: format!("{scheme}://localhost:{port}/client/api"), inside, runtime: Some(runtime) }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes what it knows.
    pub fn change<T>(&self, change: impl FnOnce(&mut Cloud) -> T) -> T {
        change(&mut self.inside().cloud)
    }

    /// Answers `command` so from now on; all commands where it is empty.
    pub fn fail(&self, command: &'static str, fault: Fault) {
        self.inside().fault = Some((command, fault));
    }

    /// Answers as it should again.
    pub fn mend(&self) {
        self.inside().fault = None;
    }

    /// Does this after each answer from now on.
    pub fn after_each(&self, hook: impl FnMut(&Asked, &mut Cloud) + Send + 'static) {
        self.inside().hook = Some(Box::new(hook));
    }

    /// What it was asked since this was last called.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.inside().asked)
    }

    /// What asks it as host `kvm1`, with the keys in files in `directory`.
    pub fn config(&self, directory: &Path) -> Config {
        let write = |name: &str, key: &str| {
            let path = directory.join(name);
            fs::write(&path, format!("{key}\n")).expect("our own directory");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
            path
        };
        Config {
            url: self.url.clone(),
            api_key_file: write("api.key", API_KEY),
            secret_key_file: write("secret.key", SECRET_KEY),
            host: Some("kvm1".to_owned()),
            interval: Duration::from_millis(20),
            ca_file: None,
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("nobody panics in there")
    }
}

impl Drop for Management {
    fn drop(&mut self) {
        // Answers without end are not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Little patience, for tests of what takes all of it.
pub const IMPATIENT: Limits = Limits {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(10),
    bytes: 1 << 20,
    pause: Duration::from_millis(1),
};

async fn answer(State(inside): State<Shared>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let written = if body.is_empty() { query.unwrap_or_default() } else { String::from_utf8_lossy(&body).into_owned() };
    let mut inside = inside.lock().expect("nobody panics in here");
    let asked = signed::read(&written);
    inside.asked.push(asked.clone());
    let (status, text) = match &asked.refusal {
        None => inside.cloud.answer(&asked),
        Some(_) => {
            let text = "unable to verify user credentials and/or request signature";
            (401, json!({ asked.response(): { "uuidList": [], "errorcode": 401, "errortext": text } }))
        }
    };
    let fault = inside.fault.as_ref().filter(|(command, _)| command.is_empty() || *command == asked.command());
    let response = match fault {
        None => plain(status, text.to_string()),
        Some((_, fault)) => fail(fault, &text.to_string(), &written),
    };
    let Inside { cloud, hook, .. } = &mut *inside;
    if let Some(hook) = hook {
        hook(&asked, cloud);
    }
    response
}

fn plain(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}

fn fail(fault: &Fault, whole: &str, asked: &str) -> Response {
    let part = Bytes::copy_from_slice(&whole.as_bytes()[..whole.len() / 2]);
    match fault {
        Fault::Says(status, text) => plain(*status, text.clone()),
        Fault::Echo(status) => {
            let text = json!({ "errorresponse": { "errorcode": status, "errortext": asked } });
            plain(*status, text.to_string())
        }
        Fault::Cut => {
            let broken = stream::iter([Ok(part), Err(std::io::Error::other("the cable"))]);
            plain(200, Body::from_stream(broken))
        }
        Fault::Slow => {
            let drops = stream::unfold((), async |()| {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
            });
            plain(200, Body::from_stream(drops))
        }
        Fault::Endless => {
            let blanks = stream::repeat(Bytes::from_static(&[b' '; 4096])).map(Ok::<_, Infallible>);
            plain(200, Body::from_stream(blanks))
        }
        Fault::Redirect => {
            let mut response = plain(302, "");
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("http://localhost:1/client/api"));
            response
        }
    }
}
