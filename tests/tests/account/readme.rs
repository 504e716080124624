//! Runs the README's "On your account" as a new user would: each command as written, in order, against the emulated
//! account, with the product that was built.

use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::stage::{Stage, root, words_of};

/// Returns the commands of a chapter of the README: the lines of its shell blocks.
fn commands(chapter: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(root().join("README.md"))?;
    let begin = text
        .find(&format!("\n## {chapter}\n"))
        .context("no such chapter")?;
    let text = &text[begin + 1..];
    let chapter = text[2..].find("\n## ").map_or(text, |end| &text[..end + 2]);
    let blocks = chapter.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect())
}

async fn shell(stage: &Stage, command: &str) -> Result<Output> {
    let store = stage.folder.path().join("rightsizer.db");
    let run = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(root())
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .envs(stage.environment()?)
        .env("RIGHTSIZER_STORE", store)
        .env("USER", "tester")
        .stdin(Stdio::null())
        .output();
    Ok(run.await?)
}

/// Creates a function and a recent log of it.
async fn live(stage: &Stage, name: &str) -> Result<()> {
    stage.moto.create_function(name, 1024, 3, &[]).await?;
    let report = "REPORT RequestId: 8f507cfc-0000-4000-8000-000000000001\\tDuration: 12.00 ms\\t\
                  Billed Duration: 12 ms\\tMemory Size: 1024 MB\\tMax Memory Used: 93 MB\\t";
    let put = format!(
        "group=/aws/lambda/{name}; stream='2026/01/31/[$LATEST]1234567890abcdef'; \
         aws logs create-log-group --log-group-name $group; \
         aws logs create-log-stream --log-group-name $group --log-stream-name \"$stream\"; \
         aws logs put-log-events --log-group-name $group --log-stream-name \"$stream\" \
         --log-events timestamp=$(date -d '2 hours ago' +%s000),message=$'\"{report}\"'"
    );
    let done = shell(stage, &put).await?;
    ensure!(done.status.success(), "{}", words_of(&done));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_command_of_the_readme_works_in_its_order() -> Result<()> {
    let stage = Stage::set().await?;
    live(&stage, "checkout").await?;
    let commands = commands("On your account")?;
    for wanted in [
        "import cloudwatch",
        "make package",
        "YES=1",
        "rightsizer attach",
        "rightsizer list",
        "make undeploy",
    ] {
        ensure!(
            commands.iter().any(|c| c.contains(wanted)),
            "README lacks {wanted}"
        );
    }
    for command in &commands {
        // Here nobody calls the functions, so there is nothing to wait for after a wave.
        let at_once = command.replace("rightsizer attach", "rightsizer attach --settle 0");
        let done = shell(&stage, &at_once).await?;
        println!("$ {command}\n{}", words_of(&done));
        ensure!(done.status.success(), "{command}\n{}", words_of(&done));
        if command.contains("rightsizer attach") {
            let changed = command.ends_with("--yes");
            assert_eq!(
                layers(&stage, "checkout").await?,
                usize::from(changed),
                "{command}"
            );
        }
    }
    assert_eq!(layers(&stage, "checkout").await?, 0);
    let left = stage.account(&["all"]).await?;
    assert_eq!(left["streams"], serde_json::Value::Null, "{left}");
    assert_eq!(left["functions"], serde_json::json!(["checkout"]), "{left}");
    Ok(())
}

async fn layers(stage: &Stage, function: &str) -> Result<usize> {
    let read = stage.moto.lambda().get_function_configuration();
    let read = read.function_name(function).send().await?;
    Ok(read.layers().len())
}
