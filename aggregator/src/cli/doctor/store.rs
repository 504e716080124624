//! The store: whether it exists, is intact, has room and can be written, and when the last report
//! arrived.

use std::path::Path;

use rightsizer_records::shown::shown;
use rightsizer_records::{Objective, Timestamp};
use rightsizer_rules::policy::Configured;
use rightsizer_rules::window::DETAIL_DAYS;
use rightsizer_store::inspect::{self, Quarantined, StoreLook, Tagged};
use rightsizer_store::{NotedGap, StoreError, WAL_LARGE, wal_bytes};

use super::finding::Finding;
use crate::cli::text::{counted, short};

/// With less room than this a busy day may not fit.
const LITTLE_ROOM: u64 = 1 << 30;
/// With less than this nothing may.
const NO_ROOM: u64 = 16 << 20;
/// After this time without reports the fleet is idle, or reports are lost.
const LONG_SILENCE_MS: i64 = 24 * 3600 * 1000;
const WEEK_MS: i64 = 7 * 24 * 3600 * 1000;

/// Checks the store; also returns the facts read from it.
pub(super) fn examine(path: &Path, now: Timestamp) -> (Vec<Finding>, Option<StoreLook>) {
    let mut findings = Vec::new();
    let looked = inspect::look(path);
    match &looked {
        Ok(look) => findings.extend(of(look, size(path), now)),
        Err(StoreError::Missing(_)) => findings.push(Finding::doubtful(
            "store",
            format!("no store at {}", path.display()),
            "`rightsizer serve` or `rightsizer import FILE` creates one; --store FILE names another",
        )),
        Err(error @ (StoreError::ManyNames(_) | StoreError::Link(_))) => {
            findings.push(Finding::wrong(
                "store",
                error.to_string(),
                "remove the other names",
            ));
        }
        Err(error) => findings.push(Finding::wrong(
            "store",
            error.to_string(),
            "restore a backup, or move the file away and start empty: the stream is read again \
             from its oldest record, and files can be imported again",
        )),
    }
    findings.push(writable(path));
    findings.extend(log(wal_bytes(path)));
    findings.push(room(inspect::free_bytes(path)));
    (findings, looked.ok())
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |facts| facts.len())
}

fn of(look: &StoreLook, bytes: u64, now: Timestamp) -> Vec<Finding> {
    let whole = if look.damage.is_empty() {
        let found = format!(
            "intact, schema version {}, {} KB, {} functions",
            look.version,
            bytes.div_ceil(1024),
            look.functions
        );
        Finding::ok("store", found)
    } else {
        Finding::wrong(
            "store",
            format!("damaged: {}", look.damage.join("; ")),
            "stop the server, keep this file, and restore a backup; what the stream still has is \
             read again",
        )
    };
    let mut findings = vec![whole, newest_report(look, now)];
    findings.extend(quarantine(&look.quarantine, now));
    findings.extend(names_only(look.names_only));
    findings.extend(objectives(&look.tagged));
    findings.extend(gaps(&look.gaps, now));
    findings.extend(super::clock::against_store(look, now));
    let stops = &look.stops;
    if let Some(who) = &stops.paused {
        findings.push(Finding::doubtful(
            "sending",
            format!("paused {who}: nothing is sent"),
            "run `rightsizer resume` when the reason is gone",
        ));
    }
    if let Some(why) = &stops.auto_paused {
        findings.push(Finding::doubtful(
            "automatic decreases",
            format!("paused automatically {why}; increases and approved changes are sent"),
            "check the functions that were rolled back, then run `rightsizer resume`",
        ));
    } else if let Some(why) = stops.waiting().filter(|_| stops.paused.is_none()) {
        findings.push(Finding::ok("limits", why));
    }
    if let Some(why) = &stops.increases {
        findings.push(Finding::doubtful(
            "increases",
            why.clone(),
            "check today's increases with `rightsizer list`; `rightsizer approve FN` sends one \
             that waits, `[limits] increase_usd_per_day` allows more",
        ));
    }
    if let Some(why) = &stops.crowded {
        findings.push(Finding::doubtful(
            "sizes",
            why.clone(),
            "find out which role writes these reports; `rightsizer forget FN` removes a function \
             that does not exist",
        ));
    }
    findings
}

/// Records of the last week that could not be used.
fn quarantine(quarantine: &Quarantined, now: Timestamp) -> Option<Finding> {
    let (at, why) = quarantine.newest.as_ref()?;
    (now.as_ms() - at.as_ms() < WEEK_MS).then(|| {
        Finding::doubtful(
            "quarantine",
            format!(
                "{} of the last week could not be used; the newest, at {at}: {why}",
                counted(usize::try_from(quarantine.recent).unwrap_or(usize::MAX), "record")
            ),
            "their evidence is missing. The table `quarantine` has each record's beginning and reason",
        )
    })
}

fn names_only(count: u64) -> Option<Finding> {
    (count > 0).then(|| {
        Finding::ok(
            "names",
            format!(
                "{count} of the functions are known by name only, so no change can be sent to them; \
                 `rightsizer adopt` names their account and region"
            ),
        )
    })
}

/// Functions that are named when several have a wrong tag.
const NAMED: usize = 3;

/// Tags that name no objective: their functions have the default.
fn objectives(tagged: &[Tagged]) -> Option<Finding> {
    let of = |(function, tags): &Tagged| {
        let tags = tags
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let (name, value) = Configured::unread_objectives(tags).first().copied()?;
        Some(format!("{} ({name}={value})", shown(short(function))))
    };
    let wrong: Vec<String> = tagged.iter().filter_map(of).collect();
    if wrong.is_empty() {
        return None;
    }
    let named = wrong.get(..NAMED).unwrap_or(&wrong).join(", ");
    let more = match wrong.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(Finding::doubtful(
        "objectives",
        format!(
            "the tag of {} is ignored, because it does not name an objective: {}{more}",
            counted(wrong.len(), "function"),
            shown(&named)
        ),
        format!(
            "set the tag to one of {}",
            Objective::ALL.map(Objective::name).join(", ")
        ),
    ))
}

/// What streams dropped unread, as far back as details are kept.
fn gaps(gaps: &[NotedGap], now: Timestamp) -> Option<Finding> {
    let since = now.day().plus(-DETAIL_DAYS).start();
    let recent: Vec<_> = gaps.iter().filter(|noted| noted.gap.to >= since).collect();
    let newest = recent.last()?;
    Some(Finding::doubtful(
        "gaps",
        format!(
            "{} in the last {DETAIL_DAYS} days, the newest in {}",
            recent.len(),
            newest.gap
        ),
        "these records are gone, and peaks of that time may be unknown: `lost` in `review` counts \
         the reports. A longer retention of the stream gives more time. The table `gaps` has all \
         gaps",
    ))
}

fn newest_report(look: &StoreLook, now: Timestamp) -> Finding {
    let Some(last) = look.newest_report else {
        return Finding::doubtful(
            "reports",
            "none has ever arrived",
            "attach the layer to a function and invoke it, or `rightsizer import` its logs",
        );
    };
    let read = look.last_checkpoint.map_or_else(String::new, |at| {
        format!("; a stream was last read at {at}")
    });
    if now.as_ms() - last.as_ms() > LONG_SILENCE_MS {
        let advice = if look.last_checkpoint.is_some() {
            "if functions were invoked since: check that the layer is attached, that their role \
             may put records on the stream, and that `serve` runs"
        } else {
            "if functions were invoked since: import their logs again"
        };
        return Finding::doubtful(
            "reports",
            format!("the newest is from {last}{read}"),
            advice,
        );
    }
    Finding::ok("reports", format!("the newest is from {last}{read}"))
}

fn writable(path: &Path) -> Finding {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let named = |what: &Path| format!("{} can be written", what.display());
    // SQLite writes its log beside the store. Only SQLite opens the file; this also detects a
    // read-only file system.
    let refusal = |what| {
        nix::unistd::access(what, nix::unistd::AccessFlags::W_OK)
            .err()
            .map(|error| (what, std::io::Error::from(error)))
    };
    let store = path.exists().then_some(path);
    let refused = store.into_iter().chain([folder]).find_map(refusal);
    match refused {
        None => Finding::ok("disk", named(folder)),
        Some((what, error)) => Finding::wrong(
            "disk",
            format!("{} cannot be written: {error}", what.display()),
            "make it writable for the user of `serve`; --store FILE names another place",
        ),
    }
}

/// The log that commits go to first.
fn log(bytes: u64) -> Option<Finding> {
    (bytes > WAL_LARGE).then(|| {
        Finding::doubtful(
            "log",
            format!(
                "{} MB: another program has been reading the store for a long time",
                bytes >> 20
            ),
            "stop that program (`lsof FILE` lists those that have the store open): the log grows \
             until the disk is full",
        )
    })
}

fn room(free: Option<u64>) -> Finding {
    let Some(free) = free else {
        let advice = "check that its folder exists";
        return Finding::doubtful("room", "the free space of the disk is unknown", advice);
    };
    let found = format!("{} MB free", free >> 20);
    let advice = "make room: `serve` stops when the disk is full, and a stream keeps unread \
                  records for its retention only";
    match free {
        ..NO_ROOM => Finding::wrong("room", found, advice),
        NO_ROOM..LITTLE_ROOM => Finding::doubtful("room", found, advice),
        _ => Finding::ok("room", found),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rightsizer_rules::gap::Gap;
    use rightsizer_store::inspect::{ClockTraces, Stops};

    use super::super::finding::Verdict;
    use super::*;

    fn verdicts(findings: &[Finding]) -> Vec<(&str, Verdict)> {
        findings
            .iter()
            .map(|f| (f.check.as_str(), f.verdict))
            .collect()
    }

    #[test]
    fn the_state_of_a_store_is_judged() {
        let now = Timestamp::parse("2026-03-05T10:00:00Z").unwrap();
        let well = StoreLook {
            damage: Vec::new(),
            version: 1,
            functions: 2,
            newest_report: Some(now.plus_ms(-60_000)),
            last_checkpoint: None,
            stops: Stops::default(),
            gaps: Vec::new(),
            clock: ClockTraces::default(),
            quarantine: Quarantined::default(),
            names_only: 0,
            tagged: Vec::new(),
        };
        let found = of(&well, 4096, now);
        assert_eq!(
            verdicts(&found),
            [("store", Verdict::Ok), ("reports", Verdict::Ok)]
        );
        let sick = StoreLook {
            damage: vec!["row 3 missing from index".to_owned()],
            newest_report: Some(now.plus_ms(-2 * LONG_SILENCE_MS)),
            quarantine: Quarantined {
                recent: 1,
                newest: Some((now.plus_ms(-1000), "missing field `v`".to_owned())),
            },
            stops: Stops {
                paused: Some("by on-call".to_owned()),
                auto_paused: Some("since then".to_owned()),
                increases: Some("$501 of $500".to_owned()),
                ..Stops::default()
            },
            ..well
        };
        let found = of(&sick, 4096, now);
        let doubtful = Verdict::Doubtful;
        assert_eq!(
            verdicts(&found),
            [
                ("store", Verdict::Wrong),
                ("reports", doubtful),
                ("quarantine", doubtful),
                ("sending", doubtful),
                ("automatic decreases", doubtful),
                ("increases", doubtful)
            ]
        );
    }

    #[test]
    fn functions_with_a_tag_that_names_no_objective_are_named() {
        let tagged = |name: &str, value: &str| {
            let tags = BTreeMap::from([("rightsizer:objective".to_owned(), value.to_owned())]);
            (
                format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"),
                tags,
            )
        };
        assert_eq!(
            objectives(&[tagged("a", "cost"), tagged("b", " speed ")]),
            None
        );
        let all = [
            tagged("a", "cost"),
            tagged("b", "sped"),
            tagged("c", ""),
            tagged("d", "fast"),
            tagged("e", "cheap"),
        ];
        let finding = objectives(&all).unwrap();
        assert_eq!(finding.verdict, Verdict::Doubtful);
        assert_eq!(
            finding.found,
            "the tag of 4 functions is ignored, because it does not name an objective: b (rightsizer:objective=sped), \
             c (rightsizer:objective=), d (rightsizer:objective=fast) and 1 more"
        );
    }

    #[test]
    fn a_gap_is_reported_while_the_details_of_its_time_are_kept() {
        let now = Timestamp::parse("2026-03-05T10:00:00Z").unwrap();
        let gap = |to: &str| NotedGap {
            gap: Gap {
                source: "kinesis:reports/shardId-000000000000".into(),
                from: None,
                to: Timestamp::parse(to).unwrap(),
                why: "it is older than the stream's retention".into(),
            },
            noted_at: now,
        };
        assert_eq!(gaps(&[gap("2026-01-03T23:59:59Z")], now), None);
        let both = [gap("2026-01-03T23:59:59Z"), gap("2026-01-04T00:00:00Z")];
        let finding = gaps(&both, now).unwrap();
        assert_eq!(finding.verdict, Verdict::Doubtful);
        assert!(
            finding.found.starts_with("1 in the last 60 days"),
            "{finding}"
        );
        assert!(finding.found.contains("shardId-000000000000"), "{finding}");
    }

    #[test]
    fn a_log_that_a_reader_holds_is_reported() {
        assert_eq!(log(WAL_LARGE), None);
        let finding = log(WAL_LARGE + 1).unwrap();
        assert_eq!(finding.verdict, Verdict::Doubtful);
        assert!(finding.found.starts_with("512 MB"), "{finding}");
    }

    #[test]
    fn room_is_judged_before_it_is_used_up() {
        assert_eq!(room(Some(LITTLE_ROOM)).verdict, Verdict::Ok);
        assert_eq!(room(Some(LITTLE_ROOM - 1)).verdict, Verdict::Doubtful);
        assert_eq!(room(Some(NO_ROOM - 1)).verdict, Verdict::Wrong);
        assert_eq!(room(None).verdict, Verdict::Doubtful);
    }
}
