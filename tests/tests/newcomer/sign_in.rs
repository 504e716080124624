//! Signing in as people do, each way against its endpoint; an ended session names the command that begins
//! a new one.

use crate::laptop::{Laptop, write};

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_profile_signs_in() {
    let laptop = Laptop::open().await;
    laptop.login_until("2099-01-01T00:00:00Z");
    for (profile, key) in [
        ("corp", "SSO"),
        ("deploy", "ROLE"),
        ("console", "LOGIN"),
        ("program", "PROGRAM"),
        ("keys", "KEYS"),
    ] {
        laptop.import(&["--profile", profile], &[]).await.unwrap();
        assert_eq!(laptop.keys(), [key], "--profile {profile}");
        // The same by the variable that every tool of AWS knows.
        laptop
            .import(&[], &[("AWS_PROFILE", profile)])
            .await
            .unwrap();
        assert_eq!(laptop.keys(), [key], "AWS_PROFILE={profile}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_signs_in_without_a_profile() {
    let laptop = Laptop::open().await;
    let url = laptop.endpoints.url.clone();
    let container = format!("{url}/container");
    let token = laptop.home.path().join("token");
    write(&token, "web-token");
    let token = token.to_str().unwrap();
    let role = "arn:aws:iam::123456789012:role/pod";
    for (more, key) in [
        (
            vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str()),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "t0ken"),
            ],
            "CONTAINER",
        ),
        (
            vec![
                ("AWS_EC2_METADATA_DISABLED", "false"),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()),
            ],
            "INSTANCE",
        ),
        (
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", token),
                ("AWS_ROLE_ARN", role),
            ],
            "WEB",
        ),
    ] {
        laptop.import(&[], &more).await.unwrap();
        assert_eq!(laptop.keys(), [key]);
    }
}

/// The option comes first, then the profile, then the environment; roles are assumed there too.
#[tokio::test(flavor = "multi_thread")]
async fn the_region_is_the_one_that_is_named_closest() {
    let laptop = Laptop::open().await;
    let elsewhere = [("AWS_DEFAULT_REGION", "us-west-2")];
    for (arguments, more, region) in [
        (&["--profile", "corp"][..], &[][..], "eu-west-1"),
        (
            &["--profile", "corp", "--region", "us-east-2"],
            &[],
            "us-east-2",
        ),
        (&["--profile", "deploy-by-keys"], &[], "eu-central-1"),
        (
            &["--profile", "deploy-by-keys", "--region", "us-east-2"],
            &[],
            "us-east-2",
        ),
        // The name that older tools know.
        (&["--profile", "deploy-by-keys"], &elsewhere, "us-west-2"),
    ] {
        laptop.import(arguments, more).await.unwrap();
        assert_eq!(laptop.regions(), [region], "{arguments:?}");
        for call in laptop.asked() {
            let of_sts = call.contains("Action=AssumeRole");
            assert!(
                !of_sts || call.ends_with(&format!(" in {region}")),
                "{arguments:?}: {call}"
            );
        }
    }
}

/// As in every tool of AWS, keys of the environment win over a profile that only the environment names.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_environment_need_no_code() {
    let laptop = Laptop::open().await;
    let keys = [
        ("AWS_ACCESS_KEY_ID", "ENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_PROFILE", "mfa"),
    ];
    laptop.import(&[], &keys).await.unwrap();
    assert_eq!(laptop.keys(), ["ENVIRONMENT"]);
    assert_eq!(laptop.asked(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_a_device_is_assumed_as_its_profile_describes() {
    let laptop = Laptop::open().await;
    let arguments = ["--profile", "mfa-long", "--region", "us-east-2"];
    let code = [("RIGHTSIZER_MFA_CODE", "123456")];
    laptop.import(&arguments, &code).await.unwrap();
    assert_eq!(laptop.keys(), ["ROLE"]);
    let asked = laptop.asked();
    let roles: Vec<&String> = asked
        .iter()
        .filter(|call| call.contains("Action=AssumeRole"))
        .collect();
    // The role of its source, and its own.
    assert_eq!(roles.len(), 2, "{asked:?}");
    assert!(
        roles.iter().all(|call| call.ends_with(" in us-east-2")),
        "{roles:?}"
    );
    for wanted in [
        "ExternalId=partner-7",
        "RoleSessionName=reviewer",
        "DurationSeconds=3600",
    ] {
        assert!(roles[1].contains(wanted), "{wanted}: {}", roles[1]);
    }
}

/// A new session would not help: the hint names what would.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_role_is_not_an_ended_session() {
    let laptop = Laptop::open().await;
    let message =
        "User: arn:aws:iam::1:user/a is not authorized to perform: sts:AssumeRole on resource: x";
    laptop.endpoints.seen().no_role = Some(("AccessDenied", message));
    let refused = async |arguments: &[&str], more: &[(&str, &str)]| {
        let words = laptop
            .import(arguments, more)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            !words.contains("sign in again") && !words.contains(" { "),
            "{words}"
        );
        words
    };
    let words = refused(&["--profile", "deploy"], &[]).await;
    assert!(
        words.contains("AccessDenied: User: arn:aws:iam::1:user/a is not authorized"),
        "{words}"
    );
    assert!(
        words.contains("hint: allow sts:AssumeRole on arn:aws:iam::123456789012:role/deploy"),
        "{words}"
    );
    laptop.endpoints.seen().no_access = true;
    let words = refused(&["--profile", "corp"], &[]).await;
    assert!(
        words.contains("hint: you may not use the role reader in the account 123456789012"),
        "{words}"
    );
    // Nothing listens there.
    let nowhere = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1")];
    let words = refused(&["--profile", "corp"], &nowhere).await;
    assert!(
        words.contains("hint: nothing responded: check the region"),
        "{words}"
    );
}

/// A code works once, so a command asks for it once, however many services it calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_a_device_wants_its_code() {
    let laptop = Laptop::open().await;
    let profile = ["--profile", "mfa"];
    laptop
        .import(&profile, &[("RIGHTSIZER_MFA_CODE", "123456")])
        .await
        .unwrap();
    assert_eq!(laptop.keys(), ["ROLE"]);
    let asked = laptop.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("SerialNumber=arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Fa"));

    let wrong = laptop
        .import(&profile, &[("RIGHTSIZER_MFA_CODE", "000000")])
        .await;
    let wrong = wrong.unwrap_err().to_string();
    assert!(wrong.contains("invalid MFA one time pass code"), "{wrong}");
    let without = laptop.import(&profile, &[]).await;
    let without = without.unwrap_err().to_string();
    assert!(
        without.contains("aws configure export-credentials --profile mfa"),
        "{without}"
    );
    assert_eq!(laptop.keys(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_names_the_command_that_begins_a_new_one() {
    let laptop = Laptop::open().await;
    laptop.login_until("2020-01-01T00:00:00Z");
    for (profile, hint) in [
        (
            "ended",
            "hint: sign in again: aws sso login --profile ended\n",
        ),
        (
            "console",
            "hint: sign in again: aws login --profile console\n",
        ),
        (
            "broken-program",
            "hint: run the credential_process of the profile \"broken-program\"",
        ),
        (
            "prod",
            "error: there is no profile \"prod\" in the AWS configuration\nhint: there are broken-program, console, corp",
        ),
    ] {
        let words = laptop
            .import(&["--profile", profile], &[])
            .await
            .unwrap_err()
            .to_string();
        assert!(words.contains(hint), "{profile}: {words}");
        // Nothing of the SDK's own structures.
        assert!(
            words.lines().count() <= 3 && !words.contains(" { "),
            "{words}"
        );
    }
    let asked = laptop.asked();
    assert!(
        asked.iter().any(|call| call.starts_with("POST /v1/token ")),
        "{asked:?}"
    );
    assert_eq!(laptop.keys(), Vec::<String>::new());
}

/// Keys that ended meanwhile are not a missing permission.
#[tokio::test(flavor = "multi_thread")]
async fn expired_keys_are_called_expired() {
    let laptop = Laptop::open().await;
    laptop.endpoints.seen().refusal = Some("ExpiredTokenException");
    let words = laptop
        .import(&["--profile", "corp"], &[])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        words.contains("hint: the credentials have expired: aws sso login --profile corp\n"),
        "{words}"
    );
    assert!(!words.contains("--print-policy"), "{words}");
    let words = laptop
        .import(&["--profile", "keys"], &[])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        words.contains("hint: the credentials have expired; get new ones"),
        "{words}"
    );
}
