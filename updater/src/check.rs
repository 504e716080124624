//! Decides whether a recommendation may be applied to a function as it is now. Pure: no clock, no
//! calls.
//!
//! A recommendation is untrusted input: any program that can write to the stream can write one. So
//! everything is checked against the function itself, and the function's own tags take precedence.

use std::collections::BTreeMap;

use rightsizer_records::limits::{LAMBDA_LEAST, ONE_VCPU, TIMEOUT_SHARE};
use rightsizer_records::tags::{ALIAS_TAG, EDGE_TAG, MAX_TAG, MIN_TAG, MODE_TAG, STACK_TAG};
use rightsizer_records::{ApplyMode, Megabytes, Millis, Mode, Recommendation, SkipCode, Timestamp};

use crate::settings::read_mode;
use crate::{LastUpdate, LiveFunction, Place, Settings};

/// The unpublished version.
pub(crate) const LATEST: &str = "$LATEST";

/// The answer of [`judge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Make the change.
    Apply,
    /// The function has the wanted size already: nothing to do, and the wish is fulfilled. This is
    /// what a second delivery of an applied recommendation finds.
    AlreadyThere,
    /// Leave the function as it is.
    Skip {
        /// Why, as a code.
        code: SkipCode,
        /// Why, in words with the figures.
        detail: String,
    },
}

pub(crate) type Check<T = ()> = Result<T, (SkipCode, String)>;

/// Judges a recommendation without reading the function: what can be refused for free.
pub(crate) fn judge_unread(rec: &Recommendation, settings: &Settings) -> Check {
    place(rec, settings)?;
    limits(rec, settings)
}

/// Judges a recommendation for `$LATEST` against the function as it is now.
///
/// What the function is comes first, then whether the size is there already (a redelivery is
/// answered the same however late it comes), then whether the change is wanted, then whether it is
/// safe.
pub fn judge(
    rec: &Recommendation,
    live: &LiveFunction,
    settings: &Settings,
    now: Timestamp,
) -> Verdict {
    let kind = judge_unread(rec, settings).and_then(|()| {
        sizable(live)?;
        skip_if(rec.version != LATEST, SkipCode::ServedByVersion, || {
            let version = &rec.version;
            format!("its traffic is on version {version}, which changing $LATEST does not reach")
        })
    });
    if let Err(skip) = kind {
        return skipped(skip);
    }
    if live.memory_mb == rec.to_mb {
        return Verdict::AlreadyThere;
    }
    change(rec, live, settings, now).map_or_else(skipped, |()| Verdict::Apply)
}

/// Whether what serves the traffic, `$LATEST` or the version in its stead, may be changed.
pub(crate) fn change(
    rec: &Recommendation,
    live: &LiveFunction,
    settings: &Settings,
    now: Timestamp,
) -> Check {
    wanted(rec, live, settings, now)?;
    current(rec, live)?;
    own_limits(rec, live)?;
    away_from_the_edge(rec, live)?;
    fast_enough(rec, live)?;
    idle(live)
}

/// The alias that may be moved for this function, by its tag.
pub(crate) fn alias_to_move<'a>(rec: &Recommendation, live: &'a LiveFunction) -> Check<&'a str> {
    let tags = tags(live)?;
    let alias = tags.get(ALIAS_TAG).map(|alias| alias.trim());
    let Some(alias) = alias.filter(|alias| !alias.is_empty()) else {
        let detail = format!(
            "its traffic is on version {}, which changing $LATEST does not reach: set the size in \
             the pipeline that publishes it, or name the alias to move in the tag {ALIAS_TAG}",
            rec.version
        );
        return Err((SkipCode::ServedByVersion, detail));
    };
    if let Some(stack) = tags.get(STACK_TAG) {
        let detail = format!(
            "the stack {stack} would move its alias {alias} back: set the size in its template"
        );
        return Err((SkipCode::AliasManaged, detail));
    }
    Ok(alias)
}

pub(crate) fn skipped((code, detail): (SkipCode, String)) -> Verdict {
    Verdict::Skip { code, detail }
}

/// `Err` with the code and the words when `bad`.
fn skip_if(bad: bool, code: SkipCode, detail: impl FnOnce() -> String) -> Check {
    if bad { Err((code, detail())) } else { Ok(()) }
}

fn place(rec: &Recommendation, settings: &Settings) -> Check {
    let at = Place::of(&rec.function);
    if settings.accept.contains(&at) {
        return Ok(());
    }
    if settings
        .accept
        .iter()
        .any(|place| place.account == at.account)
    {
        let detail = format!(
            "region {} of account {} is not accepted here",
            at.region, at.account
        );
        return Err((SkipCode::OtherRegion, detail));
    }
    let detail = format!("account {} is not accepted here", at.account);
    Err((SkipCode::OtherAccount, detail))
}

pub(crate) fn sizable(live: &LiveFunction) -> Check {
    skip_if(live.edge_replica, SkipCode::EdgeReplica, || {
        "it is a replica of an edge function; size its master".to_owned()
    })?;
    skip_if(live.managed_instances, SkipCode::ManagedInstances, || {
        "it runs on managed instances, so its memory is set by the capacity provider".to_owned()
    })
}

/// The only region whose functions CloudFront runs.
const EDGE_REGION: &str = "us-east-1";
/// What CloudFront allows a function of viewer events, and the timeout of any of its functions
/// (CloudFront Developer Guide, "Quotas on Lambda@Edge").
const VIEWER_MEMORY: Megabytes = Megabytes(128);
const VIEWER_TIMEOUT: Millis = Millis::from_ms(5_000);
const EDGE_TIMEOUT: Millis = Millis::from_ms(30_000);

/// CloudFront runs published versions, whose evidence is kept under other names. A change of `$LATEST`
/// reaches them with the next release: a smaller size without evidence from there, or a larger one that
/// viewer events do not allow.
///
/// Only the role shows that a function runs there, and reading roles would be one more permission. So
/// every function that could run there is left alone until its tag says that it does not.
fn away_from_the_edge(rec: &Recommendation, live: &LiveFunction) -> Check {
    if rec.function.region() != EDGE_REGION || !live.edge_ready {
        return Ok(());
    }
    let within = |limit| live.timeout.is_none_or(|timeout| timeout <= limit);
    let could_be_there = if rec.to_mb > live.memory_mb {
        live.memory_mb <= VIEWER_MEMORY && within(VIEWER_TIMEOUT)
    } else {
        within(EDGE_TIMEOUT)
    };
    let tag = tags(live)?.get(EDGE_TAG).map(|tag| tag.trim());
    skip_if(
        could_be_there && tag != Some("no"),
        SkipCode::EdgeFunction,
        || {
            format!(
                "CloudFront may run versions of it, and the next one would have the new size too: tag it \
             {EDGE_TAG} = no if no distribution uses it"
            )
        },
    )
}

fn tags(live: &LiveFunction) -> Result<&BTreeMap<String, String>, (SkipCode, String)> {
    live.tags.as_ref().ok_or_else(|| {
        let detail = "its tags cannot be read, so it may have opted out: allow lambda:ListTags";
        (SkipCode::TagsUnreadable, detail.to_owned())
    })
}

fn wanted(rec: &Recommendation, live: &LiveFunction, settings: &Settings, now: Timestamp) -> Check {
    let tag = tags(live)?.get(MODE_TAG);
    let mode = tag.map_or(Ok(settings.default_mode), |tag| {
        read_mode(tag).map_err(|_| {
            let wanted = "expected off, recommend or auto";
            (
                SkipCode::BadTag,
                format!("its tag {MODE_TAG} is {tag:?}: {wanted}"),
            )
        })
    })?;
    let source = if tag.is_some() {
        "its tag"
    } else {
        "the configured default"
    };
    skip_if(mode == ApplyMode::Off, SkipCode::OptedOut, || {
        format!("{MODE_TAG} is off ({source})")
    })?;
    skip_if(settings.paused, SkipCode::Paused, || {
        "the updater is paused: RIGHTSIZER_PAUSED".to_owned()
    })?;
    // The approval of a decrease covers its rollback: the size before is not new.
    let undoes = rec.rollback_of.is_some() && rec.to_mb > rec.from_mb;
    let for_a_person = mode == ApplyMode::Recommend && rec.mode != Mode::Approved;
    skip_if(for_a_person && !undoes, SkipCode::RecommendOnly, || {
        format!(
            "{MODE_TAG} is recommend ({source}), and this is not approved: approve it, or tag the \
             function auto"
        )
    })?;
    if tag.is_none()
        && rec.mode != Mode::Approved
        && !undoes
        && let Some(stack) = tags(live)?.get(STACK_TAG)
    {
        let detail = format!(
            "the stack {stack} would restore the old size: export the size to its template, \
             approve this, or tag the function {MODE_TAG} = auto"
        );
        return Err((SkipCode::StackOwned, detail));
    }
    skip_if(now >= rec.expires_at, SkipCode::Expired, || {
        format!("it expired at {}, and it is {now} now", rec.expires_at)
    })
}

fn current(rec: &Recommendation, live: &LiveFunction) -> Check {
    skip_if(live.memory_mb != rec.from_mb, SkipCode::StaleFrom, || {
        format!(
            "it was decided for {}, but the function has {} now",
            rec.from_mb, live.memory_mb
        )
    })?;
    let (Some(evidence), Some(code)) = (&rec.code_sha256, &live.code_sha256) else {
        return Ok(());
    };
    // What ran out of memory is helped, whatever was deployed since: nothing delays that.
    if rec.urgent && rec.to_mb > rec.from_mb {
        return Ok(());
    }
    skip_if(evidence != code, SkipCode::CodeChanged, || {
        format!("the evidence is from code {evidence}, but the function runs {code} now")
    })
}

fn limits(rec: &Recommendation, settings: &Settings) -> Check {
    let limits = LAMBDA_LEAST..=settings.account_most;
    let outside = !limits.contains(&rec.to_mb);
    skip_if(outside, SkipCode::OutsideLimits, || {
        format!(
            "{} is outside {LAMBDA_LEAST} to {}",
            rec.to_mb, settings.account_most
        )
    })
}

fn own_limits(rec: &Recommendation, live: &LiveFunction) -> Check {
    let tags = tags(live)?;
    if let Some(least) = megabytes(tags, MIN_TAG)? {
        skip_if(rec.to_mb < least, SkipCode::OutsideTags, || {
            format!("{} is below its tag {MIN_TAG} of {least}", rec.to_mb)
        })?;
    }
    if let Some(most) = megabytes(tags, MAX_TAG)? {
        skip_if(rec.to_mb > most, SkipCode::OutsideTags, || {
            format!("{} is above its tag {MAX_TAG} of {most}", rec.to_mb)
        })?;
    }
    Ok(())
}

fn megabytes(
    tags: &BTreeMap<String, String>,
    tag: &str,
) -> Result<Option<Megabytes>, (SkipCode, String)> {
    let Some(text) = tags.get(tag) else {
        return Ok(None);
    };
    text.trim()
        .parse()
        .map(|mb| Some(Megabytes(mb)))
        .map_err(|_| {
            (
                SkipCode::BadTag,
                format!("its tag {tag} is {text:?}: expected a whole number of megabytes"),
            )
        })
}

/// P6 in its worst case: the whole duration is CPU time, so it grows as the CPU share shrinks.
fn fast_enough(rec: &Recommendation, live: &LiveFunction) -> Check {
    if rec.to_mb >= live.memory_mb {
        return Ok(());
    }
    let (Some(p99), Some(timeout)) = (rec.p99_ms, live.timeout) else {
        // A person who approved it has seen that the figure is missing.
        return skip_if(rec.mode == Mode::Auto, SkipCode::TimeoutUnknown, || {
            "its slow durations or its timeout are unknown, so a smaller CPU share may do harm: \
             approve it if that is acceptable"
                .to_owned()
        });
    };
    let cpu = |mb: Megabytes| f64::from(mb.min(ONE_VCPU).0);
    let projected_ms = p99.as_ms_f64() * cpu(live.memory_mb) / cpu(rec.to_mb);
    let allowed_ms = timeout.as_ms_f64() * TIMEOUT_SHARE;
    skip_if(projected_ms > allowed_ms, SkipCode::TimeoutRisk, || {
        format!(
            "p99 of {p99} at {} could become {projected_ms:.0} ms at {}, over \
             {:.0} % of its timeout of {timeout}",
            live.memory_mb,
            rec.to_mb,
            TIMEOUT_SHARE * 100.0
        )
    })
}

fn idle(live: &LiveFunction) -> Check {
    let state = live.state.as_deref().unwrap_or("Active");
    let under_way = live.last_update == LastUpdate::InProgress || state == "Pending";
    skip_if(under_way, SkipCode::UpdateInProgress, || {
        "another change of it is in progress; it is decided again after that".to_owned()
    })?;
    skip_if(
        !matches!(state, "Active" | "Inactive"),
        SkipCode::NotUpdatable,
        || format!("its state is {state}"),
    )
}
