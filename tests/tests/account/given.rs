//! What a person writes into the variables of `make deploy`.

use anyhow::Result;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::stage::{Stage, tool, words_of};

/// Make expands a `$` and a shell reads quotes: neither may see what a person gives.
#[tokio::test(flavor = "multi_thread")]
async fn odd_values_are_refused_or_passed_on_and_never_executed() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let before = stage.account(&["all"]).await?;
    let touched = stage.folder.path().join("touched");
    let touch = format!("touch {}", touched.display());
    for (name, expected) in [
        ("OPTIONS", "OPTIONS takes NAME=VALUE, not "),
        ("TAGS", "TAGS takes NAME=VALUE, not "),
        ("VPC", "VPC takes one id such as "),
        ("SUBNETS", "SUBNETS takes ids such as "),
        ("STACK", "give the system a name: "),
    ] {
        for odd in [
            format!("$(shell {touch})"),
            format!("$({touch})"),
            format!("`{touch}`"),
            format!("\"; {touch}; \""),
            format!("a\n{touch}"),
        ] {
            let given = format!("{name}={odd}");
            let output = stage.make(&["deploy", "STACK=rz", "YES=1", &given]).await?;
            let text = words_of(&output);
            assert!(
                !output.status.success() && text.contains(expected),
                "{given}: {text}"
            );
            assert!(!touched.exists(), "{given} was executed");
        }
    }
    for (given, expected) in [
        (
            "OPTIONS=Mode=Auto",
            "one of off, recommend, auto is allowed",
        ),
        (
            "OPTIONS=Writers=organisation",
            "CloudFormation refuses the change: ",
        ),
        ("TAGS=aws:team=a", "belong to AWS"),
    ] {
        // moto evaluates no rules of a template; CloudFormation answers this.
        stage.intercept(
            "*create-change-set*",
            "echo 'An error occurred (ValidationError): Writers=organisation needs OrganizationId' >&2; exit 254",
        )?;
        let output = stage.make(&["deploy", "STACK=rz", "YES=1", given]).await?;
        let text = words_of(&output);
        assert!(
            !output.status.success() && text.contains(expected),
            "{given}: {text}"
        );
    }
    assert_eq!(
        stage.account(&["all"]).await?,
        before,
        "something was changed"
    );
    Ok(())
}

/// The short form of the command line would split a value at a comma or an equals sign.
#[tokio::test(flavor = "multi_thread")]
async fn tags_arrive_as_they_are_given() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let tags = "TAGS=owner='A B' cost='a $(shell id) `id`'";
    let refused = words_of(&stage.make(&["deploy", "STACK=rz", tags]).await?);
    assert!(
        refused.contains("the value of cost contains $ ( ) `"),
        "{refused}"
    );
    let tags = "TAGS=owner='A B: c=d' team=Größe";
    stage.made(&["deploy", "STACK=rz", "YES=1", tags]).await?;
    let look =
        "cloudformation describe-stacks --stack-name rz --query Stacks[0].Tags --output json";
    let found = Command::new(tool("aws")?)
        .args(look.split(' '))
        .envs(stage.environment()?)
        .output()
        .await?;
    let mut found: Vec<Value> = serde_json::from_slice(&found.stdout)?;
    found.sort_by_key(|tag| tag["Key"].to_string());
    let wanted = json!([{"Key": "owner", "Value": "A B: c=d"}, {"Key": "team", "Value": "Größe"}]);
    assert_eq!(json!(found), wanted);
    Ok(())
}
