//! What the policies see of a state.

use rightsizer_records::{Megabytes, Timestamp};

use super::FunctionState;
use crate::assess::{
    Around, Assessment, DayAtSize, DayCounts, History, Known, SizeDay, Sizes, Span, Usage,
    Viewpoint, assemble, largest_censored,
};
use crate::policy::{Configured, DayPeak, PolicySettings, leak};
use crate::window::{WINDOW_DAYS, Witnesses};

/// A function that has reported for this long is known.
const KNOWN_AFTER_MS: i64 = 7 * 86_400_000;
/// A change within this time of one that was applied is that one.
const SAME_CHANGE_MS: i64 = 900_000;

impl FunctionState {
    /// The version with the traffic and the size of the function; `None` if nothing was reported.
    pub fn current(&self) -> Option<(String, Megabytes)> {
        let seen = self.seen.as_ref()?;
        let today = seen.sighting.newest.at.day();
        let days: Vec<DayAtSize<'_>> = [today.plus(-1), today]
            .into_iter()
            .flat_map(|day| self.on(day))
            .map(|(key, stats)| DayAtSize {
                day: key.day,
                memory_mb: key.memory_mb,
                version: &key.version,
                invocations: stats.invocations,
                censored: stats.censored,
            })
            .collect();
        let sizes = Sizes {
            sighting: &seen.sighting,
            applied: self.applied,
            account: self.listed.as_ref().map(|l| (l.memory_mb, l.listed_at())),
            days: &days,
        };
        let version = sizes.version();
        Some((version.to_owned(), sizes.current(version)))
    }

    /// Everything that a decision needs, from `view`; `None` if no day of the window or after it has a memory figure.
    pub fn assess(&self, view: Viewpoint<'_>) -> Option<Assessment> {
        let seen = self.seen.as_ref()?;
        let known = self.known(view.settings)?;
        let (history_from, floor_from) = (view.history_from(), view.floor_from());
        let (mut peaks, mut seen_by) = (Vec::new(), Witnesses::default());
        for (day, peak) in self.peaks.range(history_from..) {
            if peak.peak_mb > Megabytes(0) {
                peaks.push(DayPeak {
                    day: *day,
                    peak: peak.peak_mb,
                });
                if *day >= floor_from {
                    seen_by = seen_by.join(peak.seen_by);
                }
            }
        }
        let first = seen.sighting.oldest.day();
        let span = Span::new(&peaks, view.last_closed(), first)?;
        let around = Around {
            history: self.history(view.now),
            leak: self.leak(view),
            censored: largest_censored(self.censored(), self.cleared, view.last_closed()),
            agreed: seen_by.agreed(),
        };
        let usage = self.usage(&span, &known.version);
        Some(assemble(known, peaks, &span, &usage, around, view))
    }

    fn known(&self, settings: &PolicySettings) -> Option<Known> {
        let seen = self.seen.as_ref()?;
        let (version, current_mb) = self.current()?;
        let listed = self.listed.as_ref();
        let present = listed.filter(|listed| listed.gone_at.is_none());
        let sighting = &seen.sighting;
        let applied_at = self.applied.map_or(0, |(at, _)| at.as_ms());
        let deployed = present.and_then(|listed| listed.modified);
        let reported_ms = sighting.newest.at.as_ms() - seen.first_arrival.as_ms();
        Some(Known {
            function: self.function.clone(),
            version,
            arch: sighting.arch.or(listed.map(|listed| listed.arch)),
            current_mb,
            known_since: sighting.oldest.max(seen.first_arrival),
            configured: Configured {
                untagged: settings.mode,
                ..listed.map_or_else(Configured::default, |l| l.configured(settings))
            },
            baseline_p95: self.baseline_p95,
            failures_only: listed.is_some_and(|listed| listed.failures_only),
            known: present.is_some()
                || self.applied.is_some()
                || seen.counts.imported
                || reported_ms >= KNOWN_AFTER_MS,
            alarm: present.and_then(|listed| listed.alarm.clone()),
            deployed: deployed.filter(|at| (at.as_ms() - applied_at).abs() > SAME_CHANGE_MS),
        })
    }

    fn censored(&self) -> impl Iterator<Item = DayPeak> {
        let hidden = self
            .peaks
            .iter()
            .filter(|(_, peak)| peak.censored_mb > Megabytes(0));
        hidden.map(|(day, peak)| DayPeak {
            day: *day,
            peak: peak.censored_mb,
        })
    }

    fn leak(&self, view: Viewpoint<'_>) -> Option<crate::policy::Leak> {
        let since = view.last_closed().plus(1 - WINDOW_DAYS).start();
        let judged = self.environments.iter().filter(|(_, e)| e.last >= since);
        leak(judged.filter_map(|(key, e)| e.climb(key.memory_mb)))
    }

    fn usage(&self, span: &Span, version: &str) -> Usage {
        let mut usage = Usage::default();
        let wanted = span.days();
        for (key, stats) in self.days.range(super::apply::first_of(span.from)..) {
            if key.day > span.to {
                break;
            }
            if !wanted.contains(key.day) {
                continue;
            }
            let rank = key.source.rank();
            let counts = usage.count(key.day, rank, DayCounts::of(stats));
            if key.version != version {
                continue;
            }
            if counts {
                usage.add(key.day, key.memory_mb, &SizeDay::of(stats));
            } else if stats.has_failed_starts() && usage.counts_failed_starts(key.day, rank) {
                let (inits, restores) = (&stats.failed_inits, &stats.failed_restores);
                usage.add_failed_starts(key.memory_mb, inits, restores);
            }
        }
        usage
    }

    fn history(&self, now: Timestamp) -> History {
        let mut changed: Vec<_> = self.sent.iter().filter_map(super::Sent::change).collect();
        changed.sort_by(|(a, one), (b, other)| (a.at, one).cmp(&(b.at, other)));
        let mut history = History::default();
        for (change, _) in changed {
            history.apply(change);
        }
        let pending = self.sent.iter().filter(|sent| sent.is_pending(now));
        history.pending_mb = pending.map(|sent| sent.to_mb).max();
        history
    }
}
