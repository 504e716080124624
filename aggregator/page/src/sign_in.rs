//! What a visitor without a session sees: a form, and nothing of the fleet.

use maud::{Markup, html};

use crate::frame::{footer, head_links, mark, whole_page};
use crate::words::Text;

/// The sign-in form. `status` is the word that `/healthz` answers without a token, and `wrong` why the last try
/// failed.
pub fn sign_in_page(status: &str, wrong: Option<&str>) -> String {
    let body = html! {
        main.door #content {
            div.card {
                h1 { (mark()) " Lambda Rightsizer" }
                p.soft { "The service is " strong { (Text(status)) } ". Sign in to see the fleet." }
                @if let Some(wrong) = wrong { p.notice.refused role="alert" { (Text(wrong)) } }
                form method="post" action="/ui/sign-in" {
                    label { "Your name, recorded with each decision"
                        input name="by" autocomplete="username" required maxlength="128"; }
                    label { "Review token"
                        input name="token" type="password" autocomplete="current-password" required; }
                    button.main type="submit" { "Sign in" }
                }
                p.soft.small {
                    "On the server's own machine, " code { "rightsizer ui" } " signs you in. Elsewhere, use the token of "
                    code { "--review-token" } "."
                }
            }
        }
        (footer(None))
    };
    whole_page("Sign in", &head_links(), &body)
}

/// The page while a large fleet is read for the first time: the browser asks again.
pub fn reading_page() -> String {
    let head: Markup = html! {
        meta http-equiv="refresh" content="1";
        (head_links())
    };
    let body = html! {
        main.door #content { div.card { h1 { "Reading the fleet" } p { "This takes a few seconds, once. The page appears by itself." } } }
    };
    whole_page("Reading the fleet", &head, &body)
}

/// The page after a sign-in: the browser goes on by itself. A redirect would arrive without the cookie if another
/// site had opened the address.
pub fn entered_page() -> String {
    let head: Markup = html! {
        meta http-equiv="refresh" content="0; url=/";
        (head_links())
    };
    let body = html! {
        main.door #content { div.card { h1 { "Signed in" } p { a href="/" { "Continue to the fleet" } } } }
    };
    whole_page("Signed in", &head, &body)
}
