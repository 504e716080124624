//! The guide: the pages of `docs/`, as this version of the program has them.

use std::collections::HashMap;
use std::sync::LazyLock;

use maud::{PreEscaped, html};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

use crate::frame::{Frame, Tab};

/// A page of the guide.
struct Page {
    name: &'static str,
    title: &'static str,
    text: &'static str,
}

macro_rules! pages {
    ($($name:literal => $title:literal),+ $(,)?) => {
        [$(Page { name: $name, title: $title, text: include_str!(concat!("../../../docs/", $name, ".md")) }),+]
    };
}

/// The pages that a reader of the fleet needs, in their order in the navigation.
static PAGES: [Page; 12] = pages![
    "PAGE" => "This page",
    "ALGORITHM" => "Rules",
    "REVIEW" => "Review",
    "POLICIES" => "Policies",
    "POWER" => "Power",
    "CONFIGURE" => "Settings",
    "ALARMS" => "Alarms",
    "RUN" => "Run",
    "EXPORT" => "Export",
    "STORE" => "Store",
    "BACKUP" => "Backup",
    "SECURITY" => "Security",
];

/// Each page as HTML, with the anchors of its headings.
static WRITTEN: LazyLock<HashMap<&'static str, (String, Vec<String>)>> = LazyLock::new(|| {
    PAGES
        .iter()
        .map(|page| (page.name, written(page.text)))
        .collect()
});

/// A page of the guide; `None` if there is none of that name.
pub fn document(frame: &Frame<'_>, name: &str) -> Option<String> {
    let page = PAGES.iter().find(|page| page.name == name)?;
    let (text, _) = WRITTEN.get(page.name)?;
    let content = html! {
        div.guide {
            nav.side aria-label="Guide" {
                @for other in &PAGES {
                    a href={ "/ui/guide/" (other.name) } aria-current=[(other.name == page.name).then_some("page")] { (other.title) }
                }
            }
            article.text { (PreEscaped(text)) }
        }
    };
    Some(frame.page(Some(Tab::Guide), page.title, &content))
}

/// The address of the first heading of a page whose anchor begins with `beginning`, else of the page.
pub(crate) fn anchored(name: &str, beginning: &str) -> String {
    let anchors = WRITTEN.get(name).map(|(_, anchors)| anchors.as_slice());
    let mut anchors = anchors.unwrap_or_default().iter();
    match anchors.find(|anchor| anchor.starts_with(beginning)) {
        Some(anchor) => format!("/ui/guide/{name}#{anchor}"),
        None => format!("/ui/guide/{name}"),
    }
}

/// Markdown as HTML. Links between pages of the guide stay in it; other files are named only, and so are other
/// sites: the page leads nowhere else.
fn written(text: &str) -> (String, Vec<String>) {
    let options = Options::ENABLE_TABLES;
    let mut anchors = Vec::new();
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut heading: Option<(usize, String)> = None;
    let mut dropped = Vec::new();
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                heading = Some((events.len(), String::new()));
                events.push(event);
            }
            Event::End(TagEnd::Heading(level)) => {
                if let Some((at, words)) = heading.take() {
                    let anchor = anchor(&words);
                    events[at] = Event::Start(heading_start(level, &anchor));
                    anchors.push(anchor);
                }
                events.push(event);
            }
            Event::Start(Tag::Link { ref dest_url, .. }) => {
                let to = local(dest_url);
                dropped.push(to.is_none());
                if let Some(to) = to {
                    events.push(link_to(to));
                }
            }
            Event::End(TagEnd::Link) => {
                if dropped.pop() == Some(false) {
                    events.push(event);
                }
            }
            // Pictures are files of the repository, and markup is not part of the guide.
            Event::Start(Tag::Image { .. })
            | Event::End(TagEnd::Image)
            | Event::Html(_)
            | Event::InlineHtml(_) => {}
            other => {
                if let (Some((_, words)), Event::Text(text) | Event::Code(text)) =
                    (&mut heading, &other)
                {
                    words.push_str(text);
                }
                events.push(other);
            }
        }
    }
    let mut html = String::new();
    push_html(&mut html, events.into_iter());
    // Wide tables scroll by themselves, also by the keyboard.
    let html = html
        .replace("</table>", "</table></div>")
        .replace("<pre>", "<pre tabindex=\"0\">")
        .replace("<th></th>", "<td></td>");
    let mut parts = html.split("<table>");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for (n, part) in parts.enumerate() {
        let n = n + 1;
        whole.push_str(&format!(
            "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table {n}\"><table>{part}"
        ));
    }
    (whole, anchors)
}

fn heading_start(level: HeadingLevel, anchor: &str) -> Tag<'static> {
    Tag::Heading {
        level,
        id: Some(CowStr::from(anchor.to_owned())),
        classes: Vec::new(),
        attrs: Vec::new(),
    }
}

fn link_to(to: String) -> Event<'static> {
    Event::Start(Tag::Link {
        link_type: pulldown_cmark::LinkType::Inline,
        dest_url: CowStr::from(to),
        title: CowStr::from(""),
        id: CowStr::from(""),
    })
}

/// Returns the page's own address for a link to another page of the guide.
fn local(link: &str) -> Option<String> {
    if link.starts_with('#') {
        return Some(link.to_owned());
    }
    let (page, anchor) = link
        .split_once('#')
        .map_or((link, ""), |(page, anchor)| (page, anchor));
    let name = page.strip_suffix(".md")?;
    PAGES.iter().find(|page| page.name == name)?;
    let anchor = if anchor.is_empty() {
        String::new()
    } else {
        format!("#{anchor}")
    };
    Some(format!("/ui/guide/{name}{anchor}"))
}

/// The anchor that readers of the repository know: lower case, words joined by dashes.
fn anchor(words: &str) -> String {
    let letters = words
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    letters
        .map(|c| {
            if c == ' ' {
                '-'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_guide() {
        let (html, anchors) = written(
            "# P6: starts (`speed.rs`, `init-near`)\n[a](STORE.md#closed-codes) [b](https://example.com) [c](../x.rs) [d](#e)\n<script>x</script>\n",
        );
        assert_eq!(anchors, ["p6-starts-speedrs-init-near"]);
        assert!(
            html.contains("href=\"/ui/guide/STORE#closed-codes\"") && html.contains("href=\"#e\""),
            "{html}"
        );
        assert!(
            !html.contains("example.com") && !html.contains("<script") && html.contains(" b c "),
            "{html}"
        );
    }

    #[test]
    fn every_page_is_written() {
        for page in &PAGES {
            let written = document(&crate::frame::tests::frame(), page.name).unwrap();
            assert!(written.contains("<h1 id="), "{}", page.name);
        }
        assert!(document(&crate::frame::tests::frame(), "../SECRET").is_none());
    }
}
