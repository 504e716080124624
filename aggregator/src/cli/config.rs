//! `rightsizer config`: each setting with its source, to explain why a command behaves differently in another folder
//! or shell.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use rightsizer_records::shown::shown;

use super::form::FormArgs;
use super::{ConfigArg, StoreArg, out, write_json};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    form: FormArgs,
}

/// Variables of the product and of AWS that commands obey.
const VARIABLES: [&str; 13] = [
    "RIGHTSIZER_ACCEPT",
    "RIGHTSIZER_CONFIG",
    "RIGHTSIZER_LOG",
    "RIGHTSIZER_LOG_FORMAT",
    "RIGHTSIZER_MODE",
    "RIGHTSIZER_REVIEW_TOKEN",
    "RIGHTSIZER_SERVER",
    "RIGHTSIZER_SNAPSHOT",
    "RIGHTSIZER_STORE",
    "RIGHTSIZER_TOKEN",
    "RIGHTSIZER_UPDATER",
    "AWS_PROFILE",
    "AWS_REGION",
];
/// Those of them whose values are secret: an address of a server contains its token.
const SECRET: [&str; 3] = [
    "RIGHTSIZER_REVIEW_TOKEN",
    "RIGHTSIZER_SERVER",
    "RIGHTSIZER_TOKEN",
];

/// A setting that is in force, and where it comes from.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
struct Line {
    from: String,
    name: String,
    value: String,
}

pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    // Whatever is wrong with the file is reported as `serve` would.
    Settings::load(args.config.config.as_deref())?;
    let here = Path::new("rightsizer.toml");
    let file = args
        .config
        .config
        .as_deref()
        .or(here.exists().then_some(here));
    let mut lines = Vec::new();
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the settings file {}", file.display()))?;
        lines.extend(of_file(
            &file.display().to_string(),
            &toml::from_str(&text)?,
        ));
    }
    lines.extend(of_environment(|name| std::env::var(name).ok()));
    let store = &args.store.store;
    let exists = if store.exists() { "" } else { " (missing)" };
    let store = std::path::absolute(store).unwrap_or_else(|_| store.clone());
    let store = format!("{}{exists}", store.display());
    if args.form.is_json() {
        let file = file.map(|file| file.display().to_string());
        let all = serde_json::json!({"store": store, "settings_file": file, "set": lines});
        write_json(&all, &mut out::stdout())?;
        return Ok(ExitCode::SUCCESS);
    }
    out::line(format_args!("store          {store}"))?;
    let named = file.map_or_else(
        || "none (rightsizer.toml in this folder)".to_owned(),
        |f| f.display().to_string(),
    );
    out::line(format_args!("settings file  {named}"))?;
    for Line { from, name, value } in &lines {
        out::line(format_args!(
            "{}",
            shown(&format!("{from:<14} {name} = {value}"))
        ))?;
    }
    out::line(format_args!(
        "everything else has its default (docs/CONFIGURE.md)"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The keys of a settings file, as `section.key`.
fn of_file(file: &str, settings: &toml::Table) -> Vec<Line> {
    let mut lines = Vec::new();
    for (section, value) in settings {
        let line = |name: String, value: &toml::Value| Line {
            from: file.to_owned(),
            name,
            value: value.to_string(),
        };
        match value {
            toml::Value::Table(keys) => {
                lines.extend(
                    keys.iter()
                        .map(|(key, value)| line(format!("{section}.{key}"), value)),
                );
            }
            value => lines.push(line(section.clone(), value)),
        }
    }
    lines
}

/// The variables that are set. Secret ones are not shown.
fn of_environment(read: impl Fn(&str) -> Option<String>) -> Vec<Line> {
    let set = VARIABLES
        .iter()
        .filter_map(|name| Some((*name, read(name)?)));
    set.map(|(name, value)| Line {
        from: "environment".to_owned(),
        name: name.to_owned(),
        value: if SECRET.contains(&name) {
            "(set, not shown)".to_owned()
        } else {
            value
        },
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_shown_but_no_secret() {
        let settings: toml::Table =
            toml::from_str("[policy]\nbuffer_mb = 50\n[window]\ncadence = \"daily\"").unwrap();
        let file = of_file("rightsizer.toml", &settings);
        let shown = |lines: &[Line]| {
            let lines = lines
                .iter()
                .map(|line| format!("{}={}", line.name, line.value));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&file),
            ["policy.buffer_mb=50", "window.cadence=\"daily\""]
        );
        let environment = of_environment(|name| match name {
            "RIGHTSIZER_SERVER" => Some("http://localhost:8750/t0ken".to_owned()),
            "AWS_PROFILE" => Some("dev".to_owned()),
            _ => None,
        });
        assert_eq!(
            shown(&environment),
            ["RIGHTSIZER_SERVER=(set, not shown)", "AWS_PROFILE=dev"]
        );
    }
}
