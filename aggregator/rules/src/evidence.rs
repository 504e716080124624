//! The output of every source: evidence of what a function used, and entries that are not
//! evidence.
//!
//! A source knows formats; the window knows functions and days. This is all they share.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use rightsizer_records::shown::{has_hidden, is_hidden};
use rightsizer_records::{
    Arch, EnvId, ErrorKind, FunctionArn, Megabytes, Millis, Record, Status, Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::comparison::Comparison;

/// The version that traffic belongs to when nothing names one.
pub const LATEST: &str = "$LATEST";

const LOCAL: &str = "local:";
/// Log groups may have 512 characters; a key is also shown in tables.
const MAX_LOCAL_NAME: usize = 256;

/// Endings of exported files.
const EXPORTS: [&str; 8] = ["json", "jsonl", "ndjson", "txt", "log", "csv", "tsv", "md"];

/// The key of a function: its ARN, or a `local:` key if account and region are not both known.
///
/// A `local:` key keeps what is known, so that one name in two accounts stays two functions:
/// `local:NAME`, `local:ACCOUNT/NAME` or `local:REGION/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FunctionKey {
    /// An unqualified ARN.
    Arn(FunctionArn),
    /// Only a name is known, or a name and one of account and region (without the `local:`).
    Local(String),
}

/// Why a text names no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionKeyError {
    /// It begins like an ARN, but is none of a function.
    #[error(transparent)]
    Arn(#[from] rightsizer_records::ArnError),
    /// Empty, too long, or with characters that cannot be shown.
    #[error("{0:?} is not a function name: expected 1 to {MAX_LOCAL_NAME} printable characters")]
    Name(String),
}

impl FunctionKey {
    /// Reads an ARN, `local:NAME`, or a bare name (which becomes `local:NAME`).
    pub fn parse(text: &str) -> Result<Self, FunctionKeyError> {
        if text.starts_with("arn:") {
            return Ok(Self::Arn(FunctionArn::parse(text)?));
        }
        let name = text.strip_prefix(LOCAL).unwrap_or(text);
        let printable =
            !name.trim().is_empty() && name.len() <= MAX_LOCAL_NAME && !has_hidden(name);
        if printable {
            Ok(Self::Local(name.to_owned()))
        } else {
            Err(FunctionKeyError::Name(text.chars().take(64).collect()))
        }
    }

    /// Reads a key as a store keeps it: what was once taken is known for good.
    pub fn stored(text: &str) -> Result<Self, FunctionKeyError> {
        match text.strip_prefix(LOCAL) {
            Some(name) if !name.is_empty() => Ok(Self::Local(name.to_owned())),
            _ => Self::parse(text),
        }
    }

    /// The key of a name in an account or a region, if the other of the two is not known.
    pub fn local_in(place: &str, name: &str) -> Self {
        Self::Local(format!("{place}/{name}"))
    }

    /// Returns the key of evidence about which only the file is known. The ending is kept, because `a.log` and `a.json`
    /// may be of two functions. Never fails: characters that cannot be shown in a name become `_`.
    pub fn of_file(file_name: &str) -> Self {
        let name: String = file_name
            .chars()
            .map(|c| if is_hidden(c) { '_' } else { c })
            .take(MAX_LOCAL_NAME / char::MAX.len_utf8())
            .collect();
        Self::Local(if name.trim().is_empty() {
            "unnamed".to_owned()
        } else {
            name
        })
    }

    /// The ARN, if known: only such a function can be changed.
    pub const fn arn(&self) -> Option<&FunctionArn> {
        match self {
            Self::Arn(arn) => Some(arn),
            Self::Local(_) => None,
        }
    }

    /// As it is written everywhere: the ARN, or `local:` and the name.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Arn(arn) => Cow::Borrowed(arn.as_str()),
            Self::Local(name) => Cow::Owned(format!("{LOCAL}{name}")),
        }
    }

    /// The function's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Arn(arn) => arn.name(),
            Self::Local(local) => placed(local).map_or(local, |(_, name)| name),
        }
    }

    /// The name that the function has on an account. A file that named it was named after it, and no function's name
    /// has a dot: `checkout.json.gz` is `checkout`.
    pub fn function_name(&self) -> &str {
        let name = self.name();
        let name = name.strip_suffix(".gz").unwrap_or(name);
        let export = name.rsplit_once('.');
        let export = export.filter(|(_, ending)| EXPORTS.contains(ending));
        export.map_or(name, |(name, _)| name)
    }

    /// The account or the region of a function whose ARN is not known.
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Arn(_) => None,
            Self::Local(local) => placed(local).map(|(place, _)| place),
        }
    }
}

/// Account or region, and the name behind it.
fn placed(local: &str) -> Option<(&str, &str)> {
    let (place, name) = local.split_once('/')?;
    (is_account(place) || is_region(place)).then_some((place, name))
}

/// Whether `text` has the form of an account's id: twelve digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether `text` has the form of a region's name, such as `eu-central-1`.
pub fn is_region(text: &str) -> bool {
    let lower = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let Some((words, number)) = text.rsplit_once('-') else {
        return false;
    };
    let digits = (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let mut words = words.split('-');
    let partition = words
        .next()
        .is_some_and(|word| word.len() == 2 && lower(word));
    let mut rest = words.peekable();
    digits && partition && rest.peek().is_some() && rest.all(lower)
}

impl From<FunctionArn> for FunctionKey {
    fn from(arn: FunctionArn) -> Self {
        Self::Arn(arn)
    }
}

impl FromStr for FunctionKey {
    type Err = FunctionKeyError;
    fn from_str(text: &str) -> Result<Self, FunctionKeyError> {
        Self::parse(text)
    }
}

impl fmt::Display for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Serialize for FunctionKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FunctionKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(de::Error::custom)
    }
}

/// One invocation from a log or a telemetry event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Whose it is. Shared within its thread: a million lines are of a thousand functions, and two
    /// threads that count who shares would wait for each other at every line.
    pub function: Rc<FunctionKey>,
    /// `$LATEST` (also if unknown) or the published version's number.
    pub version: Rc<str>,
    /// When it was reported; midnight UTC of the given day if the source has no time.
    pub at: Timestamp,
    /// Configured size of the environment.
    pub memory_mb: Megabytes,
    /// High-water mark of the environment.
    pub max_used_mb: Option<Megabytes>,
    /// Duration of the handler.
    pub duration_ms: Option<Millis>,
    /// Billed duration.
    pub billed_ms: Option<Millis>,
    /// How it ended.
    pub status: Status,
    /// The meaning of its error type, if it has one.
    pub error: Option<ErrorKind>,
    /// Init duration of a cold start.
    pub init_ms: Option<Millis>,
    /// Duration of the restore from a snapshot, under `SnapStart`.
    pub restore_ms: Option<Millis>,
    /// The environment it ran in, known from the name of its log stream.
    pub environment: Option<EnvId>,
    /// Architecture, if known.
    pub arch: Option<Arch>,
    /// The id of its log event, if a subscription delivered it: deliveries may be repeated.
    pub event_id: Option<u64>,
    /// CPU time, if the source has it: Lambda Insights does.
    pub cpu_ms: Option<Millis>,
    /// It was found inside of what another tool wrote around it, so that its time and function are read
    /// from fields of no known meaning.
    pub wrapped: bool,
    /// It corrects the ending of an earlier invocation: nothing else of it counts again.
    pub amends: bool,
    /// It is a start that failed, and not an invocation: `init_ms` or `restore_ms` is how long it took until then.
    pub failed_start: bool,
}

impl Observation {
    /// Whether the invocation waited for a start: init, or a restore from a snapshot.
    pub(crate) const fn has_started(&self) -> bool {
        !self.failed_start && (self.init_ms.is_some() || self.restore_ms.is_some())
    }
}

/// Names an environment by its log stream: the first 64 bits of the SHA-256 of the stream's name.
pub fn environment_of_stream(log_stream: &str) -> EnvId {
    EnvId(first_64_bits(log_stream))
}

/// The first 64 bits of a text's SHA-256.
pub fn first_64_bits(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    let first = digest.iter().take(8);
    first.fold(0, |bits, byte| (bits << 8) | u64::from(*byte))
}

/// The version in a log stream's name, as in `2023/06/02/[72]88ab…` or `…/[$LATEST]88ab…`.
pub fn version_of_stream(log_stream: &str) -> Option<&str> {
    let (_, version) = bracketed(log_stream)?;
    let number = (1..=20).contains(&version.len()) && version.bytes().all(|b| b.is_ascii_digit());
    (number || version == LATEST).then_some(version)
}

/// The function's name in a log stream's name: functions that log to a group of their own choice
/// have it there, as in `2023/06/02/checkout[72]88ab…`.
pub fn function_of_stream(log_stream: &str) -> Option<&str> {
    version_of_stream(log_stream)?;
    let (name, _) = bracketed(log_stream)?;
    (!name.is_empty()).then_some(name)
}

fn bracketed(log_stream: &str) -> Option<(&str, &str)> {
    let (_, last) = log_stream.rsplit_once('/')?;
    let (name, rest) = last.split_once('[')?;
    let (version, _) = rest.split_once(']')?;
    Some((name, version))
}

/// Evidence of what a function used, or an outcome of a recommendation.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// A record of this product's own streams.
    Record(Box<Record>),
    /// One invocation from a log or a telemetry event.
    Observation(Observation),
    /// What another tool found out about sizes, from a file: it changes no decision.
    Comparison(Box<Comparison>),
}

/// What a source makes of one entry: a line, a log event, a telemetry event or a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// It is evidence.
    Evidence {
        /// Line of the input it begins on, from 1.
        line: u64,
        /// Its content.
        evidence: Evidence,
    },
    /// It is none and need not be: `START` lines, an application's own log lines, other events.
    Ignored,
    /// It should have been evidence, but cannot be used.
    Refused {
        /// Line of the input it begins on, from 1.
        line: u64,
        /// What is wrong, with the figures.
        reason: String,
        /// How it begins.
        sample: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";

    #[test]
    fn a_key_is_an_arn_or_a_local_name() {
        for (text, shown, name, has_arn) in [
            (ARN, ARN, "checkout", true),
            ("checkout", "local:checkout", "checkout", false),
            ("local:checkout", "local:checkout", "checkout", false),
            (
                "local:123456789012/checkout",
                "local:123456789012/checkout",
                "checkout",
                false,
            ),
            (
                "eu-west-1/checkout",
                "local:eu-west-1/checkout",
                "checkout",
                false,
            ),
            ("/shop/all", "local:/shop/all", "/shop/all", false),
            ("shop/all", "local:shop/all", "shop/all", false),
        ] {
            let key = FunctionKey::parse(text).unwrap();
            assert_eq!(key.to_string(), shown);
            assert_eq!(key.name(), name);
            assert_eq!(key.arn().is_some(), has_arn);
            assert_eq!(FunctionKey::parse(&key.to_string()).unwrap(), key);
        }
        for text in [
            "",
            "local:",
            "a\nb",
            "local:a\u{202e}b",
            "\u{200b}\u{2060}",
            "arn:aws:s3:::bucket",
            &format!("{ARN}:live"),
        ] {
            assert!(FunctionKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn accounts_and_regions_are_known_by_their_form() {
        for region in [
            "eu-central-1",
            "us-gov-west-1",
            "us-iso-east-1",
            "cn-north-1",
        ] {
            assert!(is_region(region), "{region}");
        }
        for other in [
            "",
            "eu",
            "eu-1",
            "shop-west-1",
            "eu-west-",
            "eu--1",
            "eu-west-1a",
        ] {
            assert!(!is_region(other), "{other}");
        }
        assert!(is_account("123456789012"));
        assert!(!is_account("12345678901x") && !is_account("1234567890123"));
    }

    #[test]
    fn a_file_is_named_after_its_function() {
        for (file, name) in [
            ("a.jsonl", "a"),
            ("checkout.json.gz", "checkout"),
            ("checkout", "checkout"),
            ("1.2.txt", "1.2"),
            ("a.tar", "a.tar"),
        ] {
            assert_eq!(FunctionKey::of_file(file).function_name(), name);
        }
    }

    #[test]
    fn any_file_name_makes_a_key() {
        assert_eq!(FunctionKey::of_file("a.jsonl").to_string(), "local:a.jsonl");
        assert_eq!(FunctionKey::of_file("").to_string(), "local:unnamed");
        assert_eq!(FunctionKey::of_file("a\u{202e}b").to_string(), "local:a_b");
        let odd = FunctionKey::of_file(&"\u{1}\u{10ffff}".repeat(500)).to_string();
        assert!(FunctionKey::parse(&odd).is_ok());
    }

    #[test]
    fn the_version_stands_in_the_log_stream() {
        for (stream, version, name) in [
            ("2023/06/02/[72]88ab219a", Some("72"), None),
            ("2023/06/02/[$LATEST]88ab219a", Some("$LATEST"), None),
            (
                "2023/06/02/checkout[7]88ab219a",
                Some("7"),
                Some("checkout"),
            ),
            ("2023/06/02/[live]88ab", None, None),
            ("2023/06/02/checkout[live]88ab", None, None),
            ("app", None, None),
        ] {
            assert_eq!(version_of_stream(stream), version, "{stream}");
            assert_eq!(function_of_stream(stream), name, "{stream}");
        }
    }

    #[test]
    fn an_environment_is_named_by_its_stream() {
        // printf abc | sha256sum: ba7816bf8f01cfea…
        assert_eq!(environment_of_stream("abc").to_string(), "ba7816bf8f01cfea");
    }
}
