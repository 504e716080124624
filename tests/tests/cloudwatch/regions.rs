//! Two regions of one account, read one after the other into one store: real servers, real signatures.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rightsizer_tests::aggregator::{binary, rightsizer_with};
use rightsizer_tests::servers::{FaultProxy, MotoServer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::stage::{Group, Invocation, ago, client_in, stream};

/// The tests' own, and one in which Lambda costs more.
const HOME: &str = "eu-central-1";
const AWAY: &str = "af-south-1";

const LIST: &str = "DescribeLogGroups";

/// Functions of a region with their size; each was busy for an hour on three days.
async fn region(moto: &MotoServer, region: &'static str, functions: &[(&str, i32)]) {
    let lambda = aws_sdk_lambda::Client::from_conf(
        aws_sdk_lambda::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(region))
            .credentials_provider(Credentials::new("testing", "testing", None, None, "tests"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(moto.endpoint())
            .build(),
    );
    let logs = client_in(moto.endpoint(), region);
    for (name, size) in functions {
        let code = FunctionCode::builder().zip_file(Blob::new(b"PK"));
        let create = lambda.create_function().function_name(*name);
        let create = create.runtime(Runtime::Python312).handler("main.handle");
        let create = create.role("arn:aws:iam::123456789012:role/test-function");
        create
            .code(code.build())
            .memory_size(*size)
            .timeout(900)
            .send()
            .await
            .unwrap();
        let group = format!("/aws/lambda/{name}");
        let group = Group {
            client: &logs,
            name: &group,
        };
        group.create().await;
        for back in 1..=3 {
            let day = ago(back);
            let minute = Invocation {
                ms: 60_000.0,
                ..Invocation::ok(size.unsigned_abs(), 90)
            };
            group
                .day(day, &stream(day, "", "$LATEST"), &[minute; 60])
                .await;
        }
    }
}

struct Account {
    moto: MotoServer,
    folder: TempDir,
}

impl Account {
    async fn open() -> Self {
        let account = Self {
            moto: MotoServer::start().await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        region(&account.moto, HOME, &[("checkout", 1024), ("home", 512)]).await;
        region(&account.moto, AWAY, &[("checkout", 1024), ("away", 256)]).await;
        account
    }

    fn path(&self, name: &str) -> String {
        let path: &Path = &self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    /// `import cloudwatch` with [`HOME`] and other keys in the environment.
    async fn import(&self, more: &[&str]) -> (Output, Value) {
        let environment = self.environment(self.moto.endpoint());
        let store = self.path("store.db");
        let mut arguments = vec!["import", "cloudwatch", "--json", "--rate", "100", "--store"];
        arguments.push(&store);
        arguments.extend(more);
        let output = rightsizer_with(&arguments, &environment).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let json = serde_json::from_slice(&output.stdout).unwrap();
        (output, json)
    }

    fn environment(&self, endpoint: &str) -> Vec<(String, String)> {
        let config = self.path("config");
        let profile = format!(
            "[profile away]\nregion = {AWAY}\naws_access_key_id = OTHERKEY\n\
             aws_secret_access_key = testing\n"
        );
        std::fs::write(&config, profile).unwrap();
        [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_REGION", HOME),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_CONFIG_FILE", &config),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// `import cloudwatch --all-regions`. Once a few regions were read, the account refuses calls with `code`, and
    /// `then` happens.
    async fn ending(
        &self,
        code: &'static str,
        then: impl Fn(&Child),
    ) -> (Option<i32>, Value, String) {
        let proxy = FaultProxy::before(self.moto.endpoint()).await.unwrap();
        let mut command = Command::new(binary().unwrap());
        command.args([
            "import",
            "cloudwatch",
            "--json",
            "--rate",
            "100",
            "--all-regions",
            "--store",
        ]);
        command.arg(self.path("store.db"));
        command.envs(self.environment(proxy.endpoint()));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.kill_on_drop(true).spawn().unwrap();
        let until = Instant::now() + Duration::from_mins(1);
        while proxy.calls(LIST) < 3 {
            assert!(Instant::now() < until);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        proxy.always_refuse(LIST, code);
        let before = proxy.calls(LIST);
        while proxy.calls(LIST) < before + 1 {
            assert!(Instant::now() < until);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        then(&child);
        let output = child.wait_with_output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        (output.status.code(), json, text)
    }

    async fn run(&self, command: &[&str]) -> Output {
        let store = self.path("store.db");
        let mut arguments = command.to_vec();
        arguments.extend(["--store", &store]);
        rightsizer_with(&arguments, &[]).await.unwrap()
    }

    async fn list(&self) -> Vec<Value> {
        let output = self.run(&["list", "--json"]).await;
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:123456789012:function:{name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_are_one_fleet() {
    let account = Account::open().await;
    for (more, region) in [(&[][..], HOME), (&["--region", AWAY][..], AWAY)] {
        let (output, json) = account.import(more).await;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(&format!("in {region},")), "{stderr}");
        assert_eq!(json["functions"], 2, "{json}");
        assert_eq!(json["invocations"], 360, "{json}");
    }
    // What was read first is neither gone nor read again.
    account.import(&[]).await;
    let rows = account.list().await;
    let of = |function: String| rows.iter().find(|row| row["function"] == function.as_str());
    assert_eq!(rows.len(), 4, "{rows:?}");
    for (region, name) in [
        (HOME, "home"),
        (AWAY, "away"),
        (HOME, "checkout"),
        (AWAY, "checkout"),
    ] {
        let row = of(arn(region, name)).unwrap();
        assert_eq!((&row["seen"], &row["peak_mb"]), (&180.into(), &90.into()));
    }
    // 1 GB for 3 hours in three days is 30 hours a month: 108,000 s at $0.0000166667 and at $0.0000221.
    let month = |region| of(arn(region, "checkout")).unwrap()["monthly_usd_before"].as_f64();
    assert!((month(HOME).unwrap() - 1.80).abs() < 0.01, "{rows:?}");
    assert!((month(AWAY).unwrap() - 2.387).abs() < 0.01, "{rows:?}");

    let output = account.run(&["list"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    for row in [
        ["checkout", HOME],
        ["checkout", AWAY],
        ["home", HOME],
        ["away", AWAY],
    ] {
        let lines = text
            .lines()
            .filter(|line| line.split_whitespace().take(2).eq(row));
        assert_eq!(lines.count(), 1, "{row:?}\n{text}");
    }
    let sum = |key: &str| rows.iter().filter_map(|row| row[key].as_f64()).sum::<f64>();
    let (before, after) = (sum("monthly_usd_before"), sum("monthly_usd_after"));
    // How much CPU they use is unknown: at worst the smaller size takes as much longer as it is smaller.
    let total = format!(
        "4 functions: 4 over-provisioned, 0 under-provisioned, 0 at risk; $0.00 to {:.2} a month",
        before - after
    );
    assert!(text.contains(&total), "{total}\n{text}");
    assert!(
        text.contains(&format!(" on ${before:.2} a month")),
        "{text}"
    );

    let output = account.run(&["show", "checkout"]).await;
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    for region in [HOME, AWAY] {
        assert!(stderr.contains(&arn(region, "checkout")), "{stderr}");
    }
}

/// The profile that was asked for, with its region and its keys, and not the environment's.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_named_goes_before_the_environment() {
    let account = Account::open().await;
    account.import(&["--profile", "away"]).await;
    let mut found: Vec<_> = account.list().await;
    found.sort_by_key(|row| row["function"].to_string());
    let found: Vec<_> = found.iter().map(|row| row["function"].as_str()).collect();
    assert_eq!(
        found,
        [arn(AWAY, "away"), arn(AWAY, "checkout")]
            .each_ref()
            .map(|arn| Some(arn.as_str()))
    );
    account
        .import(&["--profile", "away", "--region", HOME])
        .await;
    assert_eq!(account.list().await.len(), 4);
}

/// One command reads every region that is enabled for the account, and does not mention regions without functions.
#[tokio::test(flavor = "multi_thread")]
async fn all_regions_are_read_by_one_command() {
    let account = Account::open().await;
    let (output, json) = account.import(&["--all-regions"]).await;
    let regions = json.as_array().unwrap();
    let invocations = regions.iter().map(|region| region["invocations"].as_u64());
    let busy: Vec<u64> = invocations.flatten().filter(|n| *n > 0).collect();
    assert_eq!(busy, [360, 360], "{json}");
    assert_eq!(account.list().await.len(), 4);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("nothing to read"), "{stderr}");

    let both = account.run(&["import", "cloudwatch", "--all-regions", "--region", HOME]);
    assert_eq!(both.await.status.code(), Some(2));
}

/// What was read is in the output and in the store, and the rest is named.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_ends_between_regions_names_what_was_not_read() {
    let interrupt = |child: &Child| {
        let id = i32::try_from(child.id().unwrap()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGINT).unwrap();
    };
    let cases = [
        ("ThrottlingException", true, 130, "interrupted by Ctrl-C"),
        ("ExpiredTokenException", false, 1, "ExpiredTokenException"),
    ];
    for (code, is_interrupted, exit, error) in cases {
        let account = Account::open().await;
        let then = |child: &Child| {
            if is_interrupted {
                interrupt(child);
            }
        };
        let (ended, json, text) = account.ending(code, then).await;
        assert_eq!(ended, Some(exit), "{text}");
        assert!(
            text.contains(". Not read: ") || text.contains("rightsizer: Not read: "),
            "{text}"
        );
        assert!(text.contains(&format!("{HOME}, ")), "{text}");
        assert!(
            text.contains("What was read is kept; run the same command to continue"),
            "{text}"
        );
        let regions = json.as_array().unwrap();
        assert_eq!(regions[0]["invocations"], 360, "{json}");
        let last = &regions[regions.len() - 1];
        assert!(last["error"].as_str().unwrap().contains(error), "{json}");
        assert_eq!(
            text.matches("ExpiredToken").count(),
            usize::from(exit == 1),
            "{text}"
        );
        assert_eq!(account.list().await.len(), 2, "those of {AWAY}");
        account.import(&["--all-regions"]).await;
        assert_eq!(account.list().await.len(), 4);
    }
}
