//! Findings as sentences, for the terminal and the page.

use std::fmt;

use rightsizer_records::Megabytes;

use super::{About, Finding, Package, Stage, Verdict};

impl Package {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Layers => "zip with layers",
            Self::Image => "image",
            Self::SnapStart => "SnapStart",
        }
    }
}

impl Stage {
    /// Returns when it is.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "right after the deployment",
            Self::Later => "later",
        }
    }
}

impl About {
    /// Returns the circumstances, the group and the one that it is compared with.
    fn parts(&self) -> (String, String, String) {
        let starts = |of: &str| format!("{of} starts");
        match self {
            Self::Size {
                package,
                stage,
                large,
                small,
            } => (
                format!("{}, {}", package.name(), stage.name()),
                format!("starts at {large}"),
                format!("starts at {small}"),
            ),
            Self::Package {
                stage,
                package,
                with,
            } => (
                capital(stage.name()),
                starts(package.name()),
                starts(with.name()),
            ),
            Self::Runtime { runtime, with } => {
                ("Runtimes".to_owned(), starts(runtime), starts(with))
            }
            Self::Stage { package } => (
                package.name().to_owned(),
                format!("starts {}", Stage::First.name()),
                format!("{} starts", Stage::Later.name()),
            ),
        }
    }

    /// Returns what equal times mean for the cost: init is billed by size.
    fn cost(&self) -> String {
        match self {
            Self::Size {
                package,
                large,
                small,
                ..
            } if *package != Package::SnapStart => {
                format!(", and cost {} times as much", times(*large, *small))
            }
            _ => String::new(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (circumstances, group, other) = self.about.parts();
        let ratio = &self.ratio;
        let interval = if ratio.high.is_finite() {
            format!("{:.2} to {:.2} times", ratio.low, ratio.high)
        } else {
            "too few for an interval".to_owned()
        };
        match self.verdict {
            Verdict::Differs => write!(
                f,
                "{circumstances}: {group} take {:.2} times as long as {other} ({:.2} to {:.2})",
                ratio.ratio, ratio.low, ratio.high
            ),
            Verdict::Same => write!(
                f,
                "{circumstances}: {group} take as long as {other} ({interval}){}",
                self.about.cost()
            ),
            Verdict::Unknown => write!(
                f,
                "{circumstances}: {} and {} starts do not show whether {group} take as long as {other} ({interval})",
                ratio.starts, ratio.others
            ),
        }
    }
}

fn times(large: Megabytes, small: Megabytes) -> String {
    let times = f64::from(large.0) / f64::from(small.0.max(1));
    format!("{times:.1}").trim_end_matches(".0").to_owned()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
