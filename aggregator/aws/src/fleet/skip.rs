//! Why a function is left alone. `docs/FLEET.md` lists the codes.

/// Why a function is left alone.
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
    /// A replica of an edge function.
    EdgeReplica,
    /// CloudFront runs versions of it, or its role does not show whether it does.
    EdgeFunction,
    /// Its runtime is older than extensions.
    OldRuntime,
    /// The system of its runtime is not known.
    UnknownRuntime,
    /// It runs on managed instances.
    ManagedInstances,
    /// A container image takes no layers.
    ContainerImage,
    /// The layer is for another architecture.
    OtherArchitecture,
    /// The layer is of another region.
    OtherRegion,
    /// It has five layers.
    FiveLayers,
    /// Its variables cannot be read: writing would wipe them.
    EnvironmentUnreadable,
    /// One of our variables is set, and not by us.
    VariableTaken,
    /// 4 KB of variables would be passed.
    EnvironmentFull,
    /// 250 MB unzipped would be passed.
    TooLarge,
    /// What it uses is within 16 MB of its size.
    LittleMemory,
    /// It is in a VPC that may have no route to the stream.
    Vpc,
    /// Someone else is changing it.
    UpdateInProgress,
}

impl SkipCode {
    /// Its name in tables and JSON.
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
            Self::LittleMemory => "little-memory",
            Self::Vpc => "vpc",
            Self::UpdateInProgress => "update-in-progress",
        }
    }
}

/// Why a function is left alone, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The code.
    pub code: SkipCode,
    /// The same in words, with the figures.
    pub words: String,
}

impl Skip {
    /// A skip in words.
    pub fn new(code: SkipCode, words: impl Into<String>) -> Self {
        Self {
            code,
            words: words.into(),
        }
    }
}
