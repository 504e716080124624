//! The functions of the fault-injecting Lambda API: what a call reads and what it leaves behind.
//! Plain state: the time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{ACCOUNT, REGION};

/// A configuration as it is on the wire.
pub(super) type Config = Map<String, Value>;

/// Why a call is refused: status, code, words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str, pub(super) String);

/// A function with its versions and aliases.
#[derive(Debug, Default)]
pub(super) struct Function {
    pub(super) latest: Config,
    /// Its packages by their hashes, as they are downloaded.
    pub(super) packages: BTreeMap<String, Vec<u8>>,
    /// Where its image is, instead of a package.
    image: Option<String>,
    /// The number of its invocations that may run at once, if it is reserved.
    pub(super) reserved: Option<u32>,
    pub(super) tags: BTreeMap<String, String>,
    /// Whether the caller may not read them.
    pub(super) tags_denied: bool,
    pub(super) versions: Vec<Config>,
    pub(super) aliases: BTreeMap<String, Config>,
    pub(super) provisioned: Vec<String>,
    /// How long a change takes, and why it fails in the end, if it does.
    pub(super) update_takes: Duration,
    pub(super) update_fails: Option<String>,
    /// How long a version is prepared before it is active (`SnapStart`).
    pub(super) publish_takes: Duration,
    update: Option<Update>,
    revisions: u64,
}

/// A change under way.
#[derive(Debug)]
struct Update {
    ready_at: Duration,
    before: Config,
}

impl Function {
    /// From the body of a `CreateFunction`.
    pub(super) fn create(body: &Config) -> Self {
        let mut function = Self::default();
        let mut latest = body.clone();
        latest.remove("Tags");
        latest.remove("Publish");
        let code = latest.remove("Code").unwrap_or_default();
        let name = body["FunctionName"].as_str().unwrap_or_default();
        latest.insert("FunctionArn".to_owned(), json!(arn(name)));
        latest.insert("Version".to_owned(), json!("$LATEST"));
        latest.insert("State".to_owned(), json!("Active"));
        latest.insert("LastUpdateStatus".to_owned(), json!("Successful"));
        latest.entry("PackageType").or_insert_with(|| json!("Zip"));
        as_returned(&mut latest);
        function.latest = latest;
        function.set_code(&code);
        function.tag(body);
        function
    }

    /// Takes the tags of a body over.
    pub(super) fn tag(&mut self, body: &Config) {
        let tags = body.get("Tags").and_then(Value::as_object);
        for (key, value) in tags.into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            self.tags.insert(key.clone(), value.to_owned());
        }
    }

    /// The answer of a `GetFunction`.
    pub(super) fn described(&self, qualifier: Option<&str>, link: &str) -> Result<Value, Refusal> {
        let config = self.qualified(qualifier)?;
        let code = if let Some(image) = &self.image {
            json!({"RepositoryType": "ECR", "ImageUri": image, "ResolvedImageUri": image})
        } else {
            let hash = config["CodeSha256"].as_str().unwrap_or_default();
            json!({"RepositoryType": "S3", "Location": format!("{link}/{hash}")})
        };
        let mut described = json!({ "Configuration": config, "Code": code });
        if self.tags_denied {
            described["TagsError"] = json!({"ErrorCode": "AccessDeniedException", "Message": "no"});
        } else {
            described["Tags"] = json!(self.tags);
        }
        if let Some(reserved) = self.reserved {
            described["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
        }
        Ok(described)
    }

    /// A new function is prepared for so long.
    pub(super) fn prepare(&mut self, now: Duration, takes: Duration) {
        if takes > Duration::ZERO {
            let ready_ms = u64::try_from((now + takes).as_millis()).unwrap_or(u64::MAX);
            self.latest.insert("State".to_owned(), json!("Pending"));
            self.latest.insert("ReadyAt".to_owned(), json!(ready_ms));
        }
    }

    /// Lets what is due happen.
    pub(super) fn advance(&mut self, now: Duration) {
        for version in self.versions.iter_mut().chain([&mut self.latest]) {
            let ready = version.get("ReadyAt").and_then(Value::as_u64);
            if ready.is_some_and(|ms| u128::from(ms) <= now.as_millis()) {
                version.remove("ReadyAt");
                version.insert("State".to_owned(), json!("Active"));
            }
        }
        let Some(update) = self.update.take_if(|update| update.ready_at <= now) else {
            return;
        };
        match &self.update_fails {
            None => {
                self.latest
                    .insert("LastUpdateStatus".to_owned(), json!("Successful"));
            }
            Some(reason) => {
                self.latest = update.before;
                self.latest
                    .insert("LastUpdateStatus".to_owned(), json!("Failed"));
                self.latest
                    .insert("LastUpdateStatusReason".to_owned(), json!(reason));
            }
        }
        // The service draws another one when a change is done.
        self.revise();
    }

    /// Makes any change of the configuration.
    pub(super) fn update(&mut self, body: &Config, now: Duration) -> Result<Config, Refusal> {
        self.not_under_way()?;
        same_revision(body, &self.latest)?;
        if let Some(mb) = body.get("MemorySize").and_then(Value::as_u64)
            && !(128..=10_240).contains(&mb)
        {
            let words = format!("'MemorySize' value failed to satisfy constraint: {mb}");
            return Err(Refusal(400, "InvalidParameterValueException", words));
        }
        self.begin(now);
        for (key, value) in body.iter().filter(|(key, _)| *key != "RevisionId") {
            self.latest.insert(key.clone(), value.clone());
        }
        Ok(self.latest.clone())
    }

    /// Deploys other code.
    pub(super) fn update_code(&mut self, body: &Value, now: Duration) -> Result<Config, Refusal> {
        self.not_under_way()?;
        self.begin(now);
        self.set_code(body);
        Ok(self.latest.clone())
    }

    fn begin(&mut self, now: Duration) {
        self.update = Some(Update {
            ready_at: now + self.update_takes,
            before: self.latest.clone(),
        });
        self.latest
            .insert("LastUpdateStatus".to_owned(), json!("InProgress"));
        self.latest.remove("LastUpdateStatusReason");
        self.revise();
    }

    fn not_under_way(&self) -> Result<(), Refusal> {
        if self.update.is_none() && self.latest["State"] != "Pending" {
            return Ok(());
        }
        let words = "The operation cannot be performed at this time. An update is in progress";
        Err(Refusal(409, "ResourceConflictException", words.to_owned()))
    }

    pub(super) fn publish(&mut self, body: &Config, now: Duration) -> Result<Config, Refusal> {
        self.not_under_way()?;
        same_revision(body, &self.latest)?;
        let code = self.latest["CodeSha256"].as_str().unwrap_or_default();
        let wanted = body.get("CodeSha256").and_then(Value::as_str);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != code) {
            let words = format!(
                "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({code})"
            );
            return Err(Refusal(400, "InvalidParameterValueException", words));
        }
        let mut version = self.latest.clone();
        let description = body.get("Description").and_then(Value::as_str);
        if let Some(description) = description.filter(|text| !text.is_empty()) {
            version.insert("Description".to_owned(), json!(description));
        }
        if let Some(last) = self.versions.last().filter(|last| same(last, &version)) {
            return Ok(last.clone());
        }
        let number = (self.versions.len() + 1).to_string();
        let name = version["FunctionName"].as_str().unwrap_or_default();
        version.insert(
            "FunctionArn".to_owned(),
            json!(format!("{}:{number}", arn(name))),
        );
        version.insert("Version".to_owned(), json!(number));
        version.insert("RevisionId".to_owned(), json!(format!("version-{number}")));
        if self.publish_takes > Duration::ZERO {
            let ready_ms = u64::try_from((now + self.publish_takes).as_millis());
            version.insert("State".to_owned(), json!("Pending"));
            version.insert("ReadyAt".to_owned(), json!(ready_ms.unwrap_or(u64::MAX)));
        }
        self.versions.push(version.clone());
        Ok(version)
    }

    /// `$LATEST`, a version by its number, or what an alias points at.
    pub(super) fn qualified(&self, qualifier: Option<&str>) -> Result<&Config, Refusal> {
        let number = match qualifier {
            None | Some("$LATEST") => return Ok(&self.latest),
            Some(alias) if self.aliases.contains_key(alias) => {
                self.aliases[alias]["FunctionVersion"]
                    .as_str()
                    .unwrap_or_default()
            }
            Some(number) => number,
        };
        let found = self.versions.iter().find(|v| v["Version"] == number);
        found.ok_or_else(|| not_found(number))
    }

    pub(super) fn create_alias(&mut self, body: &Config) -> Config {
        let mut alias = body.clone();
        let name = body["Name"].as_str().unwrap_or_default().to_owned();
        alias.insert("RevisionId".to_owned(), json!(self.next_revision()));
        self.aliases.insert(name, alias.clone());
        alias
    }

    pub(super) fn move_alias(&mut self, name: &str, body: &Config) -> Result<Config, Refusal> {
        let version = body.get("FunctionVersion").and_then(Value::as_str);
        if let Some(version) = version {
            self.qualified(Some(version))?;
        }
        let revision = self.next_revision();
        let alias = self.aliases.get_mut(name).ok_or_else(|| not_found(name))?;
        same_revision(body, alias)?;
        alias.extend(body.clone());
        alias.insert("RevisionId".to_owned(), json!(revision));
        Ok(alias.clone())
    }

    fn set_code(&mut self, code: &Value) {
        self.image = code["ImageUri"].as_str().map(str::to_owned);
        let zip = code["ZipFile"].as_str().unwrap_or_default();
        let package = STANDARD
            .decode(zip)
            .unwrap_or_else(|_| zip.as_bytes().to_vec());
        // Whatever tells two archives apart.
        let content = self
            .image
            .as_ref()
            .map_or(package.as_slice(), |image| image.as_bytes());
        let sum = content.iter().fold(5381_u64, |sum, byte| {
            sum.wrapping_mul(33).wrapping_add(u64::from(*byte))
        });
        let (hash, size) = (format!("{sum:016x}"), content.len());
        self.latest.insert("CodeSha256".to_owned(), json!(hash));
        self.latest.insert("CodeSize".to_owned(), json!(size));
        self.packages.insert(hash, package);
        self.revise();
    }

    fn revise(&mut self) {
        let revision = self.next_revision();
        self.latest.insert("RevisionId".to_owned(), json!(revision));
        self.latest.insert(
            "LastModified".to_owned(),
            json!(format!("change-{}", self.revisions)),
        );
    }

    fn next_revision(&mut self) -> String {
        self.revisions += 1;
        format!("revision-{}", self.revisions)
    }
}

/// What is returned in another form than it was given.
fn as_returned(config: &mut Config) {
    if let Some(layers) = config.get("Layers").and_then(Value::as_array) {
        let layers: Vec<Value> = layers.iter().map(|arn| json!({ "Arn": arn })).collect();
        config.insert("Layers".to_owned(), json!(layers));
    }
    if let Some(image) = config.remove("ImageConfig") {
        config.insert(
            "ImageConfigResponse".to_owned(),
            json!({ "ImageConfig": image }),
        );
    }
}

pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

pub(super) fn not_found(what: &str) -> Refusal {
    Refusal(
        404,
        "ResourceNotFoundException",
        format!("not found: {what}"),
    )
}

fn same_revision(body: &Config, now: &Config) -> Result<(), Refusal> {
    match body
        .get("RevisionId")
        .filter(|revision| !revision.is_null())
    {
        Some(revision) if Some(revision) != now.get("RevisionId") => {
            let words = "The Revision Id provided does not match the latest Revision Id.";
            Err(Refusal(
                412,
                "PreconditionFailedException",
                words.to_owned(),
            ))
        }
        _ => Ok(()),
    }
}

/// Whether two configurations are the same but for their names and times.
fn same(a: &Config, b: &Config) -> bool {
    let bare = |config: &Config| {
        let mut config = config.clone();
        for key in [
            "FunctionArn",
            "Version",
            "RevisionId",
            "LastModified",
            "State",
            "ReadyAt",
        ] {
            config.remove(key);
        }
        config
    };
    bare(a) == bare(b)
}
