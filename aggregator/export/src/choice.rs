//! Which recommendations may be exported, and why others may not.

use rightsizer_records::tags::{LOGICAL_ID_TAG, MAX_TAG, MIN_TAG, STACK_TAG};
use rightsizer_records::{ApplyMode, Timestamp};
use rightsizer_rules::candidates::Candidate;
use rightsizer_rules::lifecycle::Status;
use rightsizer_rules::policy::Configured;

use super::{Size, name_of};

/// Why one is not exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The function.
    pub function: String,
    /// A code, the same as the updater's if it has one for this.
    pub code: &'static str,
    /// What it means and what to do.
    pub words: String,
}

/// What to export of one function, or why nothing is.
pub fn choose(of: &Candidate, now: Timestamp) -> Result<Size, LeftOut> {
    let tags = of.tags.iter().flatten();
    let tags = tags.map(|(name, value)| (name.as_str(), value.as_str()));
    objection(of, &Configured::read(None, tags, &[]), now).map_or_else(
        || Ok(size(of)),
        |(code, words)| {
            Err(LeftOut {
                function: of.function.clone(),
                code,
                words,
            })
        },
    )
}

fn objection(
    of: &Candidate,
    configured: &Configured,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    if of.gone {
        return Some(("gone", "the function no longer exists".to_owned()));
    }
    if configured.mode == Some(ApplyMode::Off) {
        let words = "its tag rightsizer:mode is off".to_owned();
        return Some(("opted-out", words));
    }
    let waits = matches!(of.status, Status::Open | Status::Approved);
    if waits && of.expires_at <= now {
        let words = format!(
            "it expired at {}: `rightsizer approve` keeps an open one valid for 14 days; otherwise \
             the next decision replaces it",
            of.expires_at
        );
        return Some(("expired", words));
    }
    // What has its new size already stays in the values: without it a pipeline would put the old one back.
    let done = matches!(of.status, Status::Applied | Status::Verified);
    if of.current_mb != of.to_mb && (done || of.current_mb != of.from_mb) {
        let words = format!(
            "it was decided for {} → {}, but the function has {} now",
            of.from_mb, of.to_mb, of.current_mb
        );
        return Some(("stale-from", words));
    }
    if let Some(until) = of.held_until.filter(|until| *until > now)
        && of.to_mb < of.from_mb
        && !done
    {
        let words = format!("its decreases are held until {until}: `rightsizer release` ends that");
        return Some(("held", words));
    }
    outside_tags(of, configured)
}

fn outside_tags(of: &Candidate, configured: &Configured) -> Option<(&'static str, String)> {
    let least = configured.min_mb.filter(|least| of.to_mb < *least);
    let most = configured.max_mb.filter(|most| of.to_mb > *most);
    let (tag, bound) = match (least, most) {
        (Some(least), _) => (MIN_TAG, least),
        (None, Some(most)) => (MAX_TAG, most),
        (None, None) => return None,
    };
    let words = format!("{} is outside its tag {tag} of {bound}", of.to_mb);
    Some(("outside-tags", words))
}

fn size(of: &Candidate) -> Size {
    let tag = |name: &str| of.tags.as_ref()?.get(name).cloned();
    Size {
        function: of.function.clone(),
        name: name_of(&of.function).to_owned(),
        from_mb: of.from_mb,
        to_mb: of.to_mb,
        target_mb: of.target_mb,
        id: of.id.clone(),
        status: of.status.name().to_owned(),
        urgent: of.urgent,
        stack: tag(STACK_TAG),
        logical_id: tag(LOGICAL_ID_TAG),
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;
    use rightsizer_rules::inventory::Tags;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn candidate() -> Candidate {
        Candidate {
            function: "arn:aws:lambda:eu-west-1:123456789012:function:checkout".to_owned(),
            id: "id".to_owned(),
            status: Status::Approved,
            from_mb: Megabytes(1024),
            to_mb: Megabytes(300),
            target_mb: Some(Megabytes(300)),
            urgent: false,
            expires_at: at("2026-06-02T00:00:00Z"),
            current_mb: Megabytes(1024),
            held_until: None,
            tags: None,
            gone: false,
        }
    }

    fn code(change: impl FnOnce(&mut Candidate)) -> &'static str {
        let mut of = candidate();
        change(&mut of);
        choose(&of, at("2026-06-01T00:00:00Z")).map_or_else(|left| left.code, |_| "exported")
    }

    fn tagged(name: &str, value: &str) -> Tags {
        [(name.to_owned(), value.to_owned())].into()
    }

    #[test]
    fn what_must_not_be_deployed_is_left_out_with_its_reason() {
        assert_eq!(code(|_| ()), "exported");
        assert_eq!(code(|of| of.gone = true), "gone");
        assert_eq!(
            code(|of| of.tags = Some(tagged("rightsizer:mode", "off"))),
            "opted-out"
        );
        assert_eq!(
            code(|of| of.tags = Some(tagged("rightsizer:mode", "recommend"))),
            "exported"
        );
        assert_eq!(
            code(|of| of.expires_at = at("2026-06-01T00:00:00Z")),
            "expired"
        );
        assert_eq!(code(|of| of.current_mb = Megabytes(2048)), "stale-from");
        assert_eq!(
            code(|of| of.held_until = Some(at("2026-06-01T00:00:01Z"))),
            "held"
        );
        assert_eq!(
            code(|of| of.held_until = Some(at("2026-06-01T00:00:00Z"))),
            "exported"
        );
        assert_eq!(
            code(|of| of.tags = Some(tagged("rightsizer:min-mb", "301"))),
            "outside-tags"
        );
        assert_eq!(
            code(|of| of.tags = Some(tagged("rightsizer:max-mb", "299"))),
            "outside-tags"
        );
    }

    #[test]
    fn an_increase_is_not_held() {
        let held = |of: &mut Candidate| {
            of.to_mb = Megabytes(2048);
            of.held_until = Some(at("2026-06-03T00:00:00Z"));
        };
        assert_eq!(code(held), "exported");
    }

    /// A pipeline has deployed it, or the updater has: it stays in the values unless another size
    /// was chosen since. An applied change does not expire.
    #[test]
    fn what_has_its_new_size_already_stays_in() {
        assert_eq!(code(|of| of.current_mb = Megabytes(300)), "exported");
        let verified = |of: &mut Candidate| {
            of.status = Status::Verified;
            of.current_mb = Megabytes(300);
            of.expires_at = at("2026-01-01T00:00:00Z");
        };
        assert_eq!(code(verified), "exported");
        assert_eq!(code(|of| of.status = Status::Applied), "stale-from");
    }

    #[test]
    fn names_and_tags_are_read() {
        let mut of = candidate();
        of.tags = Some(
            [(STACK_TAG, "shop"), (LOGICAL_ID_TAG, "Checkout")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        let size = choose(&of, at("2026-06-01T00:00:00Z")).unwrap();
        assert_eq!(size.name, "checkout");
        assert_eq!(size.stack.as_deref(), Some("shop"));
        assert_eq!(size.logical_id.as_deref(), Some("Checkout"));
        assert_eq!(
            (size.region(), size.account()),
            (Some("eu-west-1"), Some("123456789012"))
        );
        of.function = "local:checkout".to_owned();
        assert_eq!(
            choose(&of, at("2026-06-01T00:00:00Z")).unwrap().name,
            "checkout"
        );
    }
}
