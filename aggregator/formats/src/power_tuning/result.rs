//! Results of AWS Lambda Power Tuning: what an invocation took and cost at each size. They come as the
//! output of its state machine, as `stats` of its steps, as an execution that was described, or as the link
//! of its chart, which holds all figures in its fragment.

use std::collections::BTreeMap;

use rightsizer_records::{Megabytes, Millis, Timestamp};
use rightsizer_rules::comparison::{Comparison, Found, MeasuredSize};
use rightsizer_rules::evidence::FunctionKey;
use serde::Deserialize;

use super::super::figures;
use super::super::hints::Place;
use super::super::loose::{self, Loose, brief};
use super::super::output::{Format, Output, Stopped};
use super::super::times;
use super::chart;

/// A run has one size in a step, at most one for each MB: more are not a result.
const MOST_SIZES: usize = 1000;
/// Results lie in an output, in an execution: deeper is not a result.
const MOST_DEPTH: u8 = 4;
/// Step Functions hands on at most 256 KiB.
const MOST_BYTES: usize = 1 << 20;
/// A link with this number of sizes has 14 KB.
const MOST_LINK_BYTES: usize = 32 << 10;
/// How the address of the chart begins, if it is the public page.
const PAGE: &str = "://lambda-power-tuning.show";

/// Why a result is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NoResult {
    #[error(
        "a result of Lambda Power Tuning does not name the function that it ran: import it with \
         --function NAME"
    )]
    Nameless,
    #[error("{0:?} names no function")]
    Name(String),
    #[error("a result of Lambda Power Tuning without a size and its duration")]
    Empty,
    #[error("a result of Lambda Power Tuning with more than {MOST_SIZES} sizes")]
    Endless,
    #[error("{what} is {figure}, which no size of a function gives")]
    Figure { what: &'static str, figure: String },
    #[error("bad result of Lambda Power Tuning: {0}")]
    Json(String),
    #[error(
        "a link of Lambda Power Tuning whose figures cannot be read: expected \
         #SIZES;DURATIONS;COSTS, each in base64 and of one function"
    )]
    Link,
}

/// The fields of a result, and of what it may lie in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow, default, rename = "lambdaARN")]
    lambda_arn: Loose<'a>,
    #[serde(borrow, default)]
    results: Loose<'a>,
    #[serde(borrow, default)]
    analysis: Loose<'a>,
    #[serde(borrow, default)]
    input: Loose<'a>,
    #[serde(borrow, default)]
    output: Loose<'a>,
    #[serde(borrow, default)]
    stop_date: Loose<'a>,
    #[serde(borrow, default)]
    stats: Loose<'a>,
    #[serde(borrow, default)]
    state_machine: Loose<'a>,
    #[serde(borrow, default)]
    power: Loose<'a>,
    #[serde(borrow, default)]
    value: Loose<'a>,
    #[serde(borrow, default)]
    duration: Loose<'a>,
    #[serde(borrow, default)]
    average_duration: Loose<'a>,
    #[serde(borrow, default)]
    cost: Loose<'a>,
    #[serde(borrow, default)]
    average_price: Loose<'a>,
}

/// What is known of one run.
#[derive(Debug, Default)]
struct Run {
    function: Option<String>,
    at: Option<Timestamp>,
    sizes: BTreeMap<Megabytes, MeasuredSize>,
    /// It has a link that cannot be read.
    bad_link: bool,
}

/// Reads a result, in whatever of its steps lies around it.
pub(in super::super) fn result(text: &str, line: u64, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::PowerTuning);
    let mut run = Run::default();
    let read = run.take(text, 0);
    match read.and_then(|()| run.comparison(out)) {
        Ok(comparison) => {
            out.tally.unread_links += u64::from(run.bad_link);
            out.comparison(line, comparison)
        }
        Err(why) => out.refuse(line, why.to_string(), text),
    }
}

/// Reads a line that is the link of a chart; `None` if it is none.
pub(in super::super) fn link(
    text: &str,
    line: u64,
    out: &mut Output,
) -> Option<Result<(), Stopped>> {
    if !text.starts_with("http") || text.contains(char::is_whitespace) {
        return None;
    }
    let sizes = fragment(text);
    if sizes.is_none() && !text.contains(PAGE) {
        return None;
    }
    out.format(Format::PowerTuning);
    let mut run = Run::default();
    sizes.into_iter().flatten().for_each(|size| run.add(size));
    let read = if run.sizes.is_empty() {
        Err(NoResult::Link)
    } else {
        run.comparison(out)
    };
    Some(match read {
        Ok(comparison) => out.comparison(line, comparison),
        Err(why) => out.refuse(line, why.to_string(), text),
    })
}

impl Run {
    /// Reads an object, and those in it.
    fn take(&mut self, object: &str, depth: u8) -> Result<(), NoResult> {
        if object.len() > MOST_BYTES || depth > MOST_DEPTH {
            return Err(NoResult::Endless);
        }
        let fields: Fields<'_> =
            serde_json::from_str(object).map_err(|why| NoResult::Json(why.to_string()))?;
        if let Some(arn) = fields.lambda_arn.text() {
            self.function.get_or_insert_with(|| arn.into_owned());
        }
        if let Some(at) = fields.stop_date.json() {
            let at = at.trim_matches('"');
            self.at = self.at.or_else(|| times::whole(at, Timestamp::MIN.day()));
        }
        // The figures themselves go before those of the link, which has fewer digits.
        self.take_stats(fields.stats)?;
        if let Some(size) = fields.size()? {
            self.add(size);
        }
        for inner in [fields.results, fields.analysis] {
            if let Some(inner) = inner.json().filter(|json| json.starts_with('{')) {
                self.take(inner, depth + 1)?;
            }
        }
        for packed in [fields.input, fields.output] {
            if let Some(packed) = packed.text().filter(|text| text.trim().starts_with('{')) {
                self.take(packed.trim(), depth + 1)?;
            }
        }
        self.take_link(fields.state_machine);
        Ok(())
    }

    fn take_stats(&mut self, stats: Loose<'_>) -> Result<(), NoResult> {
        let Some(list) = stats.json().filter(|json| json.starts_with('[')) else {
            return Ok(());
        };
        let mut wrong = None;
        // The reader stops for this reason; an invalid list was refused above.
        let _ = loose::each(list, |entry| {
            let fields = serde_json::from_str::<Fields<'_>>(entry);
            let size = match fields {
                Ok(fields) => fields.size(),
                Err(_) if entry == "null" => Ok(None),
                Err(why) => Err(NoResult::Json(why.to_string())),
            };
            match size {
                Ok(Some(size)) if self.sizes.len() < MOST_SIZES => self.add(size),
                Ok(Some(_)) => wrong = Some(NoResult::Endless),
                Ok(None) => {}
                Err(why) => wrong = Some(why),
            }
            wrong.as_ref().map_or(Ok(()), |_| Err(Stopped))
        });
        wrong.map_or(Ok(()), Err)
    }

    fn take_link(&mut self, state_machine: Loose<'_>) {
        #[derive(Deserialize)]
        struct StateMachine<'a> {
            #[serde(borrow, default)]
            visualization: Loose<'a>,
        }
        let parsed = state_machine
            .json()
            .map(serde_json::from_str::<StateMachine<'_>>);
        let link = parsed
            .and_then(Result::ok)
            .and_then(|of| of.visualization.text());
        let Some(link) = link else { return };
        match fragment(&link) {
            Some(sizes) => sizes.into_iter().for_each(|size| self.add(size)),
            None => self.bad_link = true,
        }
    }

    /// Adds a size, unless it is known better.
    fn add(&mut self, size: MeasuredSize) {
        self.sizes.entry(size.memory_mb).or_insert(size);
    }

    fn comparison(&self, out: &Output) -> Result<Comparison, NoResult> {
        if self.sizes.is_empty() {
            return Err(NoResult::Empty);
        }
        Ok(Comparison {
            function: self.whose(out)?,
            at: self.at.unwrap_or_else(|| out.hints.undated()),
            found: Found::Measured(self.sizes.values().copied().collect()),
        })
    }

    /// The input goes first. A file's name is none of a function: who ran it knows what it ran.
    fn whose(&self, out: &Output) -> Result<FunctionKey, NoResult> {
        match (&self.function, &out.hints.function) {
            (Some(name), _) => {
                let origin = out.hints.named(name, Place::default());
                let bad = |_| NoResult::Name(brief(name).into_owned());
                Ok(FunctionKey::clone(&origin.map_err(bad)?.function))
            }
            (None, Some(function)) => Ok(function.clone()),
            (None, None) => Err(NoResult::Nameless),
        }
    }
}

impl Fields<'_> {
    /// The size that an object is about, if it is about one.
    fn size(&self) -> Result<Option<MeasuredSize>, NoResult> {
        let duration = number(self.average_duration).or_else(|| number(self.duration));
        let mb = number(self.power).or_else(|| number(self.value));
        let (Some(mb), Some(ms)) = (mb, duration) else {
            return Ok(None);
        };
        let usd = number(self.average_price).or_else(|| number(self.cost));
        measured(mb, ms, usd).map(Some)
    }
}

/// A number, or a text that is one: the size that is best is written so.
fn number(value: Loose<'_>) -> Option<f64> {
    let text = || value.text()?.trim().parse().ok();
    value.number().or_else(text)
}

/// One size, if its figures are possible.
fn measured(mb: f64, ms: f64, usd: Option<f64>) -> Result<MeasuredSize, NoResult> {
    let wrong = |what, figure: f64| NoResult::Figure {
        what,
        figure: figure.to_string(),
    };
    let size = figures::whole_size(mb).ok_or_else(|| wrong("a size in MB", mb))?;
    let duration = Millis::from_ms_f64(ms).filter(|took| *took > Millis::default());
    // The longest invocation at the largest size costs 0.15 dollars.
    let possible = |usd: &f64| (0.0..=100.0).contains(usd);
    match usd {
        Some(usd) if !possible(&usd) => Err(wrong("a cost in dollars", usd)),
        _ => Ok(MeasuredSize {
            memory_mb: size,
            duration: duration.ok_or_else(|| wrong("a duration in ms", ms))?,
            usd,
        }),
    }
}

/// The sizes in the fragment of a link.
fn fragment(link: &str) -> Option<Vec<MeasuredSize>> {
    if link.len() > MOST_LINK_BYTES {
        return None;
    }
    let figures = chart::figures(link)?;
    if figures.is_empty() || figures.len() > MOST_SIZES {
        return None;
    }
    let size = |(mb, ms, usd)| measured(f64::from(mb), ms, Some(usd)).ok();
    figures.into_iter().map(size).collect()
}
