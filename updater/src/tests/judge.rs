//! Every reason to skip a function, and what is not a reason.

use proptest::prelude::*;
use rightsizer_records::{
    ApplyMode, FunctionArn, Megabytes, Millis, Mode, Recommendation, SkipCode,
};

use super::{live, now, rec, settings};
use crate::{LastUpdate, LiveFunction, Place, Settings, Verdict, judge};

/// Changes one thing about a case that would be applied, and judges it.
fn judged(change: impl FnOnce(&mut Recommendation, &mut LiveFunction, &mut Settings)) -> Verdict {
    let (mut rec, mut live, mut settings) = (rec(), live(), settings());
    change(&mut rec, &mut live, &mut settings);
    judge(&rec, &live, &settings, now())
}

#[track_caller]
fn skips(
    want: SkipCode,
    change: impl FnOnce(&mut Recommendation, &mut LiveFunction, &mut Settings),
) {
    match judged(change) {
        Verdict::Skip { code, detail } => {
            assert_eq!(code, want, "{detail}");
            assert!(!detail.is_empty());
        }
        other => panic!("wanted {want}, got {other:?}"),
    }
}

fn tag(live: &mut LiveFunction, key: &str, value: &str) {
    let tags = live.tags.get_or_insert_default();
    tags.insert(format!("rightsizer:{key}"), value.to_owned());
}

fn approve(rec: &mut Recommendation) {
    rec.mode = Mode::Approved;
    rec.by = Some("on-call".to_owned());
}

#[test]
fn nothing_in_the_way_means_apply() {
    assert_eq!(judged(|_, _, _| ()), Verdict::Apply);
}

#[test]
fn other_accounts_and_regions_are_left_alone() {
    let arn = |region, account| FunctionArn::new("aws", region, account, "checkout").unwrap();
    skips(SkipCode::OtherAccount, |rec, _, _| {
        rec.function = arn("eu-central-1", "210987654321");
    });
    skips(SkipCode::OtherRegion, |rec, _, _| {
        rec.function = arn("us-east-1", "123456789012");
    });
    skips(SkipCode::OtherAccount, |_, _, settings| {
        settings.accept.clear();
    });
}

#[test]
fn functions_that_cannot_be_sized_are_left_alone() {
    skips(SkipCode::ServedByVersion, |rec, _, _| {
        rec.version = "7".to_owned();
    });
    skips(SkipCode::EdgeReplica, |_, live, _| live.edge_replica = true);
    skips(SkipCode::ManagedInstances, |_, live, _| {
        live.managed_instances = true;
    });
}

/// The function of the fixture has 1024 MB, 3 seconds, and nothing that CloudFront refuses.
#[test]
fn what_cloudfront_may_run_is_left_alone_unless_its_tag_says_that_it_does_not() {
    let east = |rec: &mut Recommendation, live: &mut LiveFunction, settings: &mut Settings| {
        rec.function = FunctionArn::new("aws", "us-east-1", "123456789012", "checkout").unwrap();
        settings.accept = vec![Place::of(&rec.function)];
        tag(live, "mode", "auto");
    };
    let skips = |change: fn(&mut Recommendation, &mut LiveFunction)| {
        skips(SkipCode::EdgeFunction, |rec, live, settings| {
            east(rec, live, settings);
            change(rec, live);
        });
    };
    let applies = |change: fn(&mut Recommendation, &mut LiveFunction)| {
        let verdict = judged(|rec, live, settings| {
            east(rec, live, settings);
            change(rec, live);
        });
        assert_eq!(verdict, Verdict::Apply);
    };
    let viewer = |rec: &mut Recommendation, live: &mut LiveFunction| {
        (rec.from_mb, rec.to_mb) = (Megabytes(128), Megabytes(256));
        live.memory_mb = rec.from_mb;
    };
    skips(|_, _| ());
    // A person who approves a size may not know of the distribution either.
    skips(|rec, _| approve(rec));
    skips(|_, live| tag(live, "edge", "yes"));
    skips(viewer);
    skips(|_, live| live.timeout = Some(Millis::from_ms(30_000)));

    applies(|_, live| tag(live, "edge", "no"));
    applies(|_, live| live.edge_ready = false);
    applies(|_, live| live.timeout = Some(Millis::from_ms(30_001)));
    // An increase that only viewer events would not allow is no danger to what cannot have them.
    applies(|rec, _| rec.to_mb = Megabytes(2048));
    applies(|rec, live| {
        (rec.from_mb, rec.to_mb) = (Megabytes(128), Megabytes(256));
        live.memory_mb = rec.from_mb;
        live.timeout = Some(Millis::from_ms(5_001));
    });
}

#[test]
fn the_functions_own_tag_decides_before_the_default() {
    skips(SkipCode::OptedOut, |_, live, _| tag(live, "mode", "off"));
    skips(SkipCode::RecommendOnly, |_, live, _| {
        tag(live, "mode", "recommend");
    });
    skips(SkipCode::RecommendOnly, |_, _, settings| {
        settings.default_mode = ApplyMode::Recommend;
    });
    skips(SkipCode::OptedOut, |_, _, settings| {
        settings.default_mode = ApplyMode::Off;
    });
    let auto_by_tag = judged(|_, live, settings| {
        settings.default_mode = ApplyMode::Off;
        tag(live, "mode", "auto");
    });
    assert_eq!(auto_by_tag, Verdict::Apply);
}

#[test]
fn approval_overrides_recommend_and_never_off() {
    let approved = judged(|rec, live, _| {
        approve(rec);
        tag(live, "mode", "recommend");
    });
    assert_eq!(approved, Verdict::Apply);
    skips(SkipCode::OptedOut, |rec, live, _| {
        approve(rec);
        tag(live, "mode", "off");
    });
    skips(SkipCode::Paused, |rec, _, settings| {
        approve(rec);
        settings.paused = true;
    });
}

#[test]
fn tags_that_cannot_be_read_or_understood_stop_it() {
    skips(SkipCode::TagsUnreadable, |_, live, _| live.tags = None);
    skips(SkipCode::BadTag, |_, live, _| tag(live, "mode", "on"));
    skips(SkipCode::BadTag, |_, live, _| tag(live, "min-mb", "256MB"));
    skips(SkipCode::BadTag, |_, live, _| tag(live, "max-mb", "-1"));
}

#[test]
fn what_is_out_of_date_is_left_alone() {
    skips(SkipCode::Expired, |rec, _, _| rec.expires_at = now());
    assert_eq!(
        judged(|rec, _, _| rec.expires_at = now().plus_ms(1)),
        Verdict::Apply
    );
    skips(SkipCode::StaleFrom, |_, live, _| {
        live.memory_mb = Megabytes(768);
    });
    skips(SkipCode::CodeChanged, |rec, _, _| {
        rec.code_sha256 = Some("code-0".to_owned());
    });
    skips(SkipCode::CodeChanged, |rec, _, _| {
        rec.code_sha256 = Some("code-0".to_owned());
        rec.urgent = true;
    });
    let ran_out = judged(|rec, _, _| {
        rec.code_sha256 = Some("code-0".to_owned());
        (rec.urgent, rec.to_mb) = (true, Megabytes(2048));
    });
    assert_eq!(ran_out, Verdict::Apply);
    let same_code = judged(|rec, _, _| rec.code_sha256 = Some("code-1".to_owned()));
    assert_eq!(same_code, Verdict::Apply);
}

#[test]
fn a_size_that_no_function_can_have_is_refused_whatever_the_function_is() {
    for mb in [0, 1, 127, 10_241, 99_999] {
        skips(SkipCode::OutsideLimits, |rec, _, _| {
            rec.to_mb = Megabytes(mb);
        });
    }
}

#[test]
fn a_function_of_a_stack_is_skipped_unless_its_tag_or_an_approval_allows_it() {
    let stack = |live: &mut LiveFunction| {
        let tags = live.tags.get_or_insert_default();
        tags.insert(
            "aws:cloudformation:stack-name".to_owned(),
            "shop".to_owned(),
        );
    };
    skips(SkipCode::StackOwned, |_, live, _| stack(live));
    let tagged = judged(|_, live, _| {
        stack(live);
        tag(live, "mode", "auto");
    });
    assert_eq!(tagged, Verdict::Apply);
    let approved = judged(|rec, live, _| {
        approve(rec);
        stack(live);
    });
    assert_eq!(approved, Verdict::Apply);
}

/// Out of memory after an approved decrease: the rollback needs no approval.
#[test]
fn the_way_back_up_needs_no_approval_and_still_no_function_that_opted_out() {
    let undo = |rec: &mut Recommendation| {
        rec.rollback_of = Some("5f1c0a9b3e7d2467".to_owned());
        rec.to_mb = Megabytes(2048);
    };
    let back = judged(|rec, live, _| {
        undo(rec);
        tag(live, "mode", "recommend");
    });
    assert_eq!(back, Verdict::Apply);
    skips(SkipCode::OptedOut, |rec, live, _| {
        undo(rec);
        tag(live, "mode", "off");
    });
    // What calls itself a way back and goes down is none.
    skips(SkipCode::RecommendOnly, |rec, live, _| {
        undo(rec);
        rec.to_mb = Megabytes(512);
        tag(live, "mode", "recommend");
    });
}

#[test]
fn sizes_stay_inside_the_limits_and_the_functions_own_bounds() {
    skips(SkipCode::OutsideLimits, |rec, _, _| {
        rec.to_mb = Megabytes(127);
    });
    skips(SkipCode::OutsideLimits, |rec, _, _| {
        rec.to_mb = Megabytes(10_241);
    });
    skips(SkipCode::OutsideLimits, |rec, _, settings| {
        rec.to_mb = Megabytes(4096);
        settings.account_most = Megabytes(3008);
    });
    skips(SkipCode::OutsideTags, |_, live, _| {
        tag(live, "min-mb", "513");
    });
    assert_eq!(
        judged(|_, live, _| tag(live, "min-mb", "512")),
        Verdict::Apply
    );
    skips(SkipCode::OutsideTags, |rec, live, _| {
        rec.to_mb = Megabytes(2049);
        tag(live, "max-mb", "2048");
    });
}

#[test]
fn a_decrease_keeps_the_slowest_invocations_clear_of_the_timeout() {
    // 1024 → 512 MB halves the CPU: p99 1050 ms becomes 2100 ms = 70 % of 3000 ms, just allowed.
    let p99 = |ms| {
        move |rec: &mut Recommendation, _: &mut LiveFunction, _: &mut Settings| {
            rec.p99_ms = Millis::from_ms_f64(ms);
        }
    };
    assert_eq!(judged(p99(1050.0)), Verdict::Apply);
    skips(SkipCode::TimeoutRisk, p99(1050.1));
    // An approval does not make the function faster.
    skips(SkipCode::TimeoutRisk, |rec, _, _| {
        approve(rec);
        rec.p99_ms = Some(Millis::from_ms(1100));
    });
    // Above 1769 MB a thread has its whole CPU already: 3538 → 1769 MB costs no time.
    let above_one_cpu = judged(|rec, live, _| {
        (rec.from_mb, rec.to_mb) = (Megabytes(3538), Megabytes(1769));
        live.memory_mb = rec.from_mb;
        rec.p99_ms = Some(Millis::from_ms(2100));
    });
    assert_eq!(above_one_cpu, Verdict::Apply);
    // An increase only ever makes it faster.
    let increase = judged(|rec, _, _| {
        rec.to_mb = Megabytes(2048);
        rec.p99_ms = Some(Millis::from_ms(2999));
    });
    assert_eq!(increase, Verdict::Apply);
}

#[test]
fn what_is_not_known_about_time_needs_a_person() {
    skips(SkipCode::TimeoutUnknown, |rec, _, _| rec.p99_ms = None);
    skips(SkipCode::TimeoutUnknown, |_, live, _| live.timeout = None);
    let approved = judged(|rec, _, _| {
        approve(rec);
        rec.p99_ms = None;
    });
    assert_eq!(approved, Verdict::Apply);
}

#[test]
fn a_function_that_is_being_changed_is_left_alone() {
    let status = |s: &str| Some(s.to_owned());
    skips(SkipCode::UpdateInProgress, |_, live, _| {
        live.last_update = LastUpdate::InProgress;
    });
    skips(SkipCode::UpdateInProgress, |_, live, _| {
        live.state = status("Pending");
    });
    skips(SkipCode::NotUpdatable, |_, live, _| {
        live.state = status("Failed");
    });
    skips(SkipCode::NotUpdatable, |_, live, _| {
        live.state = status("Deleting");
    });
    assert_eq!(
        judged(|_, live, _| live.state = status("Inactive")),
        Verdict::Apply
    );
    assert_eq!(judged(|_, live, _| live.state = None), Verdict::Apply);
    assert_eq!(
        judged(|_, live, _| live.last_update = LastUpdate::Failed("a reason".to_owned())),
        Verdict::Apply
    );
}

#[test]
fn a_second_delivery_is_answered_the_same_however_late() {
    let late = judged(|rec, live, settings| {
        live.memory_mb = rec.to_mb;
        rec.expires_at = now().plus_ms(-1);
        settings.paused = true;
    });
    assert_eq!(late, Verdict::AlreadyThere);
    // But the size of $LATEST proves nothing about a published version.
    skips(SkipCode::ServedByVersion, |rec, live, _| {
        live.memory_mb = rec.to_mb;
        rec.version = "7".to_owned();
    });
}

proptest! {
    /// Whatever a stranger writes into a recommendation, nothing is applied that leaves the limits,
    /// the function's own bounds, or a function that opted out.
    #[test]
    fn the_function_and_the_limits_always_win(
        from in 1_u32..70_000,
        to in 1_u32..70_000,
        live_mb in prop_oneof![Just(1024_u32), 128_u32..10_240],
        least in 128_u32..2_000,
        most in 128_u32..10_240,
        off in any::<bool>(),
        approved in any::<bool>(),
        p99 in 0_u64..1_000_000,
    ) {
        let verdict = judged(|rec, live, _| {
            (rec.from_mb, rec.to_mb) = (Megabytes(from), Megabytes(to));
            rec.p99_ms = Some(Millis::from_ms(p99));
            live.memory_mb = Megabytes(live_mb);
            tag(live, "min-mb", &least.to_string());
            tag(live, "max-mb", &most.to_string());
            tag(live, "mode", if off { "off" } else { "auto" });
            if approved { approve(rec); }
        });
        if verdict == Verdict::Apply {
            prop_assert!(!off && live_mb == from);
            prop_assert!((128..=10_240).contains(&to) && to >= least && to <= most);
        }
    }
}
