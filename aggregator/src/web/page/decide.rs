//! Decisions from the page. A form names recommendations by their ids, so that an approval covers exactly what its
//! reader saw: one that was replaced since is refused.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use rightsizer_page::{Frame, function_address, notice_page};
use rightsizer_rules::commands::{Action, ReviewCommand};

use super::session::{Session, door};
use super::{Page, reply};

/// Recommendations that one form may decide.
const MOST: usize = 1000;
/// The length of a hold from the page.
const HOLD_DAYS: u32 = 14;

/// A form's fields.
#[derive(Debug, Default)]
struct Form {
    csrf: String,
    action: String,
    what: Vec<String>,
    function: String,
    why: String,
    back: String,
}

impl Form {
    fn parse(bytes: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(bytes) {
            let value = value.into_owned();
            match &*name {
                "csrf" => form.csrf = value,
                "action" => form.action = value,
                "what" => form.what.push(value),
                "function" => form.function = value,
                "why" => form.why = value,
                "back" => form.back = value,
                _ => {}
            }
        }
        form
    }

    /// The commands that it asks for; `None` if it asks for nothing known.
    fn actions(&self) -> Option<Vec<Action>> {
        let what = || self.function.clone();
        let each = |action: fn(String) -> Action| self.what.iter().cloned().map(action).collect();
        Some(match self.action.as_str() {
            "approve" => each(|what| Action::Approve { what }),
            "reject" => each(|what| Action::Reject { what }),
            "unapprove" => each(|what| Action::Unapprove { what }),
            "hold" => vec![Action::Hold {
                what: what(),
                days: HOLD_DAYS,
            }],
            "release" => vec![Action::Release { what: what() }],
            "clear" => vec![Action::Clear { what: what() }],
            "pause" => vec![Action::Pause],
            "resume" => vec![Action::Resume],
            _ => return None,
        })
    }

    /// Returns the address that the browser is sent to: one of the page's own.
    fn back(&self) -> String {
        match self.back.as_str() {
            "function" => function_address(&self.function),
            _ => "/ui/review".to_owned(),
        }
    }
}

pub(super) async fn decide(State(page): State<Page>, request: Request) -> Response {
    let headers = request.headers().clone();
    let Some(session) = page.sessions.of(&headers) else {
        return door(&page, &headers, Some("Sign in again; nothing was decided.")).await;
    };
    let Ok(body) = page.bodies.read(request).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let form = Form::parse(&body.bytes);
    if !session.has_written(&form.csrf) {
        return of_another_session(&headers, &session);
    }
    let Some(actions) = form.actions().filter(|actions| actions.len() <= MOST) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (notice, refused) = carry_out(&page, actions, &session.by, &form.why).await;
    show_next(&page, &headers, notice, refused);
    Redirect::to(&form.back()).into_response()
}

/// A form of an earlier sign-in, or forged.
fn of_another_session(headers: &HeaderMap, session: &Session) -> Response {
    let frame = Frame {
        by: &session.by,
        csrf: &session.csrf,
        waiting: 0,
        notice: None,
        refused: false,
    };
    let why = "This form is of an earlier sign-in. Load its page again, and decide there.";
    let text = notice_page(&frame, "Nothing was decided", why);
    reply::page(StatusCode::FORBIDDEN, headers, text)
}

fn show_next(page: &Page, headers: &HeaderMap, notice: String, refused: bool) {
    page.sessions.set_notice(headers, notice, refused);
}

/// Carries out each; returns what came of it in words, and whether any was refused.
async fn carry_out(page: &Page, actions: Vec<Action>, by: &str, why: &str) -> (String, bool) {
    if actions.is_empty() {
        return ("Nothing was selected.".to_owned(), true);
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for action in actions {
        let command = ReviewCommand {
            action,
            by: by.to_owned(),
            why: why.trim().to_owned(),
        };
        match page.options.desk.carry_out(command).await {
            Ok(notice) => done.push(notice),
            Err(error) => refused.push(error.to_string()),
        }
    }
    let text = match (done.as_slice(), refused.as_slice()) {
        ([one], []) | ([], [one]) => one.clone(),
        (done, []) => format!("{} decided.", done.len()),
        (done, [first, ..]) => {
            format!("{} decided, {} refused: {first}", done.len(), refused.len())
        }
    };
    (text, !refused.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_names_exactly_what_was_seen() {
        let form = Form::parse(b"csrf=c&action=approve&what=aa&what=bb&why=known+job&back=review");
        let actions = form.actions().unwrap();
        let wanted = ["aa", "bb"].map(|what| Action::Approve {
            what: what.to_owned(),
        });
        assert_eq!(actions, wanted);
        assert_eq!(
            (form.why.as_str(), form.back().as_str()),
            ("known job", "/ui/review")
        );
        let clear = Form::parse(b"action=clear&function=local:f")
            .actions()
            .unwrap();
        let what = "local:f".to_owned();
        assert_eq!(clear, [Action::Clear { what }]);
        assert!(Form::parse(b"action=approve").actions().unwrap().is_empty());
        assert!(Form::parse(b"action=forget&function=f").actions().is_none());
        let hold = Form::parse(b"action=hold&function=local:f&back=function");
        assert_eq!(
            hold.actions().unwrap(),
            [Action::Hold {
                what: "local:f".to_owned(),
                days: 14
            }]
        );
        assert_eq!(hold.back(), "/ui/function?name=local%3Af");
        assert_eq!(Form::parse(b"back=//evil.example").back(), "/ui/review");
    }
}
