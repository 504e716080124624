//! What a reader of the fleet asks for: a filter, an order, a part of the table.

use std::cmp::Ordering;

use super::Entry;
use crate::words::query_value;

/// Rows of the table on one page.
pub(crate) const ROWS: usize = 50;

/// The order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Functions at risk first, then by the saving.
    #[default]
    Danger,
    /// By name.
    Name,
    /// By the share of the memory that is used, the fullest first.
    Used,
    /// By the cost a month.
    Cost,
    /// By the expected saving a month.
    Saving,
}

impl Sort {
    /// All orders with their names in an address.
    pub(crate) const ALL: [(Self, &str, &str); 5] = [
        (Self::Danger, "danger", "Danger, then money"),
        (Self::Saving, "saving", "Saving"),
        (Self::Cost, "cost", "Cost"),
        (Self::Used, "used", "Memory used"),
        (Self::Name, "name", "Name"),
    ];

    fn named(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|(_, known, _)| *known == name);
        found.map_or(Self::Danger, |(sort, ..)| sort)
    }

    pub(crate) fn name(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(sort, ..)| *sort == self);
        found.map_or("danger", |(_, name, _)| name)
    }
}

/// What a reader of the fleet asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// A part of the name, the ARN or a tag, in lower case.
    pub text: String,
    /// A status, or `at-risk`; empty for all.
    pub status: String,
    /// An account; empty for all.
    pub account: String,
    /// The order.
    pub sort: Sort,
    /// The page of the table, from 1.
    pub page: usize,
}

impl Query {
    /// Reads an address's query string. What is unknown is ignored.
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self {
            page: 1,
            ..Self::default()
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "q" => parsed.text = value.trim().to_lowercase(),
                "status" => parsed.status = value.into_owned(),
                "account" => parsed.account = value.into_owned(),
                "sort" => parsed.sort = Sort::named(&value),
                "page" => parsed.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        parsed
    }

    /// The address of another page of the same table.
    pub(crate) fn link(&self, path: &str, page: usize) -> String {
        let fields = [
            ("q", self.text.as_str()),
            ("status", &self.status),
            ("account", &self.account),
            (
                "sort",
                if self.sort == Sort::Danger {
                    ""
                } else {
                    self.sort.name()
                },
            ),
        ];
        let mut link = format!("{path}?page={page}");
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            link.push_str(&format!("&{name}={}", query_value(value)));
        }
        link
    }

    /// Whether anything is left out.
    pub(crate) const fn is_filter(&self) -> bool {
        !(self.text.is_empty() && self.status.is_empty() && self.account.is_empty())
    }

    /// The entries that match, in the wanted order.
    pub(crate) fn select<'a>(&self, entries: &'a [Entry]) -> Vec<&'a Entry> {
        let mut found: Vec<&Entry> = entries.iter().filter(|entry| self.matches(entry)).collect();
        let most = |a: Option<f64>, b: Option<f64>| {
            let low = f64::NEG_INFINITY;
            b.unwrap_or(low).total_cmp(&a.unwrap_or(low))
        };
        match self.sort {
            // As the fleet is.
            Sort::Danger => {}
            Sort::Name => found.sort_by(|a, b| {
                a.name()
                    .cmp(b.name())
                    .then_with(|| a.function.cmp(&b.function))
            }),
            Sort::Used => found.sort_by(|a, b| most(a.fullness(), b.fullness())),
            Sort::Cost => found.sort_by(|a, b| most(a.usd, b.usd)),
            Sort::Saving => found.sort_by(|a, b| most(saved(a), saved(b))),
        }
        found
    }

    fn matches(&self, entry: &Entry) -> bool {
        let status = match self.status.as_str() {
            "" => true,
            "at-risk" => entry.risk,
            status => &*entry.status == status,
        };
        let account = self.account.is_empty() || entry.account() == Some(self.account.as_str());
        status && account && self.fits_text(entry)
    }

    fn fits_text(&self, entry: &Entry) -> bool {
        let has = |text: &str| contains(text, &self.text);
        self.text.is_empty() || has(&entry.function) || entry.tags.iter().any(|tag| has(tag))
    }
}

/// Whether `text` has `wanted`, which is in lower case, in any case of letters.
fn contains(text: &str, wanted: &str) -> bool {
    if text.is_ascii() {
        let wanted = wanted.as_bytes();
        let mut parts = text.as_bytes().windows(wanted.len().max(1));
        return parts.any(|part| part.eq_ignore_ascii_case(wanted));
    }
    text.to_lowercase().contains(wanted)
}

fn saved(entry: &Entry) -> Option<f64> {
    entry.saving.map(|saving| saving.expected.as_f64())
}

/// The fleet's own order: those that ran out, the fullest at risk, then by how much money a change moves.
pub(super) fn by_danger_then_money(a: &Entry, b: &Entry) -> Ordering {
    let risk = |entry: &Entry| (entry.risk, entry.urgent);
    let full = |entry: &Entry| {
        if entry.risk {
            entry.fullness().unwrap_or(0.0)
        } else {
            0.0
        }
    };
    let money = |entry: &Entry| saved(entry).unwrap_or(0.0).abs();
    risk(b)
        .cmp(&risk(a))
        .then_with(|| full(b).total_cmp(&full(a)))
        .then_with(|| money(b).total_cmp(&money(a)))
        .then_with(|| a.function.cmp(&b.function))
}

#[cfg(test)]
mod tests {
    use super::super::tests::fleet;
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        let query = Query::parse("q=Check+Out&status=at-risk&sort=cost&page=3&x=1");
        assert_eq!(
            (query.text.as_str(), query.page, query.sort),
            ("check out", 3, Sort::Cost)
        );
        assert_eq!(
            query.link("/", 4),
            "/?page=4&q=check+out&status=at-risk&sort=cost"
        );
        assert_eq!(Query::parse("page=0").page, 1);
        assert_eq!(Query::parse("page=x&sort=x").link("/", 1), "/?page=1");
    }

    #[test]
    fn a_filter_selects() {
        let fleet = fleet();
        let names = |query: &str| -> Vec<String> {
            let found = Query::parse(query).select(&fleet.entries);
            found.iter().map(|entry| entry.name().to_owned()).collect()
        };
        assert_eq!(names("q=RAN"), ["ran-out"]);
        assert_eq!(names("status=at-risk"), ["ran-out"]);
        assert_eq!(names("account=123456789012"), ["ran-out"]);
        assert_eq!(names("status=ok"), ["local:fine"]);
        assert_eq!(names("sort=name")[1], "local:fine");
        assert_eq!(names("sort=cost")[0], "local:<script>alert(1)</script>");
        assert_eq!(names("sort=used")[0], "ran-out");
        assert!(names("q=absent").is_empty());
    }
}
