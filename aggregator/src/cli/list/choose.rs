//! Selects the functions of a command by name, status, tag, confidence or risk.

use clap::Args;
use rightsizer_store::ReviewRow;

use super::super::flags::{self, BadValue};
use super::super::grade::at_risk;
use super::super::nearest::nearest;
use super::super::text::short;

/// The selection of functions; all of them if nothing is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(in crate::cli) struct ChooseArgs {
    /// Names, `local:NAME`s, ARNs or ids of recommendations; `*` stands for any characters, as in
    /// 'checkout*'
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Only functions with this status, such as open, approved, ok or idle; may be repeated
    #[arg(long, value_name = "STATUS", value_parser = flags::status)]
    status: Vec<String>,
    /// Only functions with this tag, as the inventory has it; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    tag: Vec<(String, String)>,
    /// Only functions whose recommendation has this confidence: high, medium or low
    #[arg(long, value_name = "CONFIDENCE", value_parser = flags::confidence)]
    confidence: Option<String>,
    /// Only functions in this region
    #[arg(long, value_name = "REGION", value_parser = flags::region)]
    region: Option<String>,
    /// Functions in all regions, as without --region
    #[arg(long, conflicts_with = "region")]
    all_regions: bool,
    /// Only functions of this account
    #[arg(long, value_name = "ACCOUNT", value_parser = flags::account)]
    account: Option<String>,
    /// Only functions at risk: out of memory, nearly full, or failing
    #[arg(long)]
    at_risk: bool,
}

fn tag(text: &str) -> Result<(String, String), BadValue> {
    let parts = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = parts.ok_or(BadValue::Tag)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A name that no function has.
#[derive(Debug, thiserror::Error)]
#[error("no function {name:?}{}", hint(.nearest.as_deref()))]
pub(in crate::cli) struct NoFunction {
    name: String,
    nearest: Option<String>,
}

impl NoFunction {
    /// Returns whether it names a function that was probably meant.
    pub(in crate::cli) const fn suggests(&self) -> bool {
        self.nearest.is_some()
    }
}

/// Returns the error for a name that none of `rows` has.
pub(in crate::cli) fn no_function(name: &str, rows: &[ReviewRow]) -> NoFunction {
    let names = rows.iter().map(|row| short(&row.function));
    // An ARN may name a version or an alias behind the function.
    let arn = name.starts_with("arn:").then(|| name.split(':').nth(6));
    let typed = arn.flatten().unwrap_or(name);
    NoFunction {
        name: name.to_owned(),
        nearest: nearest(typed, names).map(str::to_owned),
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "\nhint: `rightsizer list` shows all functions".to_owned(),
        |name| format!("\nhint: did you mean {name:?}?"),
    )
}

impl ChooseArgs {
    /// Returns whether anything is given.
    pub(in crate::cli) fn is_given(&self) -> bool {
        let Self {
            functions,
            status,
            tag,
            confidence,
            region,
            // It selects nothing.
            all_regions: _,
            account,
            at_risk,
        } = self;
        !(functions.is_empty() && status.is_empty() && tag.is_empty())
            || confidence.is_some()
            || region.is_some()
            || account.is_some()
            || *at_risk
    }

    /// Returns whether only complete names are given, without a pattern or a filter.
    pub(in crate::cli) fn is_by_name(&self) -> bool {
        let named = Self {
            functions: self.functions.clone(),
            all_regions: self.all_regions,
            ..Self::default()
        };
        !self.functions.is_empty()
            && *self == named
            && !self.functions.iter().any(|name| name.contains('*'))
    }

    /// Returns the rows that match everything that is given. A name without `*` that no function has is
    /// an error.
    pub(in crate::cli) fn choose(
        &self,
        rows: Vec<ReviewRow>,
    ) -> Result<Vec<ReviewRow>, NoFunction> {
        for name in self.functions.iter().filter(|name| !name.contains('*')) {
            if !rows.iter().any(|row| is_named(row, name)) {
                return Err(no_function(name, &rows));
            }
        }
        Ok(rows.into_iter().filter(|row| self.matches(row)).collect())
    }

    fn matches(&self, row: &ReviewRow) -> bool {
        let place = |n| row.function.split(':').nth(n);
        let tagged = |(key, value): &(String, String)| row.tags.get(key) == Some(value);
        (self.functions.is_empty() || self.functions.iter().any(|name| is_named(row, name)))
            && (self.status.is_empty() || self.status.contains(&row.status))
            && self.tag.iter().all(tagged)
            && self
                .confidence
                .as_ref()
                .is_none_or(|want| row.confidence.as_ref() == Some(want))
            && self
                .region
                .as_deref()
                .is_none_or(|region| place(3) == Some(region))
            && self
                .account
                .as_deref()
                .is_none_or(|account| place(4) == Some(account))
            && (!self.at_risk || at_risk(row))
    }
}

/// Returns the function that a pattern stands for, if it matches exactly one.
pub(in crate::cli) fn only_one(pattern: &str, rows: &[ReviewRow]) -> Result<String, NotOne> {
    let found: Vec<&str> = rows
        .iter()
        .filter(|row| is_named(row, pattern))
        .map(|row| row.function.as_str())
        .collect();
    match found.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(NotOne::Nothing {
            pattern: pattern.to_owned(),
        }),
        [..] => {
            let mut names: Vec<&str> = found.iter().take(5).map(|name| short(name)).collect();
            if found.len() > names.len() {
                names.push("…");
            }
            Err(NotOne::Several {
                pattern: pattern.to_owned(),
                number: found.len(),
                names: names.join(", "),
            })
        }
    }
}

/// A pattern that does not stand for one function.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum NotOne {
    #[error("no function matches {pattern:?}{}", hint(None))]
    Nothing { pattern: String },
    #[error("{number} functions match {pattern:?}: {names}\nhint: name one of them")]
    Several {
        pattern: String,
        number: usize,
        names: String,
    },
}

/// Returns whether `pattern` matches this function's name, key or ARN.
fn is_named(row: &ReviewRow, pattern: &str) -> bool {
    let name = short(&row.function);
    let bare = name.strip_prefix("local:").unwrap_or(name);
    let bare = bare.rsplit('/').next().unwrap_or(bare);
    let is = |text: &str| wildmatch::WildMatch::new(pattern).matches(text);
    is(name) || is(bare) || is(&row.function) || row.recommendation.as_deref() == Some(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample::row;

    fn chosen(args: &ChooseArgs) -> Vec<String> {
        let mut rows = vec![
            row("checkout", (1024, 200, 300), (2.0, 1.0)),
            row("checkout-mail", (256, 250, 356), (1.0, 1.4)),
            row("report", (512, 100, 512), (1.0, 1.0)),
        ];
        rows[2].status = "ok".to_owned();
        rows[0]
            .tags
            .insert("team".to_owned(), "payments".to_owned());
        let names = args.choose(rows).unwrap();
        names
            .iter()
            .map(|row| short(&row.function).to_owned())
            .collect()
    }

    #[test]
    fn a_pattern_stands_for_one_function() {
        let rows = ["checkout", "checkout-mail", "report"];
        let rows = rows.map(|name| row(name, (1024, 200, 300), (2.0, 1.0)));
        let one = only_one("rep*", &rows).unwrap();
        assert_eq!(short(&one), "report");
        let several = only_one("check*", &rows).unwrap_err().to_string();
        let wanted = "2 functions match \"check*\": checkout, checkout-mail\nhint: name one";
        assert!(several.starts_with(wanted), "{several}");
        let none = only_one("x*", &rows).unwrap_err().to_string();
        assert!(none.starts_with("no function matches \"x*\""), "{none}");
    }

    #[test]
    fn a_filter_is_all_that_is_given() {
        let functions = |names: &[&str]| ChooseArgs {
            functions: names.iter().map(|&name| name.to_owned()).collect(),
            ..ChooseArgs::default()
        };
        assert_eq!(chosen(&ChooseArgs::default()).len(), 3);
        assert_eq!(
            chosen(&functions(&["checkout*"])),
            ["checkout", "checkout-mail"]
        );
        assert_eq!(
            chosen(&functions(&["report", "checkout"])),
            ["checkout", "report"]
        );
        let tagged = ChooseArgs {
            tag: vec![("team".to_owned(), "payments".to_owned())],
            ..functions(&["*"])
        };
        assert_eq!(chosen(&tagged), ["checkout"]);
        let at_risk = ChooseArgs {
            at_risk: true,
            ..ChooseArgs::default()
        };
        assert_eq!(chosen(&at_risk), ["checkout-mail"]);
        let ok = ChooseArgs {
            status: vec!["ok".to_owned()],
            ..ChooseArgs::default()
        };
        assert_eq!(chosen(&ok), ["report"]);
    }

    #[test]
    fn a_name_that_is_mistyped_has_a_hint() {
        let qualified = "arn:aws:lambda:eu-west-1:123456789012:function:pdf-render:PROD";
        for name in ["pdf-rendr", qualified] {
            let rows = vec![row("pdf-render", (1024, 200, 300), (2.0, 1.0))];
            let args = ChooseArgs {
                functions: vec![name.to_owned()],
                ..ChooseArgs::default()
            };
            let error = args.choose(rows).unwrap_err().to_string();
            assert!(error.contains("did you mean \"pdf-render\""), "{error}");
        }
    }
}
