//! Every error of a record as the quarantine and the command line show it.

use rightsizer_records::{DecodeError, FunctionArn, Implausible, Timestamp};

#[test]
fn every_message_is_reviewed() {
    let arn = FunctionArn::parse("arn:aws:lambda:eu-central-1:123456789012:layer:x").unwrap_err();
    let time = Timestamp::parse("yesterday").unwrap_err();
    let decode = [
        DecodeError::TooLarge(1_048_577),
        DecodeError::NotARecord("expected value at line 1 column 1".into()),
        DecodeError::UnknownVersion(2),
        DecodeError::UnknownKind("report".into()),
        DecodeError::Invalid {
            kind: "reports",
            why: "missing field `env`".into(),
        },
    ];
    let implausible = [
        Implausible::UsedTooMuch {
            used: 6000,
            size: 512,
        },
        Implausible::UsedMore {
            used: 600,
            size: 512,
        },
        Implausible::Billed { ms: 4_000_000 },
    ];
    let mut text: Vec<String> = decode.iter().map(ToString::to_string).collect();
    text.extend(implausible.iter().map(ToString::to_string));
    text.extend([arn.to_string(), time.to_string()]);
    insta::assert_snapshot!(text.join("\n"));
}
