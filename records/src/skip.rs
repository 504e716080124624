//! Why a recommendation was not applied, as the codes that an [`Outcome`](crate::Outcome) carries
//! and that stores and dashboards count.

use std::fmt;

/// A reason to leave a function as it is, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipCode {
    /// Its account is not one that this updater accepts.
    OtherAccount,
    /// Its region is not one that this updater accepts.
    OtherRegion,
    /// The traffic is on a published version, which a change of `$LATEST` does not reach.
    ServedByVersion,
    /// Something else than memory differs between `$LATEST` and the version its alias points at:
    /// publishing would release it.
    AliasAhead,
    /// A pipeline moves its alias: a stack owns it, or part of its traffic goes to another version.
    AliasManaged,
    /// Its provisioned concurrency would be taken away with the change.
    ProvisionedConcurrency,
    /// A replica of an edge function: only its master can be changed.
    EdgeReplica,
    /// CloudFront may run versions of it, and its next release could not be used there.
    EdgeFunction,
    /// It runs on managed instances, which do not size memory per function.
    ManagedInstances,
    /// Its tags cannot be read, so it may have opted out.
    TagsUnreadable,
    /// One of its `rightsizer:` tags has a value that means nothing.
    BadTag,
    /// The function's tag or the configuration is `off`.
    OptedOut,
    /// The global stop is on.
    Paused,
    /// The function only gets recommendations, and this one is not approved.
    RecommendOnly,
    /// A stack owns the function, and neither its tag nor an approval allows the change.
    StackOwned,
    /// A newer recommendation of the same batch wants the size that the function has.
    Superseded,
    /// It is past its expiry.
    Expired,
    /// The function has another size than the one it was decided for.
    StaleFrom,
    /// The function runs other code than the evidence is from.
    CodeChanged,
    /// The size lies outside what Lambda or the account allows.
    OutsideLimits,
    /// The size lies outside the function's own `rightsizer:min-mb` and `rightsizer:max-mb`.
    OutsideTags,
    /// The smaller CPU share could bring its slow invocations too near its timeout (P6).
    TimeoutRisk,
    /// It is unknown whether the smaller CPU share is harmless: durations or timeout unknown (P6).
    TimeoutUnknown,
    /// Another change of it is under way.
    UpdateInProgress,
    /// It was changed by someone else between each read and write.
    RevisionChanged,
    /// It is in a state in which it cannot be changed.
    NotUpdatable,
    /// Lambda no longer updates functions of its runtime.
    BlockedRuntime,
    /// The record names a function but has impossible values for it.
    BadRecord,
}

impl SkipCode {
    /// Every code, for documentation and dashboards.
    pub const ALL: [Self; 28] = [
        Self::OtherAccount,
        Self::OtherRegion,
        Self::ServedByVersion,
        Self::AliasAhead,
        Self::AliasManaged,
        Self::ProvisionedConcurrency,
        Self::EdgeReplica,
        Self::EdgeFunction,
        Self::ManagedInstances,
        Self::TagsUnreadable,
        Self::BadTag,
        Self::OptedOut,
        Self::Paused,
        Self::RecommendOnly,
        Self::StackOwned,
        Self::Superseded,
        Self::Expired,
        Self::StaleFrom,
        Self::CodeChanged,
        Self::OutsideLimits,
        Self::OutsideTags,
        Self::TimeoutRisk,
        Self::TimeoutUnknown,
        Self::UpdateInProgress,
        Self::RevisionChanged,
        Self::NotUpdatable,
        Self::BlockedRuntime,
        Self::BadRecord,
    ];

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherAccount => "other-account",
            Self::OtherRegion => "other-region",
            Self::ServedByVersion => "served-by-version",
            Self::AliasAhead => "alias-ahead",
            Self::AliasManaged => "alias-managed",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
            Self::EdgeReplica => "edge-replica",
            Self::EdgeFunction => "edge-function",
            Self::ManagedInstances => "managed-instances",
            Self::TagsUnreadable => "tags-unreadable",
            Self::BadTag => "bad-tag",
            Self::OptedOut => "opted-out",
            Self::Paused => "paused",
            Self::RecommendOnly => "recommend-only",
            Self::StackOwned => "stack-owned",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::StaleFrom => "stale-from",
            Self::CodeChanged => "code-changed",
            Self::OutsideLimits => "outside-limits",
            Self::OutsideTags => "outside-tags",
            Self::TimeoutRisk => "timeout-risk",
            Self::TimeoutUnknown => "timeout-unknown",
            Self::UpdateInProgress => "update-in-progress",
            Self::RevisionChanged => "revision-changed",
            Self::NotUpdatable => "not-updatable",
            Self::BlockedRuntime => "blocked-runtime",
            Self::BadRecord => "bad-record",
        }
    }
}

impl fmt::Display for SkipCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What went wrong with a call, as far as the answer to it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiFault {
    /// 409: another update of the function is under way. Nothing was written.
    Conflict,
    /// 412: the function changed after it was read. Nothing was written.
    RevisionChanged,
    /// 429: too many calls. Nothing was written.
    Throttled,
    /// No answer, or one of the service's own faults: an update may or may not have been made.
    Unavailable,
    /// Credentials that are expired or not accepted: others will be. Nothing was written.
    Credentials,
    /// The call was not made: too little of the invocation's time is left.
    OutOfTime,
    /// No permission. Nothing was written.
    AccessDenied,
    /// No such function, version or alias.
    NotFound,
    /// Lambda does not update functions of this runtime any more.
    BlockedRuntime,
    /// `$LATEST` has other code than was asked to be published. Nothing was published.
    OtherCode,
    /// The request was refused for another reason. Nothing was written.
    Refused,
}

impl ApiFault {
    /// Every fault.
    pub(crate) const ALL: [Self; 11] = [
        Self::Conflict,
        Self::RevisionChanged,
        Self::Throttled,
        Self::Unavailable,
        Self::Credentials,
        Self::OutOfTime,
        Self::AccessDenied,
        Self::NotFound,
        Self::BlockedRuntime,
        Self::OtherCode,
        Self::Refused,
    ];

    /// Its name as the reason of an outcome.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::RevisionChanged => "revision-changed",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Credentials => "credentials",
            Self::OutOfTime => "out-of-time",
            Self::AccessDenied => "access-denied",
            Self::NotFound => "not-found",
            Self::BlockedRuntime => "blocked-runtime",
            Self::OtherCode => "other-code",
            Self::Refused => "refused",
        }
    }
}

/// Why a recommendation failed at Lambda's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// A call failed.
    Api(ApiFault),
    /// The update was accepted, and its end was not seen.
    UpdateUnclear,
}

impl FailureCode {
    /// Every code.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let faults = ApiFault::ALL.into_iter().map(Self::Api);
        faults.chain([Self::UpdateUnclear])
    }

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api(fault) => fault.name(),
            Self::UpdateUnclear => "update-unclear",
        }
    }
}

/// Why the updater did not apply a recommendation, as the reason of an [`Outcome`](crate::Outcome).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeCode {
    /// It left the function as it is, on purpose.
    Skip(SkipCode),
    /// A call failed.
    Failure(FailureCode),
}

impl OutcomeCode {
    /// Every code. Two skips and failures share a name, because they have the same cause.
    pub fn all() -> impl Iterator<Item = Self> {
        let skips = SkipCode::ALL.into_iter().map(Self::Skip);
        skips.chain(FailureCode::all().map(Self::Failure))
    }

    /// The code of that name; `None` if it is not one of this version's.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|code| code.name() == name)
    }

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skip(code) => code.name(),
            Self::Failure(code) => code.name(),
        }
    }

    /// Whether it waits for a person's approval.
    pub const fn asks_a_person(self) -> bool {
        matches!(
            self,
            Self::Skip(
                SkipCode::RecommendOnly
                    | SkipCode::StackOwned
                    | SkipCode::ProvisionedConcurrency
                    | SkipCode::TimeoutUnknown
            )
        )
    }

    /// Whether it is temporary: the same recommendation may succeed later without any action.
    pub const fn passes_by_itself(self) -> bool {
        match self {
            Self::Skip(code) => matches!(
                code,
                SkipCode::Paused
                    | SkipCode::Superseded
                    | SkipCode::Expired
                    | SkipCode::UpdateInProgress
                    | SkipCode::RevisionChanged
            ),
            Self::Failure(FailureCode::Api(fault)) => matches!(
                fault,
                ApiFault::RevisionChanged
                    | ApiFault::Throttled
                    | ApiFault::Unavailable
                    | ApiFault::Credentials
                    | ApiFault::OutOfTime
            ),
            Self::Failure(FailureCode::UpdateUnclear) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `from_name` finds the first of that name: what is decided must not depend on which one it is.
    #[test]
    fn codes_of_one_name_mean_the_same() {
        for code in OutcomeCode::all() {
            let found = OutcomeCode::from_name(code.name()).unwrap();
            assert_eq!(
                found.passes_by_itself(),
                code.passes_by_itself(),
                "{code:?}"
            );
            assert_eq!(found.asks_a_person(), code.asks_a_person(), "{code:?}");
        }
        assert_eq!(OutcomeCode::from_name("of-a-later-version"), None);
    }
}
