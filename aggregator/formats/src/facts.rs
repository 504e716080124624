//! Facts about a report from the fields and words around it, from any tool: recognised first by the
//! form of a value (an ARN, a log group, a log stream), then by the name of its field.

use std::rc::Rc;

use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::evidence::{is_account, is_region, version_of_stream};

use super::hints::{Hints, Origin, Place};
use super::loose::brief;
use super::times;

/// A longer value is a text.
const MOST_BYTES: usize = 600;

/// What is known about a report beside its own text.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) group: Option<String>,
    pub(super) stream: Option<String>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    /// A function's name or ARN.
    pub(super) function: Option<String>,
    pub(super) version: Option<String>,
    pub(super) at: Option<Timestamp>,
    /// When it was stored: close to the time it was written.
    pub(super) stored: Option<Timestamp>,
    /// A time that cannot be read.
    pub(super) bad_time: Option<String>,
    /// A tool's label for the source of the line, if nothing better is known.
    pub(super) label: Option<String>,
}

/// The fact that a field's name announces.
enum Fact {
    Group,
    Stream,
    Account,
    Region,
    Function,
    Version,
    Time,
    StoredTime,
    Label,
}

impl Facts {
    /// The same, for facts that are still missing.
    pub(super) fn or(mut self, outer: &Self) -> Self {
        let fill = |mine: &mut Option<String>, outer: &Option<String>| {
            if mine.is_none() {
                mine.clone_from(outer);
            }
        };
        fill(&mut self.group, &outer.group);
        fill(&mut self.stream, &outer.stream);
        fill(&mut self.account, &outer.account);
        fill(&mut self.region, &outer.region);
        fill(&mut self.function, &outer.function);
        fill(&mut self.version, &outer.version);
        fill(&mut self.label, &outer.label);
        if self.at.is_none() && self.bad_time.is_none() {
            self.at = outer.at;
            self.bad_time.clone_from(&outer.bad_time);
        }
        self.stored = self.stored.or(outer.stored);
        self
    }

    /// Takes a value that is known by its form; `false` if it is not.
    pub(super) fn by_form(&mut self, value: &str) -> bool {
        if value.len() > MOST_BYTES || value.len() < 3 {
            return false;
        }
        if value.starts_with("arn:") {
            return self.by_arn(value);
        }
        if version_of_stream(value).is_some() && value.starts_with(|c: char| c.is_ascii_digit()) {
            set(&mut self.stream, value);
            return true;
        }
        if value.starts_with("/aws/") {
            let (group, rest) = value.split_once(':').unwrap_or((value, ""));
            set(&mut self.group, group);
            self.by_form(rest);
            return true;
        }
        // ACCOUNT:GROUP, or REGION:GROUP:STREAM.
        match value.split_once(':') {
            Some((place, rest)) if is_account(place) && rest.starts_with('/') => {
                set(&mut self.account, place);
                if !self.by_form(rest) {
                    set(&mut self.group, rest);
                }
                true
            }
            Some((place, rest)) if is_region(place) && rest.starts_with('/') => {
                set(&mut self.region, place);
                self.by_form(rest)
            }
            _ => false,
        }
    }

    fn by_arn(&mut self, arn: &str) -> bool {
        let mut parts = arn.splitn(7, ':').skip(2);
        let (service, region, account) = (parts.next(), parts.next(), parts.next());
        let (kind, name) = (parts.next(), parts.next());
        match (service, kind, name) {
            (Some("lambda"), Some("function"), Some(name)) => self.function_arn(arn, name),
            (Some("logs"), Some("log-group"), Some(name)) => {
                let (group, rest) = name.split_once(':').unwrap_or((name, ""));
                set(&mut self.group, group);
                if let Some(stream) = rest.strip_prefix("log-stream:") {
                    set(&mut self.stream, stream);
                }
                if let (Some(region), Some(account)) = (region, account) {
                    set(&mut self.region, region);
                    set(&mut self.account, account);
                }
            }
            _ => return false,
        }
        true
    }

    /// An ARN replaces the name of the same function: two accounts may have functions of one name.
    fn function_arn(&mut self, arn: &str, name: &str) {
        let name = name.split(':').next().unwrap_or(name);
        if self.function.as_deref() == Some(name) {
            self.function = None;
        }
        set(&mut self.function, arn);
    }

    /// Whether a field of this name has a known meaning.
    pub(super) fn knows(name: &str) -> bool {
        fact_of(name).is_some()
    }

    /// Takes a field.
    pub(super) fn take(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() || value.len() > MOST_BYTES || self.by_form(value) {
            return;
        }
        let Some(fact_of) = fact_of(name) else {
            return;
        };
        match fact_of {
            Fact::Group => set(&mut self.group, value),
            Fact::Stream => set(&mut self.stream, value),
            Fact::Account if is_account(value) => set(&mut self.account, value),
            Fact::Region if is_region(value) => set(&mut self.region, value),
            Fact::Function => set(&mut self.function, value),
            Fact::Version => set(&mut self.version, value),
            Fact::Label => set(&mut self.label, value),
            Fact::Time if self.at.is_none() => match times::whole(value, today()) {
                Some(at) => self.at = Some(at),
                None => self.bad_time = Some(brief(value).into_owned()),
            },
            Fact::StoredTime => self.stored = self.stored.or(times::whole(value, today())),
            Fact::Account | Fact::Region | Fact::Time => {}
        }
    }

    /// Takes a value of a row whose columns have no names.
    pub(super) fn take_unnamed(&mut self, value: &str) {
        let value = value.trim();
        if !self.by_form(value) && self.at.is_none() && value.len() > "2026-01-31".len() {
            self.at = times::whole(value, today());
        }
    }

    /// The time; `Err` is one that cannot be read.
    pub(super) fn time(&self) -> Result<Option<Timestamp>, &str> {
        match (self.at.or(self.stored), &self.bad_time) {
            (None, Some(bad)) => Err(bad),
            (at, _) => Ok(at),
        }
    }

    /// The first instant of the day in the name of the log stream: that on which its environment started.
    pub(super) fn day_of_stream(&self) -> Option<Timestamp> {
        let date = self.stream.as_deref()?.get(.."2026/01/31".len())?;
        Day::parse(&date.replace('/', "-")).ok().map(Day::start)
    }

    /// Whose evidence it is.
    pub(super) fn origin(&self, hints: &Hints) -> Origin {
        let place = Place {
            account: self.account.as_deref(),
            region: self.region.as_deref(),
        };
        let stream = self.stream.as_deref();
        let group = self.group.as_deref();
        // A field called `function` may name one of the program's own.
        let lambda_group = group.is_some_and(|group| group.starts_with("/aws/lambda/"));
        let sure = |name: &&str| name.starts_with("arn:") || !lambda_group;
        let function = self.function.as_deref().filter(sure);
        let named = function.and_then(|name| hints.named(name, place).ok());
        let labelled = || {
            let label = self
                .label
                .as_deref()
                .filter(|_| group.is_none() && hints.function.is_none());
            label.and_then(|label| hints.named(label, place).ok())
        };
        let mut origin = match named {
            Some(origin) => origin.streamed(stream),
            None => match labelled() {
                Some(origin) if stream.is_none() => origin,
                _ => hints.logged(group, stream, place),
            },
        };
        let number = |v: &&str| v.bytes().all(|b| b.is_ascii_digit());
        if let Some(version) = self.version.as_deref().filter(number) {
            origin.version = Rc::from(version);
        }
        origin
    }
}

/// Times of documents have a year of their own.
const fn today() -> Day {
    Timestamp::MIN.day()
}

fn set(slot: &mut Option<String>, value: &str) {
    if slot.is_none() && !value.is_empty() {
        *slot = Some(value.to_owned());
    }
}

/// The letters and digits of a field's name behind its last dot, in lower case.
pub(super) fn plain_name(name: &str) -> String {
    let last = name
        .rsplit('.')
        .find(|part| !part.is_empty())
        .unwrap_or(name);
    let plain = last.chars().filter(char::is_ascii_alphanumeric);
    plain.take(60).collect::<String>().to_ascii_lowercase()
}

fn fact_of(name: &str) -> Option<Fact> {
    if name.ends_with("faas.name") || name == "aws.lambda.function_name" {
        return Some(Fact::Function);
    }
    // `cloud.account.id`, as OpenTelemetry and Elastic name it.
    if name.ends_with("account.id") {
        return Some(Fact::Account);
    }
    let name = plain_name(name);
    Some(match name.as_str() {
        "account" | "awsaccount" | "accountnumber" | "ownerid" => Fact::Account,
        "timestamp" | "time" | "date" | "datetime" | "eventtime" | "ts" | "timeunixnano"
        | "timestampms" | "epoch" | "messagetime" | "messagetimems" | "logtime" => Fact::Time,
        "ingestiontime"
        | "indextime"
        | "observedtimestamp"
        | "observedtimeunixnano"
        | "receivedat" => Fact::StoredTime,
        "function" | "functionname" | "lambdafunction" | "lambdafunctionname" | "functionarn" => {
            Fact::Function
        }
        "functionversion" => Fact::Version,
        "service" | "servicename" => Fact::Label,
        name if name.ends_with("accountid") || name.ends_with("owner") => Fact::Account,
        name if name.ends_with("loggroup") || name.ends_with("loggroupname") => Fact::Group,
        name if name.ends_with("logstream") || name.ends_with("logstreamname") => Fact::Stream,
        name if name.ends_with("region") => Fact::Region,
        _ => return None,
    })
}

/// Whether a field of this name holds the text of a log line.
pub(super) fn is_message(name: &str) -> bool {
    matches!(
        plain_name(name).as_str(),
        "message"
            | "msg"
            | "line"
            | "log"
            | "raw"
            | "body"
            | "content"
            | "text"
            | "event"
            | "logline"
    )
}
