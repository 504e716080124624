//! What goes wrong, and what came: the faults a test has ordered, and the log of calls.

use std::time::Duration;

/// What a call asks for, named as the Lambda API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the service's own")]
pub enum Operation {
    CreateFunction,
    DeleteFunction,
    GetAccountSettings,
    GetFunction,
    Invoke,
    ListFunctions,
    UpdateFunctionConfiguration,
    UpdateFunctionCode,
    PublishVersion,
    CreateAlias,
    GetAlias,
    UpdateAlias,
    ListProvisionedConcurrencyConfigs,
    ListTags,
    TagResource,
    UntagResource,
}

/// A way to go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and this is the answer.
    Refuse {
        /// HTTP status.
        status: u16,
        /// The service's code.
        code: &'static str,
        /// `Retry-After`.
        retry_after_s: Option<u64>,
    },
    /// Nothing is done, and this is the answer with these words.
    Deny {
        /// The service's code.
        code: &'static str,
        /// Its message.
        words: &'static str,
    },
    /// It is done, and the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks before anything is done.
    LoseRequest,
    /// It is done at once and answered after so long.
    Slow(Duration),
}

impl Fault {
    /// 429, later welcome.
    pub fn throttle(retry_after_s: u64) -> Self {
        Self::Refuse {
            status: 429,
            code: "TooManyRequestsException",
            retry_after_s: Some(retry_after_s),
        }
    }

    /// 403: the credentials have run out.
    pub fn expired_credentials() -> Self {
        Self::Refuse {
            status: 403,
            code: "ExpiredTokenException",
            retry_after_s: None,
        }
    }
}

/// A fault that waits for its call.
#[derive(Debug, Clone)]
pub(super) struct Ordered {
    pub(super) operation: Option<Operation>,
    pub(super) function: Option<String>,
    /// Calls to let pass first.
    pub(super) after: usize,
    pub(super) times: usize,
    pub(super) fault: Fault,
}

impl Ordered {
    /// Whether it strikes this call.
    pub(super) fn strikes(&mut self, operation: Operation, function: &str) -> bool {
        let meant = self.operation.is_none_or(|wanted| wanted == operation)
            && self
                .function
                .as_deref()
                .is_none_or(|wanted| wanted == function);
        if !meant || self.times == 0 {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// A call that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When, since the server began.
    pub at: Duration,
    /// What for.
    pub operation: Operation,
    /// Which function.
    pub function: String,
    /// Names of the fields of its body, sorted.
    pub fields: Vec<String>,
    /// The status it was answered with; 0 for a broken connection.
    pub status: u16,
}

/// The most calls that came within any one second.
pub fn most_within_a_second(calls: &[Call]) -> usize {
    let mut most = 0;
    let mut first = 0;
    for (n, call) in calls.iter().enumerate() {
        while calls[first].at + Duration::from_secs(1) <= call.at {
            first += 1;
        }
        most = most.max(n + 1 - first);
    }
    most
}
