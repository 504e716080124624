//! A Lambda API server: the `PyPI` package `moto[server]`, started by `tests/tools/moto_server.py`.

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime};
use rightsizer_records::FunctionArn;

use super::process::{Recipe, ServerProcess, installed, tools};
use super::{ACCESS_KEY, ACCOUNT, REGION, lambda_client};

/// The role that every function of the tests has; made by [`MotoServer::start`].
const ROLE: &str = "test-function";
/// An archive without files: the end-of-central-directory record of a zip and nothing before it.
const EMPTY_ZIP: [u8; 22] = [
    b'P', b'K', 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// A running Lambda API server; dropping it stops it.
#[derive(Debug)]
pub struct MotoServer {
    endpoint: String,
    lambda: Client,
    _process: ServerProcess,
}

/// A function to create, with what the tests vary.
#[derive(Debug, Clone, Default)]
pub struct FunctionSpec {
    /// Its memory size in MB.
    pub memory_mb: i32,
    /// Its timeout in seconds.
    pub timeout_s: i32,
    /// Its tags.
    pub tags: HashMap<String, String>,
    /// Its environment variables.
    pub environment: HashMap<String, String>,
}

impl MotoServer {
    /// Starts one on a free port, waits until it responds, and makes the role functions need.
    pub async fn start() -> Result<Self> {
        let program = installed(
            &tools().join("python/bin/moto_server"),
            "The Lambda API server of the tests (PyPI package moto[server])",
            "Python 3.11 or later with its venv module",
        )?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/moto_server.py");
        let (process, [port]) = ServerProcess::start(|[port]: [u16; 1]| {
            let mut command = Command::new(program.with_file_name("python"));
            command
                .arg(script)
                .args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
                .env("PYTHONUNBUFFERED", "1")
                .env("MOTO_ACCOUNT_ID", ACCOUNT);
            Recipe {
                name: "moto",
                command,
                bound_line: format!("Running on http://127.0.0.1:{port}"),
                health_url: format!("http://127.0.0.1:{port}/moto-api/data.json"),
            }
        })
        .await?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let moto = Self {
            lambda: lambda_client(
                &endpoint,
                aws_smithy_http_client::Builder::new().build_http(),
            ),
            endpoint,
            _process: process,
        };
        moto.create_role().await?;
        Ok(moto)
    }

    /// Its address, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A Lambda client for it.
    pub fn lambda(&self) -> &Client {
        &self.lambda
    }

    /// ARN of a function of this server.
    pub fn function_arn(&self, name: &str) -> Result<FunctionArn> {
        Ok(FunctionArn::new("aws", REGION, ACCOUNT, name)?)
    }

    /// Creates a function of a size in MB with a timeout in seconds and tags.
    pub async fn create_function(
        &self,
        name: &str,
        memory_mb: i32,
        timeout_s: i32,
        tags: &[(&str, &str)],
    ) -> Result<FunctionArn> {
        let tags = tags
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let spec = FunctionSpec {
            memory_mb,
            timeout_s,
            tags,
            ..FunctionSpec::default()
        };
        self.create(name, spec).await
    }

    /// Creates a function.
    pub async fn create(&self, name: &str, spec: FunctionSpec) -> Result<FunctionArn> {
        let variables = (!spec.environment.is_empty()).then(|| {
            Environment::builder()
                .set_variables(Some(spec.environment))
                .build()
        });
        self.lambda
            .create_function()
            .function_name(name)
            .runtime(Runtime::Python312)
            .handler("main.handle")
            .role(format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"))
            .code(
                FunctionCode::builder()
                    .zip_file(Blob::new(EMPTY_ZIP))
                    .build(),
            )
            .memory_size(spec.memory_mb)
            .timeout(spec.timeout_s)
            .set_tags(Some(spec.tags))
            .set_environment(variables)
            .send()
            .await
            .with_context(|| format!("cannot create function {name}"))?;
        self.function_arn(name)
    }

    /// The function's memory size in MB as the server reports it now.
    pub async fn memory_mb(&self, name: &str) -> Result<i32> {
        let request = self.lambda.get_function_configuration().function_name(name);
        let answer = request
            .send()
            .await
            .with_context(|| format!("cannot read function {name}"))?;
        answer
            .memory_size()
            .with_context(|| format!("no memory size in the answer for {name}"))
    }

    /// Forgets every function, and creates the role again.
    pub async fn reset(&self) -> Result<()> {
        let url = format!("{}/moto-api/reset", self.endpoint);
        http()?.post(url).send().await?.error_for_status()?;
        self.create_role().await
    }

    async fn create_role(&self) -> Result<()> {
        // One call of another service is not worth its SDK. The signature is not checked, but its
        // scope selects the service.
        let scope = format!("{ACCESS_KEY}/20260101/us-east-1/iam/aws4_request");
        let answer = http()?
            .post(&self.endpoint)
            .header("content-type", "application/x-www-form-urlencoded")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .body(format!(
                "Action=CreateRole&Version=2010-05-08&RoleName={ROLE}&AssumeRolePolicyDocument=%7B%7D"
            ))
            .send()
            .await
            .context("cannot ask moto for a role")?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        ensure!(status.is_success(), "moto made no role: {status}\n{text}");
        Ok(())
    }
}

fn http() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn it_starts_keeps_functions_and_is_gone_when_dropped() {
        let moto = MotoServer::start().await.unwrap();
        let tags = [("rightsizer:mode", "auto")];
        let arn = moto
            .create_function("checkout", 1024, 3, &tags)
            .await
            .unwrap();
        assert_eq!(
            arn.as_str(),
            "arn:aws:lambda:eu-central-1:123456789012:function:checkout"
        );
        assert_eq!(moto.memory_mb("checkout").await.unwrap(), 1024);

        let read = moto
            .lambda()
            .get_function()
            .function_name(arn.as_str())
            .send()
            .await
            .unwrap();
        assert_eq!(
            read.configuration().unwrap().function_arn(),
            Some(arn.as_str())
        );
        assert_eq!(read.tags().unwrap().get("rightsizer:mode").unwrap(), "auto");

        moto.reset().await.unwrap();
        assert!(moto.memory_mb("checkout").await.is_err());

        let address = moto.endpoint().replace("http://", "");
        assert!(TcpStream::connect(&address).is_ok());
        drop(moto);
        let until = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(&address).is_ok() {
            assert!(Instant::now() < until, "still answers at {address}");
        }
    }
}
