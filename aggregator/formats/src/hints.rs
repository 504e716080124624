//! What is known about a file beside its content, and whose evidence a log line is.

use std::rc::Rc;
use std::sync::Arc;

use rightsizer_records::{Day, EnvId, FunctionArn, Timestamp};
use rightsizer_rules::evidence::{
    FunctionKey, FunctionKeyError, LATEST, environment_of_stream, function_of_stream, is_account,
    is_region, version_of_stream,
};
use rightsizer_rules::inventory::{Home, Owners};

/// The log group that Lambda uses by default.
const LAMBDA_GROUPS: &str = "/aws/lambda/";

/// What is known about an input from the user or the file system. The content of the input takes
/// precedence.
#[derive(Debug, Clone)]
pub struct Hints {
    /// `--function`: the function, if the input does not name it.
    pub function: Option<FunctionKey>,
    /// `--date`: the day of lines without a time.
    pub date: Option<Day>,
    /// The day the file was last changed: the day of lines without a time if no date is given.
    pub fallback_date: Day,
    /// The file's own name, without folders: the last resort for a function's name.
    pub file_name: String,
    /// `--account` and `--region`: makes ARNs of names.
    pub home: Option<Home>,
    /// Which function logs to which group, from the inventory.
    pub owners: Arc<Owners>,
}

/// Whose evidence a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) function: Rc<FunctionKey>,
    pub(super) version: Rc<str>,
    pub(super) environment: Option<EnvId>,
    /// It is a Lambda@Edge replica, whose size is that of the function in us-east-1.
    pub(super) replica: bool,
}

impl Origin {
    /// A function, of no version in particular.
    fn of(function: FunctionKey) -> Self {
        Self {
            replica: matches!(&function, FunctionKey::Local(_)) && is_replica(function.name()),
            function: Rc::new(function),
            version: latest(),
            environment: None,
        }
    }

    /// The same, with the name of its log stream.
    pub(super) fn streamed(mut self, stream: Option<&str>) -> Self {
        if let Some(stream) = stream {
            self.environment = Some(environment_of_stream(stream));
            if let Some(version) = version_of_stream(stream) {
                self.version = Rc::from(version);
            }
        }
        self
    }
}

impl Hints {
    /// The time of a line that carries none: the first instant of its day.
    pub(super) fn undated(&self) -> Timestamp {
        self.date.unwrap_or(self.fallback_date).start()
    }

    /// The function of evidence if the input names none.
    pub(super) fn unnamed(&self) -> Origin {
        let file = || FunctionKey::of_file(&self.file_name);
        Origin::of(self.function.clone().unwrap_or_else(file))
    }

    /// Whose evidence it is by a name or an ARN, which may end in a version or an alias.
    pub(super) fn named(&self, text: &str, place: Place<'_>) -> Result<Origin, FunctionKeyError> {
        let (name, version) = match text.match_indices(':').nth(6) {
            Some((at, _)) if text.starts_with("arn:") => (&text[..at], Some(&text[at + 1..])),
            _ => (text, None),
        };
        let function = match FunctionKey::parse(name)? {
            FunctionKey::Local(name) => self.keyed(name, place),
            arn @ FunctionKey::Arn(_) => arn,
        };
        let number = version.filter(|v| v.bytes().all(|b| b.is_ascii_digit()) && !v.is_empty());
        Ok(Origin {
            version: number.map_or_else(latest, Rc::from),
            ..Origin::of(function)
        })
    }

    /// The function of evidence by its log: the name in the stream, or the group
    /// `/aws/lambda/NAME`, or the only function that logs there, or `--function`, or any other
    /// group's own name.
    pub(super) fn logged(
        &self,
        group: Option<&str>,
        stream: Option<&str>,
        place: Place<'_>,
    ) -> Origin {
        let in_stream = stream.and_then(function_of_stream);
        self.logger(group, in_stream, place).streamed(stream)
    }

    /// Returns the function that logs to `group` under the name `in_stream` in its stream's name.
    pub fn function_of_group(
        &self,
        group: &str,
        in_stream: Option<&str>,
        account: Option<&str>,
    ) -> Rc<FunctionKey> {
        let place = Place {
            account,
            region: None,
        };
        self.logger(Some(group), in_stream, place).function
    }

    /// Whose evidence it is by the group and by the name that stands in the stream's.
    fn logger(&self, group: Option<&str>, in_stream: Option<&str>, place: Place<'_>) -> Origin {
        let owner = group
            .and_then(|group| self.owners.function(group, in_stream))
            .filter(|arn| place.holds(arn));
        match owner {
            Some(arn) => Origin::of(FunctionKey::Arn(arn.clone())),
            None => self.by_name(group, in_stream, place),
        }
    }

    fn by_name(&self, group: Option<&str>, in_stream: Option<&str>, place: Place<'_>) -> Origin {
        let by_group = || group.and_then(|g| g.strip_prefix(LAMBDA_GROUPS));
        let group_itself = || group.filter(|_| self.function.is_none());
        let name = in_stream.or_else(by_group).or_else(group_itself);
        let named = name.and_then(|name| self.named(name, place).ok());
        named.unwrap_or_else(|| match &self.function {
            Some(FunctionKey::Local(name)) => Origin::of(self.keyed(name.clone(), place)),
            _ => self.unnamed(),
        })
    }

    /// The key of a name: an ARN if account and region are known, else as much as is known.
    fn keyed(&self, name: String, place: Place<'_>) -> FunctionKey {
        // The user's ARN has the account and region of this name.
        let known = self.function.as_ref().filter(|f| f.name() == name);
        if let Some(known) = known.filter(|known| known.arn().is_some_and(|arn| place.holds(arn))) {
            return known.clone();
        }
        let home = self.home.as_ref().or_else(|| self.owners.home());
        let account = place.account();
        let region = place.region();
        let lives = Home {
            account: account
                .or(home.map(|h| &*h.account))
                .unwrap_or_default()
                .to_owned(),
            region: region
                .or(home.map(|h| &*h.region))
                .unwrap_or_default()
                .to_owned(),
        };
        if let Some(arn) = lives.arn(&name) {
            return FunctionKey::Arn(arn);
        }
        match account.or(region) {
            Some(place) if name.split_once('/').is_none_or(|(known, _)| known != place) => {
                FunctionKey::local_in(place, &name)
            }
            _ => FunctionKey::Local(name),
        }
    }
}

/// Account and region, as far as an input has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) region: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// What has not the form of an account is none.
    fn account(self) -> Option<&'a str> {
        self.account.filter(|account| is_account(account))
    }

    fn region(self) -> Option<&'a str> {
        self.region.filter(|region| is_region(region))
    }

    /// Whether `arn` may be of this place.
    fn holds(self, arn: &FunctionArn) -> bool {
        self.account()
            .is_none_or(|account| account == arn.account())
            && self.region().is_none_or(|region| region == arn.region())
    }
}

/// Whether a name is that of a Lambda@Edge replica's log group: `us-east-1.NAME`. No function has a dot
/// in its name.
fn is_replica(name: &str) -> bool {
    name.split_once('.')
        .is_some_and(|(region, name)| is_region(region) && !name.is_empty())
}

fn latest() -> Rc<str> {
    Rc::from(LATEST)
}

#[cfg(test)]
pub(crate) mod tests {
    use rightsizer_records::FunctionArn;

    use super::*;

    pub(crate) fn hints() -> Hints {
        Hints {
            function: None,
            date: None,
            fallback_date: Day::parse("2026-11-20").unwrap(),
            file_name: "export.txt".to_owned(),
            home: None,
            owners: Arc::default(),
        }
    }

    fn of(account: &str) -> Place<'_> {
        Place {
            account: Some(account),
            region: None,
        }
    }

    #[test]
    fn one_name_in_two_accounts_is_two_functions() {
        let group = Some("/aws/lambda/checkout");
        let key = |hints: &Hints, place| hints.logged(group, None, place).function.to_string();
        let (one, two) = (of("111111111111"), of("222222222222"));
        assert_eq!(key(&hints(), one), "local:111111111111/checkout");
        assert_eq!(key(&hints(), two), "local:222222222222/checkout");
        let both = Place {
            region: Some("eu-west-1"),
            ..one
        };
        let arn = |account| format!("arn:aws:lambda:eu-west-1:{account}:function:checkout");
        assert_eq!(key(&hints(), both), arn("111111111111"));
        let region_only = Place {
            account: Some("not an account"),
            ..both
        };
        assert_eq!(key(&hints(), region_only), "local:eu-west-1/checkout");
        // What the user names is of one account only.
        let given = |name: &str| Hints {
            function: Some(FunctionKey::parse(name).unwrap()),
            ..hints()
        };
        let named = given(&arn("111111111111"));
        assert_eq!(key(&named, one), arn("111111111111"));
        assert_eq!(key(&named, two), "local:222222222222/checkout");
        assert_eq!(key(&given("checkout"), two), "local:222222222222/checkout");
        let own = given("cart").logged(None, None, two);
        assert_eq!(own.function.to_string(), "local:222222222222/cart");
    }

    #[test]
    fn a_replica_at_the_edge_is_recognised_by_its_group() {
        let replica = |group| hints().logged(Some(group), None, Place::default()).replica;
        assert!(replica("/aws/lambda/us-east-1.rewrite"));
        assert!(!replica("/aws/lambda/rewrite"));
        assert!(!replica("/aws/lambda/v1.rewrite"));
    }

    fn at_home(region: &str) -> Hints {
        let home = Home {
            account: "123456789012".to_owned(),
            region: region.to_owned(),
        };
        Hints {
            home: Some(home),
            ..hints()
        }
    }

    #[test]
    fn a_log_group_names_the_function() {
        let stream = Some("2026/11/20/[72]88ab");
        let origin = hints().logged(Some("/aws/lambda/checkout"), stream, Place::default());
        assert_eq!(origin.function.to_string(), "local:checkout");
        assert_eq!(&*origin.version, "72");
        assert_eq!(origin.environment, stream.map(environment_of_stream));
        let origin =
            at_home("cn-north-1").logged(Some("/aws/lambda/checkout"), None, Place::default());
        assert_eq!(
            origin.function.to_string(),
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:checkout"
        );
        // The owner of the log is where the function lives.
        let other = at_home("eu-west-1").logged(Some("/aws/lambda/a"), None, of("210987654321"));
        assert_eq!(other.function.arn().unwrap().account(), "210987654321");
    }

    #[test]
    fn a_group_of_ones_own_leaves_the_name_to_the_stream_or_the_user() {
        let group = Some("/shop/all");
        let stream = Some("2026/11/20/checkout[$LATEST]88ab");
        let key = |hints: &Hints, stream| {
            hints
                .logged(group, stream, Place::default())
                .function
                .to_string()
        };
        assert_eq!(key(&hints(), stream), "local:checkout");
        assert_eq!(key(&hints(), None), "local:/shop/all");
        let given = Hints {
            function: Some(FunctionKey::parse("cart").unwrap()),
            ..hints()
        };
        assert_eq!(key(&given, None), "local:cart");
        assert_eq!(
            hints()
                .logged(None, None, Place::default())
                .function
                .to_string(),
            "local:export.txt"
        );
    }

    #[test]
    fn the_inventory_maps_groups_to_functions_and_names_to_places() {
        let arn = |name| FunctionArn::new("aws", "eu-west-1", "123456789012", name).unwrap();
        let known = Hints {
            owners: Arc::new(Owners::of([
                (arn("cart"), "/shop/all".to_owned()),
                (arn("mail"), "/aws/lambda/post".to_owned()),
            ])),
            ..hints()
        };
        let key = |group, stream| {
            known
                .logged(Some(group), stream, Place::default())
                .function
                .to_string()
        };
        assert_eq!(key("/shop/all", None), arn("cart").as_str());
        // If a function logs to another one's group, the stream names it.
        let stream = Some("2026/11/20/mail[$LATEST]88ab");
        assert_eq!(key("/aws/lambda/post", stream), arn("mail").as_str());
        assert_eq!(key("/aws/lambda/other", None), arn("other").as_str());
    }

    #[test]
    fn the_users_arn_is_the_home_of_its_name() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:checkout";
        let given = Hints {
            function: Some(FunctionKey::parse(arn).unwrap()),
            ..hints()
        };
        assert_eq!(
            given
                .named("checkout", Place::default())
                .unwrap()
                .function
                .to_string(),
            arn
        );
        assert_eq!(
            given
                .named("cart", Place::default())
                .unwrap()
                .function
                .to_string(),
            "local:cart"
        );
    }

    #[test]
    fn a_qualified_arn_gives_key_and_version() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:checkout";
        for (suffix, version) in [
            ("", LATEST),
            (":7", "7"),
            (":live", LATEST),
            (":$LATEST", LATEST),
        ] {
            let origin = hints()
                .named(&format!("{arn}{suffix}"), Place::default())
                .unwrap();
            assert_eq!(
                (origin.function.to_string().as_str(), &*origin.version),
                (arn, version)
            );
        }
        assert!(hints().named("arn:aws:s3:::x", Place::default()).is_err());
        assert!(hints().named("", Place::default()).is_err());
    }
}
