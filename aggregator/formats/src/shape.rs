//! Which format a JSON object is of, by the names of its fields.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{insights, wrapped};

/// The fields by which a value is known.
#[derive(Deserialize)]
pub(super) struct Shape<'a> {
    #[serde(borrow, default)]
    v: Option<&'a RawValue>,
    #[serde(borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    line: Option<&'a RawValue>,
    #[serde(borrow, default)]
    records: Option<&'a RawValue>,
    #[serde(borrow, default)]
    events: Option<&'a RawValue>,
    #[serde(borrow, default)]
    results: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "messageType")]
    message_type: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "logEvents")]
    log_events: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    record: Option<&'a RawValue>,
    #[serde(borrow, default)]
    time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    awslogs: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "Records")]
    lambda_records: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    power: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "stateMachine")]
    state_machine: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stats: Option<&'a RawValue>,
    #[serde(borrow, default)]
    analysis: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "averageDuration")]
    average_duration: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "lambdaFunctionRecommendations")]
    recommendations: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "functionArn")]
    function_arn: Option<&'a RawValue>,
    #[serde(borrow, default)]
    finding: Option<&'a RawValue>,
}

/// The formats that are known by their fields, and the part of the value that is read.
pub(super) enum Known<'a> {
    Record,
    Subscription,
    Telemetry,
    LogEvents,
    Results,
    Line(&'a RawValue),
    LambdaEvent(&'a RawValue),
    StreamEvent(&'a RawValue),
    TelemetryEvent,
    Row,
    LogEvent,
    PowerTuning,
    Recommendations(&'a RawValue),
    Recommendation,
}

impl<'a> Shape<'a> {
    /// What another tool found out about sizes; `None` if it is something else.
    fn comparison(&self, text: &str) -> Option<Known<'a>> {
        let holds = |part: Option<&RawValue>, opens: char| {
            let part = part.map_or("", RawValue::get);
            part.starts_with(opens)
                && (part.contains("averageDuration") || part.contains("visualization"))
        };
        let optimum =
            (self.power.is_some() || self.state_machine.is_some()) && text.contains("\"cost\"");
        let step = self.average_duration.is_some() && text.contains("\"averagePrice\"");
        let power_tuning = optimum
            || step
            || holds(self.stats, '[')
            || holds(self.results, '{')
            || holds(self.analysis, '{')
            || holds(self.output, '"');
        match self {
            Self {
                recommendations: Some(list),
                ..
            } => Some(Known::Recommendations(list)),
            Self {
                function_arn: Some(_),
                finding: Some(_),
                ..
            } => Some(Known::Recommendation),
            _ => power_tuning.then_some(Known::PowerTuning),
        }
    }

    /// The format of the value, which reads `text`. What comes live is never looked through for reports,
    /// so it is of the format that it looks like.
    pub(super) fn known(&self, text: &str, live: bool) -> Option<Known<'a>> {
        // Fields of these names are in the objects of other tools too.
        let only = |fits: bool| live || fits || !wrapped::may_hold_report(text);
        let comparison = self.comparison(text).filter(|_| !live && only(false));
        if comparison.is_some() {
            return comparison;
        }
        Some(match self {
            Self { v: Some(_), .. } | Self { kind: Some(_), .. }
                if only(self.v.is_some() && self.kind.is_some()) =>
            {
                Known::Record
            }
            Self {
                message_type: Some(_),
                ..
            } if only(self.log_events.is_some()) => Known::Subscription,
            Self {
                log_events: Some(_),
                ..
            } => Known::Subscription,
            Self {
                records: Some(_), ..
            } if only(text.contains("\"platform.")) => Known::Telemetry,
            Self {
                events: Some(_), ..
            } => Known::LogEvents,
            Self {
                results: Some(results),
                ..
            } if only(insights::are_rows(results.get())) => Known::Results,
            Self {
                line: Some(inner), ..
            } if live || wrapped::has_only(text, "line") => Known::Line(inner),
            Self {
                awslogs: Some(inner),
                ..
            } if only(false) => Known::LambdaEvent(inner),
            Self {
                lambda_records: Some(inner),
                ..
            } if only(false) => Known::StreamEvent(inner),
            Self {
                event_type: Some(kind),
                ..
            } if (self.record.is_some() || self.time.is_some())
                && only(kind.get().starts_with("\"platform.")) =>
            {
                Known::TelemetryEvent
            }
            _ if text.contains("\"@") && only(insights::is_row(text)) => Known::Row,
            Self {
                message: Some(_), ..
            } => Known::LogEvent,
            _ => return None,
        })
    }
}
