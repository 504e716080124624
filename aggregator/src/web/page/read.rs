//! The pages that are read. Without a session each is the sign-in form.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rightsizer_aws::clock::now;
use rightsizer_page::{
    Figure, Fleet, FleetView, Frame, FunctionView, Query, ReviewView, fleet_page, function_page,
    guide as guide_page, health_page, histogram_log, notice_page, reading_page, review_page,
};
use rightsizer_records::Megabytes;
use rightsizer_rules::price::PriceTable;
use rightsizer_store::{DayLine, FunctionDetail, Reader, SizeDay, StoreError};

use super::curve;
use super::session::{Session, door};
use super::{Page, reply};
use crate::power::cold_starts;

/// How long a visitor waits for a fleet that was never read.
const PATIENCE: Duration = Duration::from_secs(2);
/// The header of an open page's own requests.
const REFRESH: &str = "x-refresh";
/// Daily peaks of a function's page.
const PEAKS: u32 = 35;

/// What a signed-in request reads.
struct Visit {
    session: Session,
    fleet: Arc<Fleet>,
    notice: Option<(String, bool)>,
}

impl Visit {
    fn frame(&self) -> Frame<'_> {
        Frame {
            by: &self.session.by,
            csrf: &self.session.csrf,
            waiting: self.fleet.waiting,
            notice: self.notice.as_ref().map(|(notice, _)| notice.as_str()),
            refused: self.notice.as_ref().is_some_and(|(_, refused)| *refused),
        }
    }
}

/// Reads the session and the fleet, or answers in their place.
async fn visit(page: &Page, headers: &HeaderMap) -> Result<Visit, Response> {
    let Some(session) = page.sessions.of(headers) else {
        return Err(door(page, headers, None).await);
    };
    let cache = Arc::clone(&page.fleet);
    let reading = tokio::spawn(blocking(move || cache.fleet()));
    let fleet = match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(read)) => read.map_err(|error| trouble(headers, &session, &error))?,
        Ok(Err(error)) => return Err(trouble(headers, &session, &error)),
        // It goes on, and the browser asks again.
        Err(_) => return Err(reply::page(StatusCode::OK, headers, reading_page())),
    };
    // A page that updates itself in another tab leaves it to the one that gave the command.
    let notice = if headers.contains_key(REFRESH) {
        None
    } else {
        page.sessions.take_notice(headers)
    };
    Ok(Visit {
        session,
        fleet,
        notice,
    })
}

/// The store could not be read for a page.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Store(StoreError),
    /// The reading thread ended.
    #[error(transparent)]
    Ended(tokio::task::JoinError),
}

/// Reads on a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ReadError> {
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read.map_err(ReadError::Store),
        Err(error) => Err(ReadError::Ended(error)),
    }
}

/// The page for a store that cannot be read.
fn trouble(headers: &HeaderMap, session: &Session, error: &dyn Display) -> Response {
    let frame = Frame {
        by: &session.by,
        csrf: &session.csrf,
        waiting: 0,
        notice: None,
        refused: false,
    };
    let text = notice_page(&frame, "The store cannot be read", &error.to_string());
    reply::page(StatusCode::INTERNAL_SERVER_ERROR, headers, text)
}

pub(super) async fn fleet(
    State(page): State<Page>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let visit = visit(&page, &headers).await?;
    let query = Query::parse(&query.unwrap_or_default());
    let view = FleetView {
        fleet: &visit.fleet,
        query: &query,
    };
    Ok(reply::page(
        StatusCode::OK,
        &headers,
        fleet_page(&visit.frame(), view),
    ))
}

pub(super) async fn review(
    State(page): State<Page>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let visit = visit(&page, &headers).await?;
    let query = Query::parse(&query.unwrap_or_default());
    let view = ReviewView {
        fleet: &visit.fleet,
        query: &query,
    };
    Ok(reply::page(
        StatusCode::OK,
        &headers,
        review_page(&visit.frame(), view),
    ))
}

pub(super) async fn health(
    State(page): State<Page>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let visit = visit(&page, &headers).await?;
    let view = page.options.desk.health(&page.options.store).await;
    Ok(reply::page(
        StatusCode::OK,
        &headers,
        health_page(&visit.frame(), &view),
    ))
}

pub(super) async fn guide(
    State(page): State<Page>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let visit = visit(&page, &headers).await?;
    Ok(match guide_page(&visit.frame(), &name) {
        Some(text) => reply::page(StatusCode::OK, &headers, text),
        None => missing(&headers, &visit, "There is no such page in the guide."),
    })
}

fn missing(headers: &HeaderMap, visit: &Visit, message: &str) -> Response {
    let text = notice_page(&visit.frame(), "Not found", message);
    reply::page(StatusCode::NOT_FOUND, headers, text)
}

/// What is read of one function.
struct Found {
    detail: FunctionDetail,
    peaks: Vec<DayLine>,
    days: Vec<SizeDay>,
}

fn found(
    store: &std::path::Path,
    name: &str,
    prices: &PriceTable,
) -> Result<Option<Found>, StoreError> {
    let reader = Reader::open(store)?.with_prices(prices);
    let Some(row) = reader.exactly(name)? else {
        return Ok(None);
    };
    let peaks = reader.daily_peaks(name, PEAKS)?;
    let days = reader.size_days(name, FunctionView::days_of(&peaks))?;
    let detail = reader.detail(row)?;
    Ok(Some(Found {
        detail,
        peaks,
        days,
    }))
}

fn field(query: &str, wanted: &str) -> String {
    let mut fields = form_urlencoded::parse(query.as_bytes());
    let found = fields.find(|(name, _)| name == wanted);
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

pub(super) async fn function(
    State(page): State<Page>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let visit = visit(&page, &headers).await?;
    let name = field(&query.unwrap_or_default(), "name");
    let store = page.options.store.clone();
    let settings = Arc::clone(&page.options.settings);
    let read = blocking(move || {
        let mut found = found(&store, &name, &settings.price)?;
        if let Some(found) = &mut found {
            let present = now().to_string();
            let row = &mut found.detail.review;
            row.held_until = row.held_until.take().filter(|until| *until > present);
        }
        Ok(found)
    });
    Ok(match read.await {
        Ok(Some(found)) => {
            let power = curve::view(&found.detail, &page.options.settings);
            let power = power.map_err(|why| why.to_string());
            let starts = cold_starts(&found.detail, &page.options.settings);
            let view = FunctionView {
                detail: &found.detail,
                peaks: &found.peaks,
                days: &found.days,
                power: Some(power.as_ref().map_err(String::as_str)),
                starts: &starts,
            };
            reply::page(
                StatusCode::OK,
                &headers,
                function_page(&visit.frame(), &view),
            )
        }
        Ok(None) => missing(
            &headers,
            &visit,
            "There is no function of that name. It may have been forgotten.",
        ),
        Err(error) => trouble(&headers, &visit.session, &error),
    })
}

pub(super) async fn histogram(
    State(page): State<Page>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if page.sessions.of(&headers).is_none() {
        return door(&page, &headers, None).await;
    }
    let query = query.unwrap_or_default();
    let (name, size) = (field(&query, "name"), field(&query, "size").parse());
    let (Ok(size), Some(figure)) = (size, Figure::named(&field(&query, "of"))) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let store = page.options.store.clone();
    let read = blocking(move || {
        let reader = Reader::open(&store)?;
        let peaks = reader.daily_peaks(&name, PEAKS)?;
        reader.size_days(&name, FunctionView::days_of(&peaks))
    });
    let log = read
        .await
        .ok()
        .and_then(|days| histogram_log(&days, Megabytes(size), figure));
    let Some(log) = log else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let file = format!("attachment; filename=\"{}-{size}.hlog\"", figure.name());
    let kind = "text/plain; charset=utf-8".to_owned();
    ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, file)], log).into_response()
}
