//! Reads settings from environment variables. Pure: the variables are an argument.
//!
//! Lambda sets the addresses of its APIs and the function's name. The user sets these, of which
//! only the stream is required: `RIGHTSIZER_STREAM` (name or ARN), `RIGHTSIZER_ENDPOINT` (instead
//! of AWS's own; may be `http://` and may carry a token in its path), `RIGHTSIZER_FLUSH_SECONDS`,
//! `RIGHTSIZER_LOG` (`debug` for more). An invalid setting gives a warning and its default is used,
//! because an extension that exits fails the function.

use rightsizer_records::{Arch, ArnError, FunctionArn, InitType, Megabytes, Partition};

use crate::credentials::Source;
use crate::endpoint::Endpoint;
use crate::journal::{Limits, Place};
use crate::target::Target;

/// The longest a row may wait, by event time. A longer wait loses more if an environment is
/// killed.
const MOST_FLUSH_SECONDS: i64 = 3600;
/// The account in an ARN if it is not known, as on a laptop.
const NO_ACCOUNT: &str = "000000000000";

/// Everything that is set from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Host and port of the Extensions API; `None` outside Lambda.
    pub runtime_api: Option<String>,
    /// The stream that receives records; `None` if there is nothing to do.
    pub stream: Option<Target>,
    /// When to send.
    pub limits: Limits,
    /// Whether to log more.
    pub debug: bool,
    /// How this environment came to be.
    pub init: Option<InitType>,
    /// What was wrong with the settings, for the user.
    pub warnings: Vec<String>,
    region: String,
    name: String,
    version: String,
    memory_mb: Option<Megabytes>,
}

impl Config {
    /// Reads the variables through `get`. Never fails: see [`Config::warnings`].
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            get(name)
                .map(|v| v.trim().to_owned())
                .filter(|v| !v.is_empty())
        };
        let region = get("AWS_REGION")
            .or(get("AWS_DEFAULT_REGION"))
            .unwrap_or_default();
        let mut warnings = Vec::new();
        let limits = Limits {
            flush_ms: flush_ms(get("RIGHTSIZER_FLUSH_SECONDS"), &mut warnings),
            ..Limits::default()
        };
        Self {
            runtime_api: get("AWS_LAMBDA_RUNTIME_API"),
            stream: target(&get, &region, &mut warnings),
            limits,
            debug: get("RIGHTSIZER_LOG").is_some_and(|level| level.eq_ignore_ascii_case("debug")),
            init: get("AWS_LAMBDA_INITIALIZATION_TYPE").map(|init| init_type(&init)),
            warnings,
            name: get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            version: get("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or_else(|| "$LATEST".to_owned()),
            memory_mb: get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
                .and_then(|mb| mb.parse().ok())
                .filter(|mb| *mb > 0)
                .map(Megabytes),
            region,
        }
    }

    /// Returns the fields that every record has. `account` comes with the registration; `arch` is
    /// what this binary was built for. Returns the reason if the function's variables do not form
    /// an ARN.
    pub fn place(&self, account: Option<&str>, arch: &str) -> Result<Place, ArnError> {
        let partition = Partition::of_region(&self.region).name;
        let account = account.unwrap_or(NO_ACCOUNT);
        let function = FunctionArn::new(partition, &self.region, account, &self.name);
        Ok(Place {
            function: function?,
            version: self.version.clone(),
            memory_mb: self.memory_mb,
            arch: Some(match arch {
                "aarch64" => Arch::Arm64,
                other => Arch::from_name(other),
            }),
            runtime: None,
            init: self.init,
        })
    }
}

fn target(
    get: &impl Fn(&str) -> Option<String>,
    region: &str,
    warnings: &mut Vec<String>,
) -> Option<Target> {
    let Some(stream) = get("RIGHTSIZER_STREAM") else {
        warnings.push(
            "RIGHTSIZER_STREAM is not set: nothing is reported. Set it to the name or ARN of the \
             reports stream, or remove the layer."
                .to_owned(),
        );
        return None;
    };
    let endpoint = [
        "RIGHTSIZER_ENDPOINT",
        "AWS_ENDPOINT_URL_KINESIS",
        "AWS_ENDPOINT_URL",
    ];
    let endpoint = endpoint.into_iter().find_map(get);
    if let Some(url) = &endpoint
        && Endpoint::parse(url).is_none()
    {
        // The value may hold a token, so it is not repeated here.
        warnings.push(
            "RIGHTSIZER_ENDPOINT is not an http:// or https:// URL, so nothing is reported."
                .to_owned(),
        );
        return None;
    }
    let of_arn = stream
        .strip_prefix("arn:")
        .and_then(|arn| arn.split(':').nth(2));
    Some(Target {
        region: of_arn.unwrap_or(region).to_owned(),
        stream,
        endpoint,
        ca_bundle: get("AWS_CA_BUNDLE").or(get("SSL_CERT_FILE")),
        credentials: Source::read(get, warnings),
    })
}

fn flush_ms(setting: Option<String>, warnings: &mut Vec<String>) -> i64 {
    let default_ms = Limits::default().flush_ms;
    let Some(text) = setting else {
        return default_ms;
    };
    if let Ok(seconds @ 1..=MOST_FLUSH_SECONDS) = text.parse::<i64>() {
        return seconds * 1000;
    }
    warnings.push(format!(
        "RIGHTSIZER_FLUSH_SECONDS is {text:?}, expected 1 to {MOST_FLUSH_SECONDS}; using {}.",
        default_ms / 1000
    ));
    default_ms
}

fn init_type(name: &str) -> InitType {
    match name {
        "on-demand" => InitType::OnDemand,
        "provisioned-concurrency" => InitType::ProvisionedConcurrency,
        "snap-start" => InitType::SnapStart,
        "lambda-managed-instances" => InitType::LambdaManagedInstances,
        _ => InitType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &[(&str, &str)]) -> Config {
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", "checkout"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "7"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"),
        ];
        let find = |name: &str| more.iter().chain(&lambda).find(|(n, _)| *n == name);
        Config::read(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn what_lambda_sets_makes_the_place() {
        let place = read(&[]).place(Some("123456789012"), "aarch64").unwrap();
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";
        assert_eq!(place.function.as_str(), arn);
        assert_eq!(
            (place.version.as_str(), place.memory_mb),
            ("7", Some(Megabytes(1024)))
        );
        assert_eq!(
            (place.arch, place.init),
            (Some(Arch::Arm64), Some(InitType::SnapStart))
        );
        for (region, partition) in [
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let place = read(&[("AWS_REGION", region)]).place(None, "x86_64");
            let arn = format!("arn:{partition}:lambda:{region}:000000000000:function:checkout");
            assert_eq!(place.unwrap().function.as_str(), arn);
        }
    }

    #[test]
    fn with_no_stream_there_is_nothing_to_do_and_one_warning() {
        let config = read(&[]);
        assert_eq!((config.stream.as_ref(), config.warnings.len()), (None, 1));
    }

    #[test]
    fn a_stream_by_arn_has_its_own_region_and_the_own_endpoint_wins() {
        let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/reports";
        let config = read(&[
            ("RIGHTSIZER_STREAM", arn),
            ("RIGHTSIZER_ENDPOINT", "http://127.0.0.1:1/token"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:2"),
        ]);
        let target = config.stream.unwrap();
        assert_eq!(
            (target.region.as_str(), target.is_arn()),
            ("us-east-1", true)
        );
        assert_eq!(target.endpoint.as_deref(), Some("http://127.0.0.1:1/token"));
    }

    #[test]
    fn a_senseless_setting_is_named_and_its_default_holds() {
        for bad in ["0", "-1", "soon", "1e9"] {
            let config = read(&[
                ("RIGHTSIZER_STREAM", "s"),
                ("RIGHTSIZER_FLUSH_SECONDS", bad),
            ]);
            assert_eq!(config.limits, Limits::default());
            assert!(config.warnings[0].contains("RIGHTSIZER_FLUSH_SECONDS"));
        }
        let secret = "ftp://x/secret";
        let config = read(&[("RIGHTSIZER_STREAM", "s"), ("RIGHTSIZER_ENDPOINT", secret)]);
        assert_eq!(config.stream, None);
        assert!(!config.warnings[0].contains("secret"));
    }
}
