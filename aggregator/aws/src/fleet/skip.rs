//! Reasons for which a function is skipped. `docs/FLEET.md` lists the codes.

/// The reason for which a function is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipCode {
    /// It has the layer and the variables.
    AlreadyAttached,
    /// It does not have the layer.
    NotAttached,
    /// Its tag `rightsizer:mode` is `off`.
    OptedOut,
    /// Its tags cannot be read, so it may have opted out.
    TagsUnreadable,
    /// It is a replica of an edge function.
    EdgeReplica,
    /// CloudFront may run versions of it, according to its role, or the role cannot be read.
    EdgeFunction,
    /// Its runtime is older than extensions.
    OldRuntime,
    /// The operating system of its runtime is unknown.
    UnknownRuntime,
    /// It runs on managed instances.
    ManagedInstances,
    /// It is a container image, which cannot have layers.
    ContainerImage,
    /// The layer is for another architecture.
    OtherArchitecture,
    /// The layer is in another region.
    OtherRegion,
    /// It has five layers.
    FiveLayers,
    /// Its variables cannot be read, so a write would erase them.
    EnvironmentUnreadable,
    /// One of our variables is already set by someone else.
    VariableTaken,
    /// Its variables would exceed 4 KB.
    EnvironmentFull,
    /// Its code and layers would exceed 250 MB unzipped.
    TooLarge,
    /// Its code-signing configuration refuses the layer.
    CodeSigning,
    /// Its memory use is within 16 MB of its size.
    LittleMemory,
    /// It is in a VPC that may have no route to the stream.
    Vpc,
    /// Someone else is changing it.
    UpdateInProgress,
}

impl SkipCode {
    /// Returns its name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlreadyAttached => "already-attached",
            Self::NotAttached => "not-attached",
            Self::OptedOut => "opted-out",
            Self::TagsUnreadable => "tags-unreadable",
            Self::EdgeReplica => "edge-replica",
            Self::EdgeFunction => "edge-function",
            Self::OldRuntime => "old-runtime",
            Self::UnknownRuntime => "unknown-runtime",
            Self::ManagedInstances => "managed-instances",
            Self::ContainerImage => "container-image",
            Self::OtherArchitecture => "other-architecture",
            Self::OtherRegion => "other-region",
            Self::FiveLayers => "five-layers",
            Self::EnvironmentUnreadable => "environment-unreadable",
            Self::VariableTaken => "variable-taken",
            Self::EnvironmentFull => "environment-full",
            Self::TooLarge => "too-large",
            Self::CodeSigning => "code-signing",
            Self::LittleMemory => "little-memory",
            Self::Vpc => "vpc",
            Self::UpdateInProgress => "update-in-progress",
        }
    }
}

/// The reason for which a function is skipped, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The code.
    pub code: SkipCode,
    /// The reason as a message, with the figures.
    pub words: String,
}

impl Skip {
    /// Returns a skip with this message.
    pub(crate) fn new(code: SkipCode, words: impl Into<String>) -> Self {
        Self {
            code,
            words: words.into(),
        }
    }
}
