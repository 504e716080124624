//! A function that is to be tuned, as it is now, and the reasons for which it cannot be. Pure.

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    FunctionCodeLocation, FunctionConfiguration, LastUpdateStatus, PackageType, Runtime, State,
};
use rightsizer_records::{Arch, FunctionArn, Megabytes};
use rightsizer_rules::power::bench::Package;

use super::definition::layers;
use super::wanted::Wanted;
use crate::fleet::CallError;

/// The largest package, in bytes, that `CreateFunction` takes in the call itself.
/// Source: "Lambda quotas", deployment package size.
const MOST_IN_CALL: i64 = 50 << 20;

/// The reason for which a function cannot be tuned. Nothing was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// A function of another region than that of the calls.
    #[error("{function} is in {}, but the calls go to {region}", .function.region())]
    OtherRegion {
        /// The function.
        function: FunctionArn,
        /// The region of the calls.
        region: String,
    },
    /// A function of another account.
    #[error(
        "{} belongs to another account: a copy of it can be made only with credentials of account {}", .0, .0.account()
    )]
    OtherAccount(FunctionArn),
    /// No such function, version or alias.
    #[error("{0} does not exist in this account and region")]
    Missing(Wanted),
    /// Many requests share an environment.
    #[error("it runs on managed instances, on which memory does not set the CPU share")]
    ManagedInstances,
    /// It may run at the edge.
    #[error(
        "its role trusts CloudFront, so it may run at the edge, and its size cannot be chosen freely"
    )]
    Edge,
    /// A replica at the edge.
    #[error("it is a replica at the edge")]
    EdgeReplica,
    /// A durable function.
    #[error("it is a durable function: one execution is many invocations")]
    Durable,
    /// A function whose invocations name a tenant.
    #[error("it isolates tenants, and an invocation of it must name one")]
    Tenants,
    /// It must not be invoked.
    #[error("its reserved concurrency is 0, which stops it, so it is not invoked")]
    Stopped,
    /// It cannot be invoked now.
    #[error("it cannot be invoked now: {0}")]
    NotReady(String),
    /// Its variables cannot be read, so a copy would differ.
    #[error("its environment variables cannot be read: {0}")]
    Variables(String),
    /// Its package cannot be sent in a call.
    #[error("its package has {} MB; CreateFunction takes at most 50 MB", .0 >> 20)]
    TooLarge(i64),
    /// Its code cannot be found.
    #[error("Lambda's response has no {0}")]
    Incomplete(&'static str),
    /// A call failed.
    #[error("cannot read it: {0}")]
    Call(CallError),
}

/// A function as it is now.
#[derive(Debug, Clone)]
pub struct Original {
    /// Its ARN.
    pub function: FunctionArn,
    pub(super) configuration: FunctionConfiguration,
    pub(super) code: FunctionCodeLocation,
    reserved: Option<i32>,
    pub(super) code_at: Option<S3Code>,
}

/// A package in S3, for one that is too large for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Code {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

impl Original {
    /// Reads the response of `GetFunction`. With `code_at`, the package is there, and not sent in a call.
    pub(super) fn of(
        wanted: &Wanted,
        answer: GetFunctionOutput,
        code_at: Option<S3Code>,
    ) -> Result<Self, Unsuitable> {
        let reserved = answer
            .concurrency()
            .and_then(aws_sdk_lambda::types::Concurrency::reserved_concurrent_executions);
        let configuration = answer
            .configuration
            .ok_or(Unsuitable::Incomplete("configuration"))?;
        let code = answer.code.ok_or(Unsuitable::Incomplete("code"))?;
        let function = configuration
            .function_arn()
            .and_then(unqualified)
            .ok_or(Unsuitable::Incomplete("ARN"))?;
        if let Some(arn) = wanted.arn.as_ref().filter(|arn| **arn != function) {
            return Err(Unsuitable::OtherAccount(arn.clone()));
        }
        let read = Self {
            function,
            configuration,
            code,
            reserved,
            code_at,
        };
        read.check()?;
        Ok(read)
    }

    /// Checks everything that can be checked without a further call.
    ///
    /// # Errors
    /// The first reason for which it cannot be tuned.
    fn check(&self) -> Result<(), Unsuitable> {
        let now = &self.configuration;
        if now.capacity_provider_config().is_some() {
            return Err(Unsuitable::ManagedInstances);
        }
        if now.master_arn().is_some() {
            return Err(Unsuitable::EdgeReplica);
        }
        if now.durable_config().is_some() {
            return Err(Unsuitable::Durable);
        }
        if now.tenancy_config().is_some() {
            return Err(Unsuitable::Tenants);
        }
        if self.reserved == Some(0) {
            return Err(Unsuitable::Stopped);
        }
        if matches!(now.state(), Some(State::Failed | State::Pending)) {
            let why = now.state_reason().unwrap_or("it is not active");
            return Err(Unsuitable::NotReady(why.to_owned()));
        }
        if now.last_update_status() == Some(&LastUpdateStatus::InProgress) {
            let why = "a change of it is in progress; try again in a minute";
            return Err(Unsuitable::NotReady(why.to_owned()));
        }
        if let Some(error) = now
            .environment()
            .and_then(|environment| environment.error())
        {
            let why = error.message().unwrap_or("no reason given");
            return Err(Unsuitable::Variables(why.to_owned()));
        }
        if now.role().is_none() {
            return Err(Unsuitable::Incomplete("role"));
        }
        self.check_code()
    }

    fn check_code(&self) -> Result<(), Unsuitable> {
        if self.is_image() {
            let has = self.image().is_some();
            return if has {
                Ok(())
            } else {
                Err(Unsuitable::Incomplete("image"))
            };
        }
        let size = self.configuration.code_size();
        match (&self.code_at, self.code.location()) {
            (None, _) if size > MOST_IN_CALL => Err(Unsuitable::TooLarge(size)),
            (None, None) => Err(Unsuitable::Incomplete("link to its code")),
            _ => Ok(()),
        }
    }

    /// Whether its package is a container image.
    pub fn is_image(&self) -> bool {
        self.configuration.package_type() == Some(&PackageType::Image)
    }

    /// How a copy of it is packaged, without snapshots.
    pub fn package(&self) -> Package {
        if self.is_image() {
            Package::Image
        } else if layers(self).next().is_some() {
            Package::Layers
        } else {
            Package::Zip
        }
    }

    /// Returns the image by its digest, so that a tag that moves does not change the code.
    pub(super) fn image(&self) -> Option<&str> {
        let resolved = self.code.resolved_image_uri();
        resolved.or_else(|| self.code.image_uri())
    }

    /// Its present size.
    pub fn memory_mb(&self) -> Megabytes {
        let size = self.configuration.memory_size().unwrap_or(128);
        Megabytes(u32::try_from(size).unwrap_or(128))
    }

    /// Its timeout in milliseconds.
    pub fn timeout_ms(&self) -> u64 {
        let seconds = self.configuration.timeout().unwrap_or(3);
        u64::try_from(seconds).unwrap_or(3) * 1000
    }

    /// Its architecture.
    pub fn arch(&self) -> Arch {
        let first = self.configuration.architectures().first();
        first.map_or(Arch::X86_64, |arch| Arch::from_name(arch.as_str()))
    }

    /// Its version: `$LATEST` or a number.
    pub fn version(&self) -> &str {
        self.configuration.version().unwrap_or("$LATEST")
    }

    /// Its role.
    pub fn role(&self) -> &str {
        self.configuration.role().unwrap_or_default()
    }

    /// The hash of its code.
    pub fn code_sha256(&self) -> Option<&str> {
        self.configuration.code_sha256()
    }

    /// Its runtime, if it has one: images have none.
    pub fn runtime(&self) -> Option<&str> {
        self.configuration.runtime().map(Runtime::as_str)
    }

    /// Whether its network is a VPC.
    pub fn in_vpc(&self) -> bool {
        let vpc = self.configuration.vpc_config();
        vpc.is_some_and(|vpc| !vpc.subnet_ids().is_empty())
    }
}

fn unqualified(arn: &str) -> Option<FunctionArn> {
    let end = arn
        .match_indices(':')
        .nth(6)
        .map_or(arn.len(), |(at, _)| at);
    FunctionArn::parse(&arn[..end]).ok()
}
