//! The result of a check.

use std::fmt;

use rightsizer_records::shown::shown;
use serde::Serialize;

/// The state of what was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// As expected.
    Ok,
    /// It works, but is worth a look.
    Doubtful,
    /// `serve` will not work like this.
    Wrong,
    /// It cannot be looked up without a change, or could not be.
    NotChecked,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was checked.
    pub(super) check: String,
    pub(super) verdict: Verdict,
    /// What was found, and what it means.
    pub(super) found: String,
    /// What to do, if anything.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            verdict: Verdict::Ok,
            found: found.into(),
            advice: None,
        }
    }

    pub(super) fn doubtful(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Doubtful,
            advice: Some(advice.into()),
            ..Self::ok(check, found)
        }
    }

    pub(super) fn not_checked(check: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotChecked,
            ..Self::ok(check, format!("not checked: {}", why.into()))
        }
    }

    pub(super) fn wrong(
        check: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Wrong,
            ..Self::doubtful(check, found, advice)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Ok => "ok   ",
            Verdict::Doubtful => "look ",
            Verdict::Wrong => "WRONG",
            Verdict::NotChecked => "-    ",
        };
        writeln!(f, "{mark}  {}: {}", shown(&self.check), shown(&self.found))?;
        match &self.advice {
            Some(advice) => writeln!(f, "       do: {}", shown(advice)),
            None => Ok(()),
        }
    }
}
