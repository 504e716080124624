//! One log message: a `REPORT` line, a `platform.report` of JSON logging, or an application's own.

use rightsizer_records::Timestamp;

use super::hints::Origin;
use super::output::{Output, Stopped};
use super::{report_line, telemetry};

/// Where a message was found, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) line: u64,
    pub(super) origin: &'a Origin,
    /// The time its surroundings give.
    pub(super) at: Option<Timestamp>,
    /// What its log event is known by, where deliveries may be repeated.
    pub(super) event: Option<u64>,
}

/// Reads a message of a log export. What an application wrote is no evidence, and no error.
pub(super) fn read(text: &str, spot: Spot, out: &mut Output) -> Result<(), Stopped> {
    let text = trim(text);
    if report_line::is_report(text) {
        reports(text, spot, out)
    } else if is_report_event(text) {
        telemetry::event(text, spot, out)
    } else {
        out.ignore()
    }
}

/// Reads a text that begins like a `REPORT` line, and any others glued to its end.
pub(super) fn reports(text: &str, spot: Spot, out: &mut Output) -> Result<(), Stopped> {
    for (line, n) in report_line::split_glued(text).zip(0..) {
        let event = spot.event.map(|event| event.wrapping_add(n));
        let spot = Spot { event, ..spot };
        match report_line::parse(line) {
            Ok(invocation) => out.invocation(spot, invocation)?,
            Err(why) => out.refuse(spot.line, why.to_string(), line)?,
        }
    }
    Ok(())
}

/// Whether it looks like what the platform writes with JSON logging.
pub(super) fn is_report_event(text: &str) -> bool {
    text.starts_with('{') && text.contains("\"platform.report\"")
}

/// Without what pipelines leave around a message.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\0' | '\u{feff}'))
}
