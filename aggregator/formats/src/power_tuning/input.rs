//! The input of a run: the JSON that starts the state machine of AWS Lambda Power Tuning.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rightsizer_records::Megabytes;
use rightsizer_records::limits::{LAMBDA_LEAST, LAMBDA_MOST};
use rightsizer_rules::power::Strategy;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::payloads::{PayloadError, Payloads};

/// Why an input cannot be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InputError {
    /// It is not a JSON object.
    #[error("the input is not a JSON object: {0}")]
    Json(String),
    /// A field that is required.
    #[error("the input has no {0}")]
    Missing(&'static str),
    /// A field with a value that it cannot have.
    #[error("{field} must be {expected}, not {found}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it can be.
        expected: &'static str,
        /// What it is, shortened.
        found: String,
    },
    /// A payload that cannot be used.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

/// Where the payloads are.
#[derive(Debug, Clone, PartialEq)]
pub enum PayloadSource {
    /// In the input.
    Inline(Payloads),
    /// In an object in S3.
    S3 {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
}

impl PayloadSource {
    /// Reads the address of an object, `s3://BUCKET/KEY`.
    pub fn s3(address: &str) -> Option<Self> {
        let (bucket, key) = address.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| Self::S3 {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

/// The input of a run.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each flag of the input"
)]
pub struct TuningInput {
    /// `lambdaARN`: the function, also with a version or an alias.
    pub function: String,
    /// `num`: invocations at each size.
    pub invocations: u32,
    /// `powerValues`: the sizes.
    pub sizes: Vec<Megabytes>,
    /// `payload` or `payloadS3`.
    pub payload: PayloadSource,
    /// `parallelInvocation`: all invocations at the same time.
    pub parallel: bool,
    /// `strategy` and `balancedWeight`.
    pub strategy: Strategy,
    /// `autoOptimize`: the best size is applied.
    pub auto_optimize: bool,
    /// `autoOptimizeAlias`: the alias that gets the best size.
    pub auto_optimize_alias: Option<String>,
    /// `dryRun`: one invocation, and nothing else.
    pub dry_run: bool,
    /// `preProcessorARN`: a function that is invoked before each invocation.
    pub pre_processor: Option<String>,
    /// `postProcessorARN`: a function that is invoked after each invocation.
    pub post_processor: Option<String>,
    /// `discardTopBottom`: share of the durations that is left out at either end, 0 to 0.4; 0 in a run of cold starts.
    pub discard: f64,
    /// `sleepBetweenRunsMs`: pause after each invocation, unless they are parallel.
    pub pause_ms: u64,
    /// `disablePayloadLogs`: payloads are not printed.
    pub hide_payloads: bool,
    /// `includeOutputResults`: the output has the figures of each size.
    pub include_results: bool,
    /// `onlyColdStarts`: every invocation starts cold.
    pub only_cold_starts: bool,
    /// `allowedExceptions`: error types that are not failures.
    pub allowed_exceptions: Vec<String>,
    /// Fields that have no meaning here.
    pub unknown: Vec<String>,
}

/// The smallest `num`.
const LEAST: u32 = 5;
/// The sizes of an input without any: what the state machine is deployed with, unless its parameter is changed.
const USUAL: [u32; 6] = [128, 256, 512, 1024, 1536, 3008];
/// Characters of a bad value in a message.
const SHORT: usize = 40;

impl TuningInput {
    /// Reads an input.
    ///
    /// Numbers may also be strings, `null` is a missing field, and shares outside their range are moved into it, as the
    /// state machine does. A flag must be `true` or `false`; the state machine takes the string `"false"` for true.
    ///
    /// # Errors
    /// If it is not an object, `lambdaARN` or `num` is missing, or a field has a value that it cannot have.
    pub fn read(json: &str) -> Result<Self, InputError> {
        let fields: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(json).map_err(|why| InputError::Json(why.to_string()))?;
        let mut fields = Fields(fields);
        let invocations = fields.number("num")?.ok_or(InputError::Missing("num"))?;
        let only_cold_starts = fields.flag("onlyColdStarts")?;
        let discard = fields.share("discardTopBottom", 0.2, 0.4)?;
        Ok(Self {
            function: fields
                .text("lambdaARN")?
                .ok_or(InputError::Missing("lambdaARN"))?,
            invocations: number_of(invocations)?,
            sizes: fields.sizes()?,
            payload: fields.payload()?,
            parallel: fields.flag("parallelInvocation")?,
            strategy: fields.strategy()?,
            auto_optimize: fields.flag("autoOptimize")?,
            auto_optimize_alias: fields.text("autoOptimizeAlias")?,
            dry_run: fields.flag("dryRun")?,
            pre_processor: fields.text("preProcessorARN")?,
            post_processor: fields.text("postProcessorARN")?,
            discard: if only_cold_starts { 0.0 } else { discard },
            pause_ms: fields.pause()?,
            hide_payloads: fields.flag("disablePayloadLogs")?,
            include_results: fields.flag("includeOutputResults")?,
            only_cold_starts,
            allowed_exceptions: fields
                .parsed("allowedExceptions", "a list of error types")?
                .unwrap_or_default(),
            unknown: fields.0.into_keys().map(Cow::into_owned).collect(),
        })
    }
}

fn number_of(invocations: f64) -> Result<u32, InputError> {
    let whole = whole(invocations).filter(|number| *number >= LEAST);
    whole.ok_or_else(|| InputError::Field {
        field: "num",
        expected: "at least 5",
        found: invocations.to_string(),
    })
}

/// A number without its fraction, if it is one.
fn whole(number: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range of a u32"
    )]
    (0.0..=f64::from(u32::MAX))
        .contains(&number)
        .then_some(number as u32)
}

/// Fields that were not read yet.
struct Fields<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Takes a field; `None` if it is missing or `null`.
    fn take(&mut self, field: &str) -> Option<&'a str> {
        let value = self.0.remove(field).map(RawValue::get);
        value.filter(|json| *json != "null")
    }

    fn parsed<T: DeserializeOwned>(
        &mut self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, InputError> {
        let read = |json| serde_json::from_str(json).map_err(|_| wrong(field, expected, json));
        self.take(field).map(read).transpose()
    }

    fn flag(&mut self, field: &'static str) -> Result<bool, InputError> {
        let flag = self.parsed(field, "true or false")?;
        Ok(flag.unwrap_or_default())
    }

    /// Takes a text; an empty one counts as missing.
    fn text(&mut self, field: &'static str) -> Result<Option<String>, InputError> {
        let text: Option<String> = self.parsed(field, "a string")?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn number(&mut self, field: &'static str) -> Result<Option<f64>, InputError> {
        let read = |json| number(json).ok_or_else(|| wrong(field, "a number", json));
        self.take(field).map(read).transpose()
    }

    fn share(&mut self, field: &'static str, usual: f64, most: f64) -> Result<f64, InputError> {
        Ok(self.number(field)?.unwrap_or(usual).clamp(0.0, most))
    }

    fn pause(&mut self) -> Result<u64, InputError> {
        let pause = self.number("sleepBetweenRunsMs")?.unwrap_or_default();
        Ok(whole(pause.max(0.0)).unwrap_or(u32::MAX).into())
    }

    fn sizes(&mut self) -> Result<Vec<Megabytes>, InputError> {
        const EXPECTED: &str = "\"ALL\" or a list of sizes from 128 to 10240 MB";
        let Some(json) = self.take("powerValues") else {
            return Ok(USUAL.map(Megabytes).to_vec());
        };
        if json == "\"ALL\"" {
            return Ok((128..=3008).step_by(64).map(Megabytes).collect());
        }
        let list: Vec<&RawValue> =
            serde_json::from_str(json).map_err(|_| wrong("powerValues", EXPECTED, json))?;
        if list.is_empty() {
            return Ok(USUAL.map(Megabytes).to_vec());
        }
        let size = |json: &RawValue| {
            let size = number(json.get()).and_then(whole).map(Megabytes);
            size.filter(|size| (LAMBDA_LEAST..=LAMBDA_MOST).contains(size))
                .ok_or_else(|| wrong("powerValues", EXPECTED, json.get()))
        };
        list.into_iter().map(size).collect()
    }

    fn payload(&mut self) -> Result<PayloadSource, InputError> {
        let inline = self.take("payload");
        let Some(link) = self.text("payloadS3")? else {
            let payloads = Payloads::of_json(inline.unwrap_or("null"))?;
            return Ok(PayloadSource::Inline(payloads));
        };
        PayloadSource::s3(&link).ok_or_else(|| wrong("payloadS3", "s3://BUCKET/KEY", &link))
    }

    fn strategy(&mut self) -> Result<Strategy, InputError> {
        let weight = self.share("balancedWeight", 0.5, 1.0)?;
        let strategy = self.text("strategy")?;
        match strategy.as_deref() {
            None | Some("cost") => Ok(Strategy::Cost),
            Some("speed") => Ok(Strategy::Speed),
            Some("balanced") => Ok(Strategy::Balanced { weight }),
            Some(other) => Err(wrong("strategy", "cost, speed or balanced", other)),
        }
    }
}

/// A number, or a string that is one.
fn number(json: &str) -> Option<f64> {
    let text: Option<String> = serde_json::from_str(json).ok();
    let number: Option<f64> = text.as_deref().unwrap_or(json).trim().parse().ok();
    number.filter(|number| number.is_finite())
}

fn wrong(field: &'static str, expected: &'static str, found: &str) -> InputError {
    let short: String = found.chars().take(SHORT).collect();
    let cut = if short.len() < found.len() { "…" } else { "" };
    InputError::Field {
        field,
        expected,
        found: format!("{short}{cut}"),
    }
}

#[cfg(test)]
mod tests;
