//! One log message: a `REPORT` line, a `platform.report` of JSON logging, an event of Lambda Insights,
//! or an application's own.

use rightsizer_records::Timestamp;

use super::hints::Origin;
use super::output::{Output, Stopped};
use super::report_line::ReportLineError;
use super::surroundings::{Quoted, Surroundings};
use super::{endings, failed_start, insights_extension, report_line, telemetry};

/// The place of a message, and its function.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) line: u64,
    pub(super) origin: &'a Origin,
    /// The time its surroundings give.
    pub(super) at: Option<Timestamp>,
    /// The id of its log event, if deliveries may be repeated.
    pub(super) event: Option<u64>,
    /// It stood in what another tool wrote around it.
    pub(super) wrapped: bool,
}

impl<'a> Spot<'a> {
    pub(super) const fn new(line: u64, origin: &'a Origin, at: Option<Timestamp>) -> Self {
        Self {
            line,
            origin,
            at,
            event: None,
            wrapped: false,
        }
    }

    pub(super) const fn within_wrapper(self) -> Self {
        Self {
            wrapped: true,
            ..self
        }
    }
}

/// Reads a message of a log export. Application output is neither evidence nor an error, unless it
/// quotes a report.
pub(super) fn read(text: &str, spot: Spot, out: &mut Output) -> Result<(), Stopped> {
    let text = trim(text);
    if report_line::is_report(text) {
        return reports(text, spot, out);
    }
    if is_report_event(text) || is_ending_event(text) || failed_start::is_event(text) {
        return telemetry::event(text, spot, out);
    }
    if let Some(id) = endings::ended_request(text) {
        return match out.endings.end(id) {
            Some(observation) => out.amend(spot, observation),
            None => out.ignore(),
        };
    }
    if let Some(start) = failed_start::parse(text) {
        out.endings.starts.keep(spot, start);
        return out.ignore();
    }
    if endings::is_heap_full(text) {
        out.endings.fill(spot.origin);
    }
    // What comes live counts only as the platform wrote it.
    if out.live() {
        return out.ignore();
    }
    if insights_extension::is_event(text) {
        return insights_extension::event(text, spot, out);
    }
    let Some(at) = report_line::find(text) else {
        return out.ignore();
    };
    let before = text.get(..at).unwrap_or_default();
    match Surroundings::before(before, out.hints.fallback_date) {
        Ok(before) if !before.foreign => {
            let at_time = spot.at.or(before.facts.at);
            let spot = Spot {
                at: at_time,
                ..spot
            };
            reports(text.get(at..).unwrap_or_default(), spot, out)
        }
        Ok(_) => out.refuse(spot.line, Quoted::in_text(before).to_string(), text),
        Err(why) => out.refuse(spot.line, why.to_string(), text),
    }
}

/// Reads a text that begins like a `REPORT` line, and any others glued to its end.
pub(super) fn reports(text: &str, spot: Spot, out: &mut Output) -> Result<(), Stopped> {
    for (line, n) in report_line::split_glued(text).zip(0..) {
        let event = spot.event.map(|event| event.wrapping_add(n));
        let spot = Spot { event, ..spot };
        match report_line::parse(line) {
            // Only the first report of an emulator's environment has its form.
            Ok(invocation) if out.emulator && invocation.used_all() => {
                out.refuse(spot.line, ReportLineError::Emulator.to_string(), line)?;
            }
            Ok(invocation) => out.ended(endings::request(line), spot, invocation)?,
            Err(why) => {
                out.emulator |= why == ReportLineError::Emulator;
                out.refuse(spot.line, why.to_string(), line)?;
            }
        }
    }
    Ok(())
}

/// Whether it looks like what the platform writes with JSON logging.
pub(super) fn is_report_event(text: &str) -> bool {
    text.starts_with('{') && text.contains("\"platform.report\"")
}

/// Whether it looks like what the platform writes with JSON logging of an invocation that failed.
fn is_ending_event(text: &str) -> bool {
    text.starts_with('{')
        && text.contains("\"platform.runtimeDone\"")
        && text.contains("\"errorType\"")
}

/// Without what pipelines leave around a message.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'))
}
