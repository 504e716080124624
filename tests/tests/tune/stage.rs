//! An account with functions that follow curves, and the command in it.

use std::process::{Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rightsizer_tests::aggregator::{binary, rightsizer_with};
use rightsizer_tests::servers::{Behaviour, FaultLambda, FaultServer, aws_environment};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// An account, and a folder that the command runs in.
pub(crate) struct Stage {
    pub(crate) server: FaultServer,
    pub(crate) folder: TempDir,
    pub(crate) environment: Vec<(String, String)>,
}

impl Stage {
    /// An account with the function `checkout` of 1024 MB.
    pub(crate) async fn open() -> Self {
        let server = FaultLambda::default().serve().await.unwrap();
        let services = [
            "LAMBDA",
            "RESOURCE_GROUPS_TAGGING_API",
            "CLOUDWATCH_LOGS",
            "IAM",
            "S3",
        ];
        let environment = services
            .into_iter()
            .flat_map(|service| aws_environment(service, server.endpoint()))
            .collect();
        let stage = Self {
            server,
            folder: TempDir::new().unwrap(),
            environment,
        };
        stage.create("checkout", &json!({}));
        stage
    }

    pub(crate) fn lambda(&self) -> &FaultLambda {
        self.server.lambda()
    }

    /// Makes a function with these fields beside the usual ones; its code is its name.
    pub(crate) fn create(&self, name: &str, more: &Value) {
        let mut body = json!({
            "FunctionName": name, "MemorySize": 1024, "Timeout": 30, "Runtime": "python3.12",
            "Handler": "main.handle", "Role": "arn:aws:iam::123456789012:role/shop", "Architectures": ["arm64"],
            "Tags": {"team": "shop"}, "Code": {"ZipFile": format!("code of {name}")},
            "Environment": {"Variables": {"TABLE": "orders"}},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        self.lambda().create(&body);
        self.lambda().plays(name, Behaviour::default());
    }

    /// Writes a file for the command, and returns its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// Runs `tune`.
    pub(crate) async fn tune(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["tune"];
        all.extend(arguments);
        self.rightsizer(&all).await
    }

    /// Runs any command.
    pub(crate) async fn rightsizer(&self, arguments: &[&str]) -> Output {
        rightsizer_with(arguments, &self.environment).await.unwrap()
    }

    /// The function fails without this field in its payload.
    pub(crate) fn wants(&self, name: &str, field: &str) {
        let wants = Some(field.to_owned());
        let behaviour = Behaviour {
            wants,
            ..Behaviour::default()
        };
        self.lambda().plays(name, behaviour);
    }

    /// Starts any command, to end it by a signal.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(binary().unwrap());
        command
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command.spawn().unwrap()
    }

    /// Runs `tune --json`, and returns its only result and the rest.
    pub(crate) async fn tuned(&self, arguments: &[&str]) -> (Value, Output) {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.tune(&all).await;
        let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (json["functions"][0].clone(), output)
    }
}

/// Sends a signal to a command, unless it has ended already.
pub(crate) fn signal(child: &Child, signal: Signal) {
    if let Some(id) = child.id() {
        let _ = kill(Pid::from_raw(i32::try_from(id).unwrap()), signal);
    }
}

pub(crate) fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The sizes of a report, and one field of each.
pub(crate) fn by_size(report: &Value, field: &str) -> Vec<(u64, Value)> {
    let sizes = report["sizes"].as_array().cloned().unwrap_or_default();
    let pair = |size: &Value| (size["memory_mb"].as_u64().unwrap_or(0), size[field].clone());
    sizes.iter().map(pair).collect()
}
