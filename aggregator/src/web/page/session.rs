//! Who is signed in. A browser has a random cookie, of which only the hash is kept here; a session ends after twelve
//! hours, at sign-out, and with the process.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use rightsizer_page::{entered_page, sign_in_page};
use rightsizer_records::shown::has_hidden;
use sha2::{Digest as _, Sha256};

use super::super::Secret;
use super::{Page, reply};

/// How long a session lasts.
const LASTS: Duration = Duration::from_hours(12);
/// How long a one-time code can be used.
const CODE_LASTS: Duration = Duration::from_mins(2);
/// Sessions and codes at once; the oldest end.
const MOST: usize = 256;
/// How long a wrong token takes, one at a time.
const WRONG_TAKES: Duration = Duration::from_millis(300);

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<[u8; 32], Session>>,
    codes: Mutex<Vec<Code>>,
    wrong: tokio::sync::Mutex<()>,
}

/// A signed-in browser.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The name that is recorded with review commands.
    pub(super) by: String,
    /// What every form carries.
    pub(super) csrf: String,
    /// The result of the last command, until it is shown.
    notice: Option<(String, bool)>,
    since: Instant,
}

/// A code that was not used yet.
#[derive(Debug)]
struct Code {
    secret: Secret,
    by: String,
    since: Instant,
}

impl Sessions {
    /// The session of a request, if it has one.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<Session> {
        let key = key(&cookie(headers)?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| session.since.elapsed() < LASTS);
        open.get(&key).cloned()
    }

    /// Takes the result of the last command.
    pub(super) fn take_notice(&self, headers: &HeaderMap) -> Option<(String, bool)> {
        let key = key(&cookie(headers)?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get_mut(&key)?.notice.take()
    }

    /// Keeps the result of a command for the next page.
    pub(super) fn set_notice(&self, headers: &HeaderMap, notice: String, refused: bool) {
        let Some(cookie) = cookie(headers) else {
            return;
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = open.get_mut(&key(&cookie)) {
            session.notice = Some((notice, refused));
        }
    }

    /// Draws a code that signs one browser in as `by`.
    pub(super) fn code(&self, by: &str) -> anyhow::Result<String> {
        let code = random()?;
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|code| code.since.elapsed() < CODE_LASTS);
        if codes.len() >= MOST {
            codes.remove(0);
        }
        codes.push(Code {
            secret: Secret::new(&code),
            by: by.to_owned(),
            since: Instant::now(),
        });
        Ok(code)
    }

    /// Uses a code up; returns who it signs in.
    fn use_up(&self, given: &str) -> Option<String> {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|code| code.since.elapsed() < CODE_LASTS);
        let at = codes.iter().position(|code| code.secret.is(given))?;
        Some(codes.remove(at).by)
    }

    /// Opens a session; returns its cookie's value.
    fn begin(&self, by: &str) -> anyhow::Result<String> {
        let (id, csrf) = (random()?, random()?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST {
            let oldest = open
                .iter()
                .min_by_key(|(_, session)| session.since)
                .map(|(key, _)| *key);
            oldest.and_then(|key| open.remove(&key));
        }
        let session = Session {
            by: by.to_owned(),
            csrf,
            notice: None,
            since: Instant::now(),
        };
        open.insert(key(&id), session);
        Ok(id)
    }

    fn end(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers) {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.remove(&key(&cookie));
        }
    }
}

impl Session {
    /// Whether a form is of this session.
    pub(super) fn has_written(&self, csrf: &str) -> bool {
        Secret::new(&self.csrf).is(csrf)
    }
}

/// 256 random bits as hexadecimal digits.
fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the operating system returns no random numbers")?;
    let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    Ok(digits)
}

/// Only hashes are kept, so that the time of a search reveals nothing about a cookie.
fn key(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie.as_bytes()).into()
}

/// The cookie's name: of the port, because cookies of one host are shared by all its ports.
fn name(headers: &HeaderMap) -> String {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let port = if port.bytes().all(|byte| byte.is_ascii_digit()) {
        port
    } else {
        ""
    };
    format!("rightsizer{port}")
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let name = name(headers);
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}

/// A cookie that scripts cannot read and that no other site's page sends.
fn set_cookie(headers: &HeaderMap, value: &str, lasts: Duration) -> Option<HeaderValue> {
    let secure = headers
        .get(ORIGIN)
        .is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{secure}",
        name(headers),
        lasts.as_secs()
    );
    HeaderValue::from_str(&cookie).ok()
}

fn entered(page: &Page, headers: &HeaderMap, by: &str) -> Response {
    let opened = page.sessions.begin(by).ok();
    let Some(cookie) = opened.and_then(|id| set_cookie(headers, &id, LASTS)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = reply::page(StatusCode::OK, headers, entered_page());
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// The sign-in form with why the last try failed.
pub(super) async fn door(page: &Page, headers: &HeaderMap, wrong: Option<&str>) -> Response {
    page.fleet.warm();
    let status = page.options.desk.status().await;
    let code = if wrong.is_some() {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::OK
    };
    reply::page(code, headers, sign_in_page(&status, wrong))
}

pub(super) async fn sign_in(State(page): State<Page>, request: Request) -> Response {
    let headers = request.headers().clone();
    let Ok(body) = page.bodies.read(request).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (mut by, mut token) = (String::new(), String::new());
    for (field, value) in form_urlencoded::parse(&body.bytes) {
        match &*field {
            "by" => value.trim().clone_into(&mut by),
            "token" => value.trim().clone_into(&mut token),
            _ => {}
        }
    }
    if !(1..=128).contains(&by.len()) || has_hidden(&by) {
        return door(
            &page,
            &headers,
            Some("Enter your name, 1 to 128 characters."),
        )
        .await;
    }
    if !page
        .options
        .reviewers
        .iter()
        .any(|wanted| wanted.is(&token))
    {
        let _turn = page.sessions.wrong.lock().await;
        tokio::time::sleep(WRONG_TAKES).await;
        return door(&page, &headers, Some("This is not the review token.")).await;
    }
    entered(&page, &headers, &by)
}

/// Signs a browser in by a code that works once.
pub(super) async fn enter(
    State(page): State<Page>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let code = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code");
    if let Some(by) = code.and_then(|(_, code)| page.sessions.use_up(&code)) {
        return entered(&page, &headers, &by);
    }
    let wrong = "This code was used, or is older than two minutes. Run `rightsizer ui` again, or use the token.";
    door(&page, &headers, Some(wrong)).await
}

pub(super) async fn sign_out(State(page): State<Page>, request: Request) -> Response {
    let headers = request.headers().clone();
    let Some(session) = page.sessions.of(&headers) else {
        return Redirect::to("/").into_response();
    };
    let Ok(body) = page.bodies.read(request).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let written = form_urlencoded::parse(&body.bytes)
        .any(|(name, value)| name == "csrf" && session.has_written(&value));
    if !written {
        return StatusCode::FORBIDDEN.into_response();
    }
    page.sessions.end(&headers);
    let mut response = Redirect::to("/").into_response();
    if let Some(cookie) = set_cookie(&headers, "", Duration::ZERO) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
