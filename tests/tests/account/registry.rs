//! A container registry with the operations of a push: blobs in pieces, then a manifest by its tag, all checked
//! against their digests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::image::sha256;

/// The largest blob of the tests.
const MOST_BYTES: usize = 512 << 20;

/// The pushed blobs and manifests by digest; manifests also by tag.
#[derive(Debug, Default)]
struct Held {
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, Vec<u8>>,
    upload: Vec<u8>,
    logins: Vec<String>,
}

/// A running registry; stops when dropped.
pub(crate) struct Registry {
    pub(crate) url: String,
    held: Arc<Mutex<Held>>,
    task: JoinHandle<()>,
}

impl Registry {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let held = Arc::<Mutex<Held>>::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(Arc::clone(&held));
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { url, held, task })
    }

    /// Returns a blob or manifest.
    pub(crate) fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        let held = lock(&self.held);
        let found = held.blobs.get(digest).or_else(|| {
            let mut manifests = held.manifests.values();
            manifests.find(|manifest| sha256(manifest) == digest)
        });
        found.cloned()
    }

    /// Returns the logins of its requests.
    pub(crate) fn logins(&self) -> Vec<String> {
        lock(&self.held).logins.clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(held): State<Arc<Mutex<Held>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut held = lock(&held);
    login(&mut held, &head.headers);
    let path = head.uri.path().to_owned();
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    let at = [(header::LOCATION, format!("{path}?state=1"))];
    match (head.method, path.contains("/manifests/")) {
        (Method::HEAD, false) if held.blobs.contains_key(&last) => StatusCode::OK.into_response(),
        // As ECR: a manifest is sent to clients that accept its kind.
        (Method::HEAD, true)
            if accepts_manifests(&head.headers)
                && held.manifests.values().any(|held| sha256(held) == last) =>
        {
            StatusCode::OK.into_response()
        }
        (Method::HEAD, _) => StatusCode::NOT_FOUND.into_response(),
        (Method::POST, false) => {
            held.upload.clear();
            let at = [(header::LOCATION, format!("{path}upload-1"))];
            (StatusCode::ACCEPTED, at).into_response()
        }
        (Method::PATCH, false) => {
            held.upload.extend_from_slice(&body);
            (StatusCode::ACCEPTED, at).into_response()
        }
        (Method::PUT, false) => {
            let query = head.uri.query().unwrap_or_default();
            let digest = query
                .split('&')
                .find_map(|part| part.strip_prefix("digest="));
            let content = std::mem::take(&mut held.upload);
            if digest != Some(&sha256(&content)) {
                return (StatusCode::BAD_REQUEST, "DIGEST_INVALID").into_response();
            }
            held.blobs.insert(sha256(&content), content);
            StatusCode::CREATED.into_response()
        }
        (Method::PUT, true) if held.manifests.contains_key(&last) => {
            (StatusCode::BAD_REQUEST, "TAG_INVALID: the tag is immutable").into_response()
        }
        (Method::PUT, true) => {
            held.manifests.insert(last, body.to_vec());
            StatusCode::CREATED.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn accepts_manifests(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept.is_some_and(|kind| kind == "application/vnd.oci.image.manifest.v1+json")
}

fn login(held: &mut Held, headers: &HeaderMap) {
    let login = headers.get(header::AUTHORIZATION);
    if let Some(login) = login.and_then(|value| value.to_str().ok()) {
        held.logins.push(login.to_owned());
    }
}
