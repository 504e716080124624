//! The page in a browser: routes, sessions and headers around what `rightsizer-page` writes. It reads the store
//! beside the writer. Review commands go the way of the command line: [`Desk`].

mod cache;
mod curve;
mod decide;
mod desk;
mod events;
mod read;
mod reply;
mod session;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::cache::FleetCache;
pub(crate) use self::desk::{Desk, LocalDesk};
use self::session::Sessions;
use super::body::Bodies;
use super::{Hosts, Secret};
use crate::settings::Settings;

/// Event streams at once: each keeps a connection.
const STREAMS: usize = 64;

/// What the page needs.
#[derive(Debug, Clone)]
pub(crate) struct PageOptions {
    /// The store.
    pub(crate) store: PathBuf,
    /// Under which names the page may be asked.
    pub(crate) hosts: Hosts,
    /// Tokens that sign a person in.
    pub(crate) reviewers: Vec<Secret>,
    /// Who carries out review commands.
    pub(crate) desk: Desk,
    /// Prices and rules of power curves.
    pub(crate) settings: Arc<Settings>,
    /// Ends event streams when the server stops.
    pub(crate) stop: CancellationToken,
}

#[derive(Debug, Clone)]
pub(crate) struct Page {
    options: Arc<PageOptions>,
    sessions: Arc<Sessions>,
    fleet: Arc<FleetCache>,
    bodies: Bodies,
    streams: Arc<Semaphore>,
}

impl Page {
    pub(crate) fn new(options: PageOptions) -> Self {
        Self {
            fleet: Arc::new(FleetCache::new(
                options.store.clone(),
                Arc::clone(&options.settings),
            )),
            options: Arc::new(options),
            sessions: Arc::default(),
            bodies: Bodies::default(),
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }

    /// Returns a code that signs one browser in as `by`, once.
    pub(crate) fn code(&self, by: &str) -> anyhow::Result<String> {
        self.sessions.code(by)
    }
}

/// The routes of the page. Their first part, `ui`, is too short to be a token.
pub(super) fn routes(page: Page) -> Router {
    Router::new()
        .route("/", get(read::fleet))
        .route("/ui", get(async || Redirect::permanent("/")))
        .route("/ui/", get(async || Redirect::permanent("/")))
        .route("/ui/function", get(read::function))
        .route("/ui/histogram", get(read::histogram))
        .route("/ui/review", get(read::review))
        .route("/ui/health", get(read::health))
        .route("/ui/guide/{name}", get(read::guide))
        .route("/ui/events", get(events::events))
        .route("/ui/decide", post(decide::decide))
        .route(
            "/ui/sign-in",
            get(async || Redirect::to("/")).post(session::sign_in),
        )
        .route("/ui/sign-out", post(session::sign_out))
        .route("/ui/enter", get(session::enter))
        .route("/ui/{file}", get(reply::asset))
        .layer(from_fn_with_state(page.clone(), guard))
        .with_state(page)
}

/// Refuses requests for other names (a page elsewhere may resolve its name to this machine) and, if they change
/// anything, from other origins. Every answer carries the page's headers.
async fn guard(State(page): State<Page>, request: Request, next: Next) -> Response {
    let hosts = &page.options.hosts;
    let foreign = match (host(request.headers()), request.method() == Method::GET) {
        (Some(host), _) if !hosts.allows(host) => Some(StatusCode::MISDIRECTED_REQUEST),
        (Some(host), false) if !is_own_origin(request.headers(), host, hosts) => {
            Some(StatusCode::FORBIDDEN)
        }
        (Some(_), _) => None,
        (None, _) => Some(StatusCode::BAD_REQUEST),
    };
    let mut response = match foreign {
        None => next.run(request).await,
        Some(status) => {
            let why = "the page answers requests for this server's own names only; `--allow-host NAME` adds the name \
                       of a proxy before it\n";
            (status, why).into_response()
        }
    };
    reply::protect(response.headers_mut());
    response
}

/// The only `Host` of a request.
fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

/// Whether a browser sent this from a page of this server. Browsers name the origin of every POST.
fn is_own_origin(headers: &HeaderMap, host: &str, hosts: &Hosts) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().ok().and_then(|origin| {
        let (scheme, authority) = origin.split_once("://")?;
        matches!(scheme, "http" | "https").then_some(authority)
    });
    origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host) || hosts.is_named(origin))
}

#[cfg(test)]
mod tests;
