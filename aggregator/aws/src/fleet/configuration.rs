//! What of a function's configuration the layer has to do with, and a change of it. Pure.

use std::collections::BTreeMap;
use std::fmt;

use rightsizer_rules::inventory::Tags;

/// Environment variables. Their values may be secrets: they are never written out.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Variables(pub BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Variables {
    /// Bytes that count against Lambda's 4 KB: it measures them as a JSON object.
    pub(crate) fn bytes(&self) -> usize {
        // Text alone cannot fail; were it to, Lambda would be the judge.
        serde_json::to_string(&self.0).map_or(0, |json| json.len())
    }
}

/// A layer that a function has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedLayer {
    /// ARN of the version.
    pub arn: String,
    /// Size of its archive.
    pub bytes: u64,
}

/// Whether a function may be one of CloudFront's: the next version of one that has a layer or variables
/// cannot be associated with a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    /// CloudFront cannot run it: it is not in CloudFront's region, or its role does not trust CloudFront.
    No,
    /// Its role trusts CloudFront.
    Yes,
    /// Its role cannot be read, for this reason.
    Unknown(String),
}

/// How the last change of a function went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastUpdate {
    /// It is in effect.
    Done,
    /// It is under way: nothing else can be changed meanwhile.
    InProgress,
    /// It could not be made, for this reason; what was before is in effect.
    Failed(String),
}

/// Lambda could not decrypt the variables, for its own reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Encrypted(pub String);

/// `$LATEST` of a function, read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its layers in their order.
    pub layers: Vec<UsedLayer>,
    /// Its variables, or why they cannot be read.
    pub variables: Result<Variables, Encrypted>,
    /// Whether its network is a VPC.
    pub in_vpc: bool,
    /// ARN of its role.
    pub role: String,
    /// Whether CloudFront may run versions of it.
    pub edge: Edge,
    /// Size of its code's archive.
    pub code_bytes: u64,
    /// Changes with every change of it.
    pub revision: Option<String>,
    /// Its tags; `None` if they cannot be read.
    pub tags: Option<Tags>,
    /// How the last change of it went.
    pub last_update: LastUpdate,
}

/// What a change is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The layer comes to it.
    Attach,
    /// Another version of the layer, or another stream.
    Update,
    /// The layer goes.
    Detach,
}

impl Kind {
    /// Its name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attach => "attach",
            Self::Update => "update",
            Self::Detach => "detach",
        }
    }
}

/// What to write. Lambda replaces each list whole, so each is given whole, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is for.
    pub kind: Kind,
    /// All layers from then on, in their order.
    pub layers: Option<Vec<String>>,
    /// All variables from then on.
    pub variables: Option<Variables>,
    /// What a person should know of it.
    pub notes: Vec<String>,
}
