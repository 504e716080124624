//! New accounts: without the service role of ECS, with a small quota of Lambda, and with a VPC of several kinds of
//! subnets.

use anyhow::{Context as _, Result};

use crate::stage::{Stage, words_of};

/// ECS assumes its role with the first cluster; a role that is created then is too late.
#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_ecs_is_made_before_the_stack() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let folder = stage.folder.path().display().to_string();
    let absent = format!(
        "[ -f {folder}/role ] || {{ echo 'An error occurred (NoSuchEntity)' >&2; exit 254; }}"
    );
    stage.intercept("*iam get-role --role-name AWSServiceRoleForECS*", &absent)?;
    let make = format!("echo role >>{folder}/order; touch {folder}/role; exit");
    stage.also(
        "*iam create-service-linked-role --aws-service-name ecs.amazonaws.com*",
        &make,
    )?;
    for (pattern, step) in [
        ("*create-change-set*", "plan"),
        ("*execute-change-set*", "stack"),
    ] {
        stage.also(pattern, &format!("echo {step} >>{folder}/order"))?;
    }

    let plan = stage.made(&["deploy", "STACK=rz"]).await?;
    assert!(plan.contains("the role AWSServiceRoleForECS"), "{plan}");
    let order = || std::fs::read_to_string(stage.folder.path().join("order"));
    assert_eq!(order()?, "plan\n", "a plan makes no role");
    let done = stage.made(&["deploy", "STACK=rz", "YES=1"]).await?;
    assert!(done.contains("rz is there"), "{done}");
    assert_eq!(order()?, "plan\nplan\nrole\nstack\n");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_quota_is_seen_and_nothing_is_reserved_of_it() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let limits = r#"echo '{"AccountLimit": {"UnreservedConcurrentExecutions": 10}}'; exit"#;
    stage.intercept("*lambda get-account-settings*", limits)?;
    let done = stage.made(&["deploy", "STACK=rz", "YES=1"]).await?;
    assert!(
        done.contains("ReservedConcurrency=, for 10 concurrent executions"),
        "{done}"
    );
    let found = stage.account(&["stack", "rz"]).await?;
    let updater = found.as_array().into_iter().flatten();
    let mut updater = updater.filter(|r| r["logical"] == "Updater");
    let updater = updater.next().context("no updater")?;
    assert_eq!(
        updater["found"]["reserved"],
        serde_json::Value::Null,
        "{updater}"
    );

    let asked = ["deploy", "STACK=ra", "OPTIONS=ReservedConcurrency=1"];
    let refused = stage.make(&asked).await?;
    assert!(!refused.status.success());
    let text = words_of(&refused);
    assert!(
        text.contains("nothing can be reserved for the updater"),
        "{text}"
    );
    Ok(())
}

/// A task in an unsuitable subnet hangs, perhaps only when it is restarted weeks later.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_vpc_only_subnets_of_one_kind_are_taken() -> Result<()> {
    let stage = Stage::set().await?;
    stage.made(&["package"]).await?;
    let made = stage.account(&["network"]).await?;
    let name = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
    let [vpc, public, private, isolated] = ["vpc", "public", "private", "isolated"].map(name);
    let vpc = format!("VPC={vpc}");

    let plan = stage.made(&["deploy", "STACK=rz", &vpc]).await?;
    let chosen = format!(" {public}, AssignPublicIp=ENABLED");
    assert!(plan.contains(&chosen), "{plan}");
    assert!(
        !plan.contains(&private) && !plan.contains(&isolated),
        "{plan}"
    );
    let behind = "OPTIONS=AssignPublicIp=DISABLED";
    let plan = stage.made(&["deploy", "STACK=rz", &vpc, behind]).await?;
    let chosen = format!(" {private}, AssignPublicIp=DISABLED");
    assert!(plan.contains(&chosen), "{plan}");

    let subnets = format!("SUBNETS={isolated}");
    let plan = stage.made(&["deploy", "STACK=rz", &vpc, &subnets]).await?;
    assert!(
        plan.contains("they need these endpoints: ecr.api"),
        "{plan}"
    );
    let subnets = format!("SUBNETS={public}");
    let refused = stage
        .make(&["deploy", "STACK=rz", &vpc, &subnets, behind])
        .await?;
    let text = words_of(&refused);
    assert!(
        text.contains("reaches nothing from a public subnet"),
        "{text}"
    );
    Ok(())
}
