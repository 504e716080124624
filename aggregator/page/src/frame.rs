//! What surrounds every page: head, navigation and footer.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::assets::{SCRIPT, STYLE};
use crate::words::{Text, whole};

/// The pages of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// The fleet.
    Fleet,
    /// What waits for a person.
    Review,
    /// The service itself.
    Health,
    /// The guide.
    Guide,
}

/// Who looks at a page.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The name that is recorded with review commands.
    pub by: &'a str,
    /// The session's token against forged requests; it is part of every form.
    pub csrf: &'a str,
    /// The number of recommendations that wait for a person.
    pub waiting: usize,
    /// What the last command did, if the page follows one.
    pub notice: Option<&'a str>,
    /// Whether the last command was refused.
    pub refused: bool,
}

impl Frame<'_> {
    /// The hidden field of a form.
    pub(crate) fn token(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.csrf); }
    }

    /// A whole page.
    pub(crate) fn page(&self, tab: Option<Tab>, title: &str, content: &Markup) -> String {
        let link = |to: Tab, path: &str, name: &str| {
            html! {
                a href=(path) aria-current=[(tab == Some(to)).then_some("page")] { (name) }
            }
        };
        let body = html! {
            a.skip href="#content" { "Skip to the content" }
            header.top {
                a.brand href="/" { (mark()) span { "Rightsizer" } }
                nav aria-label="Pages" {
                    (link(Tab::Fleet, "/", "Fleet"))
                    a href="/ui/review" aria-current=[(tab == Some(Tab::Review)).then_some("page")] {
                        "Review"
                        @if self.waiting > 0 { " " span.badge { (whole(self.waiting)) } }
                    }
                    (link(Tab::Health, "/ui/health", "Health"))
                    (link(Tab::Guide, "/ui/guide/PAGE", "Guide"))
                }
                form.who method="post" action="/ui/sign-out" {
                    (self.token())
                    span { (Text(self.by)) }
                    button.quiet type="submit" { "Sign out" }
                }
            }
            main #content tabindex="-1" data-live=[(tab != Some(Tab::Guide)).then_some("")] {
                @if let Some(notice) = self.notice {
                    p.notice.refused[self.refused] role="status" { (Text(notice)) }
                }
                (content)
            }
            (footer(None))
        };
        whole_page(title, &head_links(), &body)
    }
}

/// The links to style and script.
pub(crate) fn head_links() -> Markup {
    html! {
        link rel="stylesheet" href=(STYLE.path);
        script src=(SCRIPT.path) defer {}
    }
}

/// Style and script inside the page, for a page in one file.
pub(crate) fn head_inside() -> Markup {
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        STYLE.source, SCRIPT.source
    );
    html! {
        meta http-equiv="Content-Security-Policy" content=(policy);
        style { (PreEscaped(STYLE.text)) }
        script { (PreEscaped(SCRIPT.text)) }
    }
}

/// A page with this head and body.
pub(crate) fn whole_page(title: &str, head: &Markup, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (Text(title)) " · Rightsizer" }
                (head)
            }
            body { (body) }
        }
    }
    .into_string()
}

/// The program's sign: a bar that is cut to what is used.
pub(crate) fn mark() -> Markup {
    html! {
        svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" {
            rect.mark-room x="3" y="3" width="18" height="18" rx="5" {}
            path.mark-used d="M3 13h18v3a5 5 0 0 1-5 5H8a5 5 0 0 1-5-5z" {}
        }
    }
}

/// The end of every page.
pub(crate) fn footer(made: Option<&str>) -> Markup {
    html! {
        footer {
            "Lambda Rightsizer " (env!("CARGO_PKG_VERSION"))
            @if let Some(made) = made { " · written " (Text(made)) }
        }
    }
}

/// A page with one message, such as a function that does not exist.
pub fn notice_page(frame: &Frame<'_>, title: &str, message: &str) -> String {
    let content = html! {
        h1 { (Text(title)) }
        p.lead { (Text(message)) }
        p { a href="/" { "Back to the fleet" } }
    };
    frame.page(None, title, &content)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const fn frame() -> Frame<'static> {
        Frame {
            by: "on-call",
            csrf: "c5rf",
            waiting: 2,
            notice: None,
            refused: false,
        }
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        let page = notice_page(&frame(), "<b>", "\"><script>alert(1)</script>");
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script>"),
            "{page}"
        );
        for inline in [" style=", "<style", " onclick", "http://", "https://"] {
            assert!(!page.contains(inline), "{inline} in {page}");
        }
    }
}
