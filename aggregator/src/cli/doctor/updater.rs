//! Checks whether the updater is paused, and whether that agrees with the store.

use rightsizer_aws::config::Place;
use rightsizer_aws::pause_tag::{TagUnread, UpdaterSwitch};
use rightsizer_records::FunctionArn;
use rightsizer_records::tags::PAUSED_TAG;

use super::finding::Finding;

/// Reads its tag. Setting it is not tried, because that would pause the updater.
pub(super) async fn examine(updater: FunctionArn, place: &Place, store_is_paused: bool) -> Finding {
    let name = updater.name().to_owned();
    let tag = UpdaterSwitch::of(updater, place).await.value().await;
    of(&name, tag, store_is_paused)
}

fn of(name: &str, tag: Result<Option<String>, TagUnread>, store_is_paused: bool) -> Finding {
    let stopped = |value: &String| !value.trim().eq_ignore_ascii_case("false");
    match tag {
        Err(why) => Finding::wrong(
            "updater",
            format!("lambda:ListTags of {name} fails: {why}; `pause` may not work"),
            "check that the function exists, and give this role the policy PausePolicy of the stack",
        ),
        Ok(Some(value)) if stopped(&value) => Finding::doubtful(
            "updater",
            format!("{name} is paused by its tag {PAUSED_TAG}: {value}"),
            "run `rightsizer resume` when the reason is gone",
        ),
        Ok(_) if store_is_paused => Finding::doubtful(
            "updater",
            format!("{name} is not paused, although sending is: what was sent is still applied"),
            "run `rightsizer pause --updater ARN` to pause it too",
        ),
        Ok(_) => Finding::ok("updater", format!("{name} is not paused")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn an_updater_that_disagrees_with_the_store_is_reported() {
        let verdict = |tag, paused| of("updater", tag, paused).verdict;
        let set = |value: &str| Ok(Some(value.to_owned()));
        assert_eq!(verdict(Ok(None), false), Verdict::Ok);
        assert_eq!(verdict(set("false"), false), Verdict::Ok);
        assert_eq!(verdict(Ok(None), true), Verdict::Doubtful);
        assert_eq!(verdict(set("by on-call"), true), Verdict::Doubtful);
        assert_eq!(
            verdict(Err(TagUnread("denied".to_owned())), false),
            Verdict::Wrong
        );
    }
}
