//! Whether the updater is stopped, and whether that is what the store says too.

use rightsizer_aws::pause_tag::UpdaterSwitch;
use rightsizer_records::FunctionArn;
use rightsizer_records::tags::PAUSED_TAG;

use super::finding::Finding;

/// Reads its tag. Whether it may be set is not tried: that would stop it.
pub(super) async fn examine(updater: FunctionArn, store_is_paused: bool) -> Finding {
    let name = updater.name().to_owned();
    let said = UpdaterSwitch::of(updater).await.says().await;
    of(&name, said, store_is_paused)
}

fn of(name: &str, said: Result<Option<String>, String>, store_is_paused: bool) -> Finding {
    let stopped = |value: &String| !value.trim().eq_ignore_ascii_case("false");
    match said {
        Err(why) => Finding::wrong(
            "updater",
            format!("lambda:ListTags of {name} fails: {why}; `pause` may not reach it"),
            "see that the function is there, and give this role the policy PausePolicy of the stack",
        ),
        Ok(Some(value)) if stopped(&value) => Finding::doubtful(
            "updater",
            format!("{name} is stopped by its tag {PAUSED_TAG}: {value}"),
            "`rightsizer resume` when the reason is gone",
        ),
        Ok(_) if store_is_paused => Finding::doubtful(
            "updater",
            format!("{name} is not stopped, although sending is paused: what was sent is applied"),
            "`rightsizer pause --updater ARN` stops it too",
        ),
        Ok(_) => Finding::ok("updater", format!("{name} is not stopped")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn an_updater_that_does_other_than_the_store_says_is_told() {
        let verdict = |said, paused| of("updater", said, paused).verdict;
        let says = |value: &str| Ok(Some(value.to_owned()));
        assert_eq!(verdict(Ok(None), false), Verdict::Ok);
        assert_eq!(verdict(says("false"), false), Verdict::Ok);
        assert_eq!(verdict(Ok(None), true), Verdict::Doubtful);
        assert_eq!(verdict(says("by on-call"), true), Verdict::Doubtful);
        assert_eq!(verdict(Err("denied".to_owned()), false), Verdict::Wrong);
    }
}
