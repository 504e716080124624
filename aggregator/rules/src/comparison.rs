//! Results of other tools about a function's sizes, shown beside decisions for comparison.
//! Durations by size also show the value of a size. They are not evidence of memory use, and no
//! rule of [`crate::policy`] reads them.

use std::fmt;

use rightsizer_records::{Megabytes, Millis, Timestamp};
use serde::{Deserialize, Serialize};

use crate::evidence::FunctionKey;

/// What one run of another tool found out about one function.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Whose.
    pub function: FunctionKey,
    /// When it was found out; midnight UTC of the given day if the source carries no time.
    pub at: Timestamp,
    /// What.
    pub found: Found,
}

/// What another tool found out.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Lambda Power Tuning ran the function at each of these sizes.
    Measured(Vec<MeasuredSize>),
    /// AWS Compute Optimizer looked at the metrics of a version.
    Advised(Advice),
}

/// One size at which a function was run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredSize {
    /// The size.
    pub memory_mb: Megabytes,
    /// Mean duration of an invocation.
    pub duration: Millis,
    /// Mean cost of an invocation in US dollars, far below a micro-dollar for small functions.
    pub usd: Option<f64>,
}

/// AWS Compute Optimizer's result for a version of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The version.
    pub version: String,
    /// Its classification.
    pub finding: Finding,
    /// The size that the version had then.
    pub current_mb: Option<Megabytes>,
    /// The size of its first recommendation (rank 1).
    pub recommended_mb: Option<Megabytes>,
}

impl Advice {
    /// The size that it holds right: the recommended one, or the present one of an optimized function.
    pub fn memory_mb(&self) -> Option<Megabytes> {
        let right = self.finding == Finding::Optimized;
        self.recommended_mb
            .or_else(|| self.current_mb.filter(|_| right))
    }
}

/// How Compute Optimizer classifies a function (`LambdaFunctionRecommendationFinding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// Its size suits its workload.
    Optimized,
    /// It has too much or too little.
    NotOptimized,
    /// There was not enough to go by.
    Unavailable,
}

impl Finding {
    /// All of them.
    const ALL: [Self; 3] = [Self::Optimized, Self::NotOptimized, Self::Unavailable];

    /// As AWS writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Optimized => "Optimized",
            Self::NotOptimized => "NotOptimized",
            Self::Unavailable => "Unavailable",
        }
    }

    /// Reads it in any case, with or without marks between its words: exports differ.
    pub fn from_name(name: &str) -> Option<Self> {
        let plain: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(Self::Unavailable.name().len() + 2)
            .collect();
        let is = |finding: &Self| plain.eq_ignore_ascii_case(finding.name());
        Self::ALL.into_iter().find(is)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_read_as_exports_write_it() {
        for (text, finding) in [
            ("Optimized", Some(Finding::Optimized)),
            ("NOT_OPTIMIZED", Some(Finding::NotOptimized)),
            ("Not optimized", Some(Finding::NotOptimized)),
            ("Unavailable", Some(Finding::Unavailable)),
            ("OVER_PROVISIONED", None),
            ("Optimizedly", None),
            ("", None),
        ] {
            assert_eq!(Finding::from_name(text), finding, "{text}");
        }
    }

    #[test]
    fn an_optimized_function_has_the_size_that_is_right() {
        let advice = |finding, recommended| Advice {
            version: "$LATEST".to_owned(),
            finding,
            current_mb: Some(Megabytes(512)),
            recommended_mb: recommended,
        };
        let right = |finding, recommended| advice(finding, recommended).memory_mb();
        let less = Some(Megabytes(320));
        assert_eq!(right(Finding::NotOptimized, less), less);
        assert_eq!(right(Finding::Optimized, None), Some(Megabytes(512)));
        assert_eq!(right(Finding::NotOptimized, None), None);
        assert_eq!(right(Finding::Unavailable, None), None);
    }
}
