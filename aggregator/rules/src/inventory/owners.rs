//! The function of lines in a custom log group, from the inventory.

use std::collections::HashMap;

use rightsizer_records::{FunctionArn, Partition};

/// Account and region that bare names belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
}

impl Home {
    /// The ARN of a function with this name here; `None` if that is not a valid ARN.
    pub fn arn(&self, name: &str) -> Option<FunctionArn> {
        self.arn_in(&self.account, name)
    }

    /// The ARN of a function with this name in this region of another account.
    pub(crate) fn arn_in(&self, account: &str, name: &str) -> Option<FunctionArn> {
        let partition = Partition::of_region(&self.region).name;
        FunctionArn::new(partition, &self.region, account, name).ok()
    }
}

/// Log groups of functions whose own name makes no `/aws/lambda/NAME` of them, and where names are at home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    home: Option<Home>,
    groups: HashMap<String, Vec<FunctionArn>>,
}

impl Owners {
    /// From functions with their log groups. Those that log to their default group are not needed,
    /// but show the account and region.
    pub fn of(functions: impl IntoIterator<Item = (FunctionArn, String)>) -> Self {
        let mut owners = Self::default();
        let mut places = Vec::new();
        for (function, group) in functions {
            let place = Home {
                account: function.account().to_owned(),
                region: function.region().to_owned(),
            };
            if places.len() < 2 && !places.contains(&place) {
                places.push(place);
            }
            if group.strip_prefix("/aws/lambda/") != Some(function.name()) {
                owners.groups.entry(group).or_default().push(function);
            }
        }
        // In two places a name means nothing by itself.
        owners.home = places.pop().filter(|_| places.is_empty());
        owners
    }

    /// The account and region of all functions, if it is the same.
    pub const fn home(&self) -> Option<&Home> {
        self.home.as_ref()
    }

    /// The function of a line: the only one that logs to `group`, or the one of them named `name`,
    /// which is in the log stream's name if functions share a group.
    pub fn function(&self, group: &str, name: Option<&str>) -> Option<&FunctionArn> {
        let loggers = self.groups.get(group)?;
        let mut meant = loggers
            .iter()
            .filter(|arn| name.is_none_or(|name| arn.name() == name));
        let first = meant.next()?;
        meant.next().is_none().then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn(region: &str, name: &str) -> FunctionArn {
        FunctionArn::new("aws", region, "123456789012", name).unwrap()
    }

    #[test]
    fn a_group_names_its_only_function_and_a_stream_one_of_several() {
        let west = |name| arn("eu-west-1", name);
        let owners = Owners::of([
            (west("cart"), "/shop/all".to_owned()),
            (west("pay"), "/shop/all".to_owned()),
            (west("mail"), "/mail".to_owned()),
            (west("plain"), "/aws/lambda/plain".to_owned()),
        ]);
        let name = |group, name| owners.function(group, name).map(FunctionArn::name);
        assert_eq!(name("/mail", None), Some("mail"));
        assert_eq!(name("/shop/all", None), None);
        assert_eq!(name("/shop/all", Some("pay")), Some("pay"));
        assert_eq!(name("/shop/all", Some("gone")), None);
        assert_eq!(name("/aws/lambda/plain", None), None);
        assert_eq!(owners.home().unwrap().region, "eu-west-1");
    }

    #[test]
    fn functions_of_two_regions_have_no_one_home() {
        let owners = Owners::of([
            (arn("eu-west-1", "a"), "/a".to_owned()),
            (arn("eu-west-2", "a"), "/a".to_owned()),
        ]);
        assert_eq!(owners.home(), None);
        assert_eq!(owners.function("/a", Some("a")), None);
    }
}
