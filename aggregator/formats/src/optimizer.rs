//! Recommendations of AWS Compute Optimizer for functions: its CSV export, and the JSON of
//! `aws compute-optimizer get-lambda-function-recommendations`.

use std::borrow::Cow;

use rightsizer_records::{Megabytes, Timestamp};
use rightsizer_rules::comparison::{Advice, Comparison, Finding, Found};
use rightsizer_rules::evidence::{FunctionKey, LATEST};
use serde::Deserialize;

use super::facts::plain_name;
use super::figures;
use super::hints::Place;
use super::json::{self, Places};
use super::loose::{self, Loose, brief};
use super::output::{Format, Output, Stopped};
use super::times;

/// It gives at most three; more are not looked at.
const MOST_OPTIONS: usize = 100;

/// One recommendation, as far as it is of use here.
#[derive(Default)]
struct Fields<'a> {
    function: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    finding: Option<Cow<'a, str>>,
    current: Option<Cow<'a, str>>,
    recommended: Option<Cow<'a, str>>,
    refreshed: Option<Cow<'a, str>>,
}

/// Reads a row of an export under its head line.
pub(super) fn row(
    names: &[String],
    cells: &[String],
    (line, text): (u64, &str),
    out: &mut Output,
) -> Result<(), Stopped> {
    out.format(Format::ComputeOptimizer);
    let mut fields = Fields::default();
    for (name, cell) in names.iter().zip(cells) {
        fields.set(name, cell.trim());
    }
    fields.read((line, text), out)
}

/// Reads the answer with a list of recommendations.
pub(super) fn answer(list: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::ComputeOptimizer);
    let of = "list of recommendations";
    json::entries(list, of, places, out, |text, out| {
        entry(text, places.line_of(text), out)
    })
}

/// Reads one recommendation.
pub(super) fn entry(text: &str, line: u64, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::ComputeOptimizer);
    let parsed = serde_json::from_str::<Recommendation<'_>>(text);
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(why) => {
            let why = format!("bad recommendation of Compute Optimizer: {why}");
            return out.refuse(line, why, text);
        }
    };
    let fields = Fields {
        function: parsed.function_arn.text(),
        version: parsed.function_version.text(),
        finding: parsed.finding.text(),
        current: parsed.current_memory_size.json().map(Cow::Borrowed),
        recommended: first_option(parsed.memory_size_recommendation_options),
        refreshed: parsed.last_refresh_timestamp.json().map(|json| {
            let text = parsed.last_refresh_timestamp.text();
            text.unwrap_or(Cow::Borrowed(json))
        }),
    };
    fields.read((line, text), out)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recommendation<'a> {
    #[serde(borrow, default)]
    function_arn: Loose<'a>,
    #[serde(borrow, default)]
    function_version: Loose<'a>,
    #[serde(borrow, default)]
    finding: Loose<'a>,
    #[serde(borrow, default)]
    current_memory_size: Loose<'a>,
    #[serde(borrow, default)]
    memory_size_recommendation_options: Loose<'a>,
    #[serde(borrow, default)]
    last_refresh_timestamp: Loose<'a>,
}

/// The size of the option of rank 1; of the first one if none has a rank.
fn first_option(options: Loose<'_>) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Choice<'a> {
        #[serde(borrow, default)]
        rank: Loose<'a>,
        #[serde(borrow, default)]
        memory_size: Loose<'a>,
    }
    let mut best: Option<(u64, String)> = None;
    let mut seen = 0;
    let _ = loose::each(options.json()?, |entry| {
        seen += 1;
        if let Ok(option) = serde_json::from_str::<Choice<'_>>(entry)
            && let Some(size) = option.memory_size.json()
        {
            let rank = option.rank.number().unwrap_or(u64::MAX);
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, size.to_owned()));
            }
        }
        if seen < MOST_OPTIONS {
            Ok(())
        } else {
            Err(Stopped)
        }
    });
    best.map(|(_, size)| Cow::Owned(size))
}

impl<'a> Fields<'a> {
    /// Takes a cell by its column, of which there are two spellings: that of the export, and that of the
    /// answer flattened.
    fn set(&mut self, name: &str, cell: &'a str) {
        let name = plain_name(name);
        let slot = match name.as_str() {
            "functionarn" => &mut self.function,
            "functionversion" => &mut self.version,
            "finding" => &mut self.finding,
            "currentconfigurationmemorysize" | "currentmemorysize" => &mut self.current,
            "recommendationoptions1configurationmemorysize"
            | "recommendationoptions1memorysize"
            | "memorysizerecommendationoptions1memorysize" => &mut self.recommended,
            name if name.starts_with("lastrefreshtimestamp") => &mut self.refreshed,
            _ => return,
        };
        *slot = Some(cell)
            .filter(|cell| !cell.is_empty())
            .map(Cow::Borrowed);
    }

    fn read(&self, (line, text): (u64, &str), out: &mut Output) -> Result<(), Stopped> {
        let (Some(function), Some(finding)) = (&self.function, &self.finding) else {
            // Exports of other resources, and rows that only have an error.
            out.tally.unadvised += 1;
            return out.ignore();
        };
        match self.comparison(function, finding, out) {
            Ok(comparison) => out.comparison(line, comparison),
            Err(why) => out.refuse(line, why.to_string(), text),
        }
    }

    fn comparison(
        &self,
        function: &str,
        finding: &str,
        out: &Output,
    ) -> Result<Comparison, NoAdvice> {
        let short = |text: &str| brief(text).into_owned();
        let origin = out.hints.named(function, Place::default());
        let origin = origin.map_err(|_| NoAdvice::Name(short(function)))?;
        let read = Finding::from_name(finding);
        let finding = read.ok_or_else(|| NoAdvice::Finding(short(finding)))?;
        let version = self.version.as_deref().filter(|version| {
            let number = version.len() <= 20 && version.bytes().all(|b| b.is_ascii_digit());
            *version == LATEST || number
        });
        let at = match self.refreshed.as_deref() {
            None => out.hints.undated(),
            Some(time) => times::whole(time, Timestamp::MIN.day())
                .ok_or_else(|| NoAdvice::Time(short(time)))?,
        };
        Ok(Comparison {
            function: FunctionKey::clone(&origin.function),
            at,
            found: Found::Advised(Advice {
                version: version.unwrap_or(&origin.version).to_owned(),
                finding,
                current_mb: size(self.current.as_deref())?,
                recommended_mb: size(self.recommended.as_deref())?,
            }),
        })
    }
}

/// Why a recommendation is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NoAdvice {
    #[error("{0:?} names no function")]
    Name(String),
    #[error("{0:?} is not a finding of Compute Optimizer for functions")]
    Finding(String),
    #[error("{0:?} is not a size of a function in MB")]
    Size(String),
    #[error(
        "its time {0:?} is ambiguous or not a time: a spreadsheet rewrites times, so import the \
         file as it was exported"
    )]
    Time(String),
}

fn size(text: Option<&str>) -> Result<Option<Megabytes>, NoAdvice> {
    let Some(text) = text else { return Ok(None) };
    let size = text.parse().ok().and_then(figures::whole_size);
    size.map(Some)
        .ok_or_else(|| NoAdvice::Size(brief(text).into_owned()))
}
