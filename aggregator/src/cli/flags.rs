//! The values of flags: each is read by one function, and refused with what was expected.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;

use rightsizer_records::{ApplyMode, Confidence, Day, FunctionArn};
use rightsizer_rules::evidence::{FunctionKey, FunctionKeyError};
use rightsizer_rules::lifecycle::Status;

use crate::serve::RecordSource;
use crate::snapshot::MINUTES;

/// The most calls a second to Lambda's control plane, and to CloudWatch Logs.
const RATE: RangeInclusive<f64> = 0.1..=10.0;
const LOGS_RATE: RangeInclusive<f64> = 0.1..=100.0;

/// What was expected instead of a value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum BadValue {
    #[error("it is empty")]
    Empty,
    #[error("expected {} to {}", .0.start(), .0.end())]
    Number(RangeInclusive<f64>),
    #[error("expected a whole number")]
    Whole,
    #[error("expected a whole number of at least 1")]
    Count,
    #[error("expected off, recommend or auto")]
    Mode,
    #[error("expected 8 to 256 letters, digits, '-', '.', '_' or '~'")]
    Token,
    #[error("expected kinesis:NAME, or kinesis:ARN for a stream of another account")]
    Stream,
    #[error("{}, or embedded", Self::Stream)]
    Source,
    #[error("an account has 12 digits")]
    Account,
    #[error(
        "expected an address that begins with http:// or https://, such as https://kinesis.example.org"
    )]
    Url,
    #[error(
        "expected a stream's name, or its ARN, such as arn:aws:kinesis:eu-west-1:123456789012:stream/rightsizer-reports"
    )]
    StreamName,
    #[error("a stack's name has letters, digits and dashes, such as rightsizer")]
    Stack,
    #[error("not a region, such as eu-west-1")]
    Region,
    #[error("not a role, such as arn:aws:iam::123456789012:role/logs-to-reports")]
    Role,
    #[error("a day is written YYYY-MM-DD, such as 2026-01-31")]
    Day,
    #[error("a hold lasts 1 to 400 days")]
    Hold,
    #[error(transparent)]
    Function(#[from] FunctionKeyError),
    #[error("a function's name has no spaces")]
    Spaces,
    #[error("expected {}", statuses().join(", "))]
    Status,
    #[error("expected high, medium or low")]
    Confidence,
    #[error("expected LABEL=FUNCTION, such as CheckoutFunction=shop-prod-checkout")]
    Label,
    #[error("a tag is KEY=VALUE, such as team=payments")]
    Tag,
}

/// A text that is not empty.
pub(super) fn text(text: &str) -> Result<String, BadValue> {
    if text.trim().is_empty() {
        Err(BadValue::Empty)
    } else {
        Ok(text.to_owned())
    }
}

fn number(text: &str, range: RangeInclusive<f64>) -> Result<f64, BadValue> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or(BadValue::Number(range))
}

/// A whole number that is not negative.
pub(super) fn whole<T: FromStr>(text: &str) -> Result<T, BadValue> {
    text.parse().map_err(|_| BadValue::Whole)
}

/// A number of things, at least one.
pub(super) fn count(text: &str) -> Result<NonZeroUsize, BadValue> {
    text.parse().map_err(|_| BadValue::Count)
}

/// Calls a second to Lambda's control plane.
pub(super) fn rate(text: &str) -> Result<f64, BadValue> {
    number(text, RATE)
}

/// Calls a second to CloudWatch Logs.
pub(super) fn logs_rate(text: &str) -> Result<f64, BadValue> {
    number(text, LOGS_RATE)
}

/// Minutes between two snapshots.
pub(super) fn minutes(text: &str) -> Result<f64, BadValue> {
    number(text, MINUTES)
}

pub(super) fn mode(text: &str) -> Result<ApplyMode, BadValue> {
    ApplyMode::from_name(text).ok_or(BadValue::Mode)
}

/// A token is part of a path, as it is.
pub(super) fn token(text: &str) -> Result<String, BadValue> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    if (8..=256).contains(&text.len()) && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err(BadValue::Token)
}

pub(super) fn stream(text: &str) -> Result<String, BadValue> {
    match text.strip_prefix("kinesis:") {
        Some(name) => stream_name(name).map_err(|_| BadValue::Stream),
        None => Err(BadValue::Stream),
    }
}

pub(super) fn source(text: &str) -> Result<RecordSource, BadValue> {
    if text == "embedded" {
        return Ok(RecordSource::Embedded);
    }
    let stream = stream(text).map_err(|_| BadValue::Source)?;
    Ok(RecordSource::Kinesis(stream))
}

pub(super) fn account(text: &str) -> Result<String, BadValue> {
    let named = FunctionArn::new("aws", "eu-west-1", text, "f");
    let named = named.map(|arn| arn.account().to_owned());
    named.map_err(|_| BadValue::Account)
}

pub(super) fn region(text: &str) -> Result<String, BadValue> {
    let dashes = text.matches('-').count() >= 2;
    let named = FunctionArn::new("aws", text, "123456789012", "f");
    let named = named.ok().filter(|_| dashes);
    let named = named.map(|arn| arn.region().to_owned());
    named.ok_or(BadValue::Region)
}

/// An address of HTTP, with a host.
pub(super) fn url(text: &str) -> Result<String, BadValue> {
    let uri = text.parse::<hyper::Uri>().ok();
    let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    let uri = uri.filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    uri.map(|_| text.to_owned()).ok_or(BadValue::Url)
}

/// The name of a Kinesis stream, or its ARN.
pub(super) fn stream_name(text: &str) -> Result<String, BadValue> {
    let is_name = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        (1..=128).contains(&name.len()) && name.chars().all(plain)
    };
    let parts: Vec<&str> = text.split(':').collect();
    let named = match parts.as_slice() {
        [name] => is_name(name),
        ["arn", _, "kinesis", place, owner, stream] => {
            let stream = stream.strip_prefix("stream/");
            region(place).is_ok() && account(owner).is_ok() && stream.is_some_and(is_name)
        }
        _ => false,
    };
    named.then(|| text.to_owned()).ok_or(BadValue::StreamName)
}

/// The name of a deployed system, which is that of its `CloudFormation` stack.
pub(super) fn stack(text: &str) -> Result<String, BadValue> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let named = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let named = named && text.len() <= 128 && text.chars().all(plain);
    named.then(|| text.to_owned()).ok_or(BadValue::Stack)
}

/// The ARN of a role.
pub(super) fn role(text: &str) -> Result<String, BadValue> {
    let parts: Vec<&str> = text.split(':').collect();
    let named = match parts.as_slice() {
        ["arn", _, "iam", "", owner, role] => {
            let name = role.strip_prefix("role/");
            account(owner).is_ok() && name.is_some_and(|name| !name.is_empty())
        }
        _ => false,
    };
    named.then(|| text.to_owned()).ok_or(BadValue::Role)
}

/// A label in a template, and the function it stands for.
pub(super) fn label(text: &str) -> Result<(String, String), BadValue> {
    let (label, function) = text.split_once('=').unwrap_or((text, ""));
    if label.is_empty() || function.is_empty() {
        return Err(BadValue::Label);
    }
    Ok((label.to_owned(), function.to_owned()))
}

/// A day.
pub(super) fn day(text: &str) -> Result<Day, BadValue> {
    Day::parse(text).map_err(|_| BadValue::Day)
}

/// The days of a hold; their number is checked with the command.
pub(super) fn hold(text: &str) -> Result<u32, BadValue> {
    text.parse().map_err(|_| BadValue::Hold)
}

/// A function by name or ARN.
pub(super) fn function(text: &str) -> Result<FunctionKey, BadValue> {
    let key = FunctionKey::parse(text)?;
    if key.name().contains(char::is_whitespace) {
        return Err(BadValue::Spaces);
    }
    Ok(key)
}

/// What a function without a recommendation has for a status, and what a recommendation has.
fn statuses() -> Vec<&'static str> {
    let without = ["ok", "idle", "no-reports", "no-memory-figure"];
    let with = Status::ALL.map(Status::name);
    without.into_iter().chain(with).collect()
}

/// A status as `list` shows it.
pub(super) fn status(text: &str) -> Result<String, BadValue> {
    let known = statuses().contains(&text);
    known.then(|| text.to_owned()).ok_or(BadValue::Status)
}

/// A confidence as `list` shows it.
pub(super) fn confidence(text: &str) -> Result<String, BadValue> {
    let all = [Confidence::High, Confidence::Medium, Confidence::Low];
    let known = all.map(Confidence::name).contains(&text);
    known.then(|| text.to_owned()).ok_or(BadValue::Confidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it follows `error: invalid value … for …:`.
    #[test]
    fn every_refusal_is_reviewed() {
        let refusals = [
            text(" ").unwrap_err(),
            rate("11").unwrap_err(),
            logs_rate("0").unwrap_err(),
            minutes("soon").unwrap_err(),
            mode("Auto").unwrap_err(),
            token("short").unwrap_err(),
            stream("kinesis:").unwrap_err(),
            source("kafka:reports").unwrap_err(),
            account("12").unwrap_err(),
            region("europe").unwrap_err(),
            url("kinesis.example.org").unwrap_err(),
            stream_name("arn:aws:sqs:eu-west-1:123456789012:reports").unwrap_err(),
            role("arn:aws:iam::123456789012:user/me").unwrap_err(),
            stack("a b").unwrap_err(),
            label("CheckoutFunction").unwrap_err(),
            day("2026-13-45").unwrap_err(),
            hold("-3").unwrap_err(),
            function("my function").unwrap_err(),
            function("").unwrap_err(),
            status("opne").unwrap_err(),
            confidence("sure").unwrap_err(),
        ];
        let refusals = refusals.map(|refusal| refusal.to_string());
        insta::assert_snapshot!(refusals.join("\n"));
    }

    #[test]
    fn names_of_aws_are_what_aws_accepts() {
        let role_of = |account: &str, name: &str| format!("arn:aws:iam::{account}:role/{name}");
        let right = role_of("123456789012", "service-role/logs");
        assert_eq!(role(&right).as_ref(), Ok(&right));
        for wrong in [role_of("123456789012", ""), role_of("12", "logs")] {
            assert_eq!(role(&wrong), Err(BadValue::Role), "{wrong}");
        }
        assert_eq!(stack("rightsizer-2").as_deref(), Ok("rightsizer-2"));
        for wrong in ["", "2nd", "a b", "a/b", &"a".repeat(129)] {
            assert_eq!(stack(wrong), Err(BadValue::Stack), "{wrong}");
        }
        let arn = "kinesis:arn:aws:kinesis:eu-west-1:123456789012:stream/reports";
        for right in ["kinesis:reports", arn] {
            assert!(stream(right).is_ok(), "{right}");
        }
        for wrong in [
            "reports",
            "kinesis:",
            "kinesis:a b",
            "kinesis:arn:aws:kinesis",
        ] {
            assert_eq!(stream(wrong), Err(BadValue::Stream), "{wrong}");
        }
    }

    #[test]
    fn a_stream_and_an_address_are_what_kinesis_has() {
        for right in [
            "reports",
            "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/a_b.c-1",
        ] {
            assert_eq!(stream_name(right).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "two words",
            "arn:aws:kinesis:eu-west-1:123456789012:stream/",
            "arn:aws:kinesis:eu-west-1:12:stream/reports",
            "arn:aws:firehose:eu-west-1:123456789012:deliverystream/reports",
        ] {
            assert_eq!(stream_name(wrong), Err(BadValue::StreamName), "{wrong}");
        }
        for right in ["http://127.0.0.1:4566", "https://kinesis.example.org/path"] {
            assert_eq!(url(right).as_deref(), Ok(right));
        }
        for wrong in ["foo", "ftp://host", "https://", "/path", "http://a b"] {
            assert_eq!(url(wrong), Err(BadValue::Url), "{wrong}");
        }
    }
}
