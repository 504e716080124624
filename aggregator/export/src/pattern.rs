//! Names that a template computes: text with parts that only a deployment knows.

use super::Size;

/// A part of a computed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it is.
    Text(String),
    /// The stage that is deployed.
    Stage,
    /// The stack's name.
    Stack,
    /// The region.
    Region,
    /// The account's id.
    Account,
    /// A default that a deployment may replace.
    Default(String),
    /// Whatever else.
    Unknown,
}

/// A computed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) Vec<Part>);

/// What a name has to do with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is the name.
    Is,
    /// It may be the name: a part is not known.
    MayBe,
    /// It is not the name.
    IsNot,
}

impl Pattern {
    /// Splits `text` at `${…}` and resolves each with `of`.
    pub(super) fn parse(text: &str, of: impl Fn(&str) -> Part) -> Self {
        Self::parse_parts(text, |inside| vec![of(inside)])
    }

    /// The same if what stands in `${…}` is itself made of parts.
    pub(super) fn parse_parts(text: &str, mut of: impl FnMut(&str) -> Vec<Part>) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once("${") {
            parts.push(Part::Text(before.to_owned()));
            let Some((inside, after)) = closing(inside) else {
                parts.push(Part::Unknown);
                return Self(parts);
            };
            parts.extend(of(inside.trim()));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Self(parts)
    }

    /// Whether a function has this name. `stage` is the deployed one, if known; else the text in
    /// its place is the stage. A name that the defaults make is certain; without them it may still
    /// be.
    pub(super) fn fit(&self, size: &Size, stage: Option<&str>) -> Fit {
        match self.fit_of(&self.resolved(size, stage), size) {
            Fit::Is => Fit::Is,
            _ => self.fit_of(&self.without_defaults(size, stage), size),
        }
    }

    fn fit_of(&self, resolved: &[Option<String>], size: &Size) -> Fit {
        if self.only_the_stage_is_open(resolved) {
            let is = stage_in(&size.name, resolved).is_some();
            return if is { Fit::Is } else { Fit::IsNot };
        }
        let open: Vec<Option<&str>> = resolved.iter().map(Option::as_deref).collect();
        if glob(&size.name, &open) {
            Fit::MayBe
        } else {
            Fit::IsNot
        }
    }

    /// The stage in the function's name, if it has one.
    pub(super) fn stage<'s>(&self, size: &'s Size) -> Option<&'s str> {
        let resolved = self.resolved(size, None);
        if !self.only_the_stage_is_open(&resolved) {
            return None;
        }
        stage_in(&size.name, &resolved).filter(|stage| !stage.is_empty())
    }

    /// The parts' texts; `None` of those that are not known.
    fn resolved(&self, size: &Size, stage: Option<&str>) -> Vec<Option<String>> {
        let known = |part: &Part| match part {
            Part::Text(text) | Part::Default(text) => Some(text.clone()),
            Part::Stage => stage.map(str::to_owned),
            Part::Stack => size.stack.clone(),
            Part::Region => size.region().map(str::to_owned),
            Part::Account => size.account().map(str::to_owned),
            Part::Unknown => None,
        };
        self.0.iter().map(known).collect()
    }

    /// The same if the defaults are not what is deployed.
    fn without_defaults(&self, size: &Size, stage: Option<&str>) -> Vec<Option<String>> {
        let parts = self.0.iter().zip(self.resolved(size, stage));
        let known = |(part, text)| match part {
            &Part::Default(_) => None,
            _ => text,
        };
        parts.map(known).collect()
    }

    fn only_the_stage_is_open(&self, resolved: &[Option<String>]) -> bool {
        let mut parts = self.0.iter().zip(resolved);
        parts.all(|(part, text)| text.is_some() || *part == Part::Stage)
    }

    /// Whether it has any text: without one every name matches.
    pub(super) fn is_specific(&self) -> bool {
        let mut parts = self.0.iter();
        parts.any(|part| matches!(part, Part::Text(text) if !text.is_empty()))
    }
}

/// The text in all unresolved places of a name, the same in each; empty if there is no such place,
/// `None` if the name does not match.
fn stage_in<'n>(name: &'n str, resolved: &[Option<String>]) -> Option<&'n str> {
    let fixed: usize = resolved.iter().flatten().map(String::len).sum();
    let places = resolved.iter().filter(|text| text.is_none()).count();
    let first = resolved.iter().take_while(|text| text.is_some());
    let before: usize = first.flatten().map(String::len).sum();
    let mut stage = "";
    if places > 0 {
        let one = name.len().checked_sub(fixed)?.checked_div(places)?;
        stage = name.get(before..before + one).filter(|_| one > 0)?;
    }
    let whole = resolved.iter().map(|text| text.as_deref().unwrap_or(stage));
    (whole.collect::<String>() == name).then_some(stage)
}

/// Up to the brace that closes `${`: some expressions hold others.
pub(super) fn closing(inside: &str) -> Option<(&str, &str)> {
    let mut depth = 1_usize;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((inside.get(..at)?, inside.get(at + 1..)?));
        }
    }
    None
}

/// Whether `name` is these texts in their order with anything in place of `None`. Each text between
/// two unknown parts is matched at its first occurrence, so one pass is enough.
fn glob(name: &str, parts: &[Option<&str>]) -> bool {
    let mut texts = vec![String::new()];
    for part in parts {
        match (part, texts.last_mut()) {
            (Some(text), Some(last)) => last.push_str(text),
            _ => texts.push(String::new()),
        }
    }
    let Some((first, rest)) = texts.split_first() else {
        return false;
    };
    let Some((last, middle)) = rest.split_last() else {
        return name == first;
    };
    let left = name.strip_prefix(first.as_str());
    let left = middle.iter().try_fold(left, |left, text| {
        let (_, after) = left?.split_once(text.as_str())?;
        Some(Some(after))
    });
    left.flatten().is_some_and(|left| left.ends_with(last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rightsizer_records::Megabytes;

    use super::*;

    fn size(name: &str) -> Size {
        Size {
            function: format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"),
            name: name.to_owned(),
            from_mb: Megabytes(1024),
            to_mb: Megabytes(300),
            target_mb: None,
            id: String::new(),
            status: String::new(),
            urgent: false,
            stack: Some("shop-prod".to_owned()),
            logical_id: None,
        }
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, |inside| match inside {
            "stage" => Part::Stage,
            "stack" => Part::Stack,
            "region" => Part::Region,
            _ => Part::Unknown,
        })
    }

    fn fit(text: &str, name: &str, stage: Option<&str>) -> Fit {
        pattern(text).fit(&size(name), stage)
    }

    #[test]
    fn known_parts_decide_and_unknown_ones_only_hint() {
        assert_eq!(fit("shop-api", "shop-api", None), Fit::Is);
        assert_eq!(fit("shop-api", "shop-apis", None), Fit::IsNot);
        assert_eq!(fit("${stack}-api", "shop-prod-api", None), Fit::Is);
        assert_eq!(fit("${stack}-api", "shop-dev-api", None), Fit::IsNot);
        assert_eq!(fit("api-${region}", "api-eu-west-1", None), Fit::Is);
        assert_eq!(fit("${var.env}-api", "prod-api", None), Fit::MayBe);
        assert_eq!(fit("${var.env}-api", "prod-web", None), Fit::IsNot);
        assert_eq!(fit("a-${f({})}-b", "a-x-b", None), Fit::MayBe);
        assert_eq!(fit("a-${broken", "a-x", None), Fit::MayBe);
    }

    #[test]
    fn the_stage_is_what_stands_in_its_place() {
        assert_eq!(fit("shop-${stage}-api", "shop-dev-api", None), Fit::Is);
        assert_eq!(fit("shop-${stage}-api", "shop--api", None), Fit::IsNot);
        assert_eq!(
            fit("shop-${stage}-api", "shop-dev-api", Some("prod")),
            Fit::IsNot
        );
        assert_eq!(
            fit("shop-${stage}-api", "shop-prod-api", Some("prod")),
            Fit::Is
        );
        assert_eq!(fit("${stage}-api-${stage}", "dev-api-dev", None), Fit::Is);
        assert_ne!(fit("${stage}-api-${stage}", "dev-api-tst", None), Fit::Is);
        assert_eq!(fit("${stage}-${other}", "dev-x", None), Fit::MayBe);
    }

    proptest! {
        /// A name made of a pattern and a stage is that pattern's name, whatever the texts are.
        #[test]
        fn what_a_pattern_makes_it_knows(
            before in "[a-z-]{0,6}", stage in "[a-z0-9-]{1,5}", after in "[a-zé-]{0,6}", twice: bool,
        ) {
            let again = if twice { "${stage}" } else { "" };
            let text = format!("{before}${{stage}}{after}{again}");
            let name = text.replace("${stage}", &stage);
            prop_assert_eq!(fit(&text, &name, None), Fit::Is);
            prop_assert_eq!(fit(&text, &name, Some(&stage)), Fit::Is);
            let other = format!("{stage}x");
            prop_assert_ne!(fit(&text, &name, Some(&other)), Fit::Is);
        }
    }
}
