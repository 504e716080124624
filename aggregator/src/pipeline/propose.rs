//! Decides what functions' windows require, without writing: it only reads, so that many functions
//! can be considered at once, on any thread.

use std::ops::RangeInclusive;

use rightsizer_records::{
    FunctionArn, Megabytes, Mode, MonthlyUsd, Recommendation, Record, Timestamp, Usd, encode,
};
use rightsizer_rules::limits::counted_usd;
use rightsizer_rules::policy::{Decision, decide, recommendation_id};
use rightsizer_rules::window::DayClock;
use rightsizer_store::{
    Assessment, Earlier, FunctionId, NewRecommendation, StoreError, Unit, Viewpoint,
};

use crate::settings::Settings;

/// From where functions are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook<'a> {
    pub(super) clock: DayClock,
    /// The caller's clock.
    pub(super) now: Timestamp,
    pub(super) settings: &'a Settings,
}

/// A function that was looked at.
#[derive(Debug)]
pub(super) struct Considered {
    pub(super) id: FunctionId,
    /// Whether a decision still stands in the store.
    pub(super) has_decision: bool,
    /// Whether it should be decided now.
    pub(super) due: bool,
    /// `None` if no day of the window or after it has a memory figure.
    pub(super) seen: Option<Assessment>,
    pub(super) earlier: Vec<Earlier>,
    /// What to do; of a function whose last change is on trial the verdict comes first.
    pub(super) proposal: Option<Proposal>,
}

/// The result of a decision.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) decision: Decision,
    /// Its reasons as JSON.
    pub(super) reasons: String,
    /// What a month costs now and then.
    pub(super) usd: (Usd, Usd),
    /// The recommendation, if anything should change.
    pub(super) recommendation: Option<NewRecommendation>,
}

/// Whether a function's last change is not judged yet.
pub(super) fn is_on_trial(seen: &Assessment) -> bool {
    let last = seen.evidence.changes.last;
    last.is_some_and(|change| !change.verified)
}

impl<'a> Outlook<'a> {
    /// How windows look from here.
    pub(super) const fn view(&'a self) -> Viewpoint<'a> {
        Viewpoint {
            clock: &self.clock,
            now: self.now,
            settings: &self.settings.policy,
        }
    }

    /// Looks at the functions `ids`, ascending.
    pub(super) fn look(
        &self,
        unit: &Unit<'_>,
        ids: RangeInclusive<FunctionId>,
    ) -> Result<Vec<Considered>, StoreError> {
        let today = self.clock.present(self.now).day();
        let decided_by = self.settings.window.cadence.due_if_decided_by(today);
        let mut earlier = unit.recommendations().earlier(&ids)?.into_iter().peekable();
        let mut considered = Vec::new();
        for one in unit.evidence().assess(ids, self.view())? {
            let mut its = Vec::new();
            while let Some(next) = earlier.next_if(|s| s.function <= one.id) {
                its.push(next);
            }
            // A decision of the future was made by a clock that was wrong.
            let due = one
                .decided
                .is_none_or(|day| day <= decided_by || day > today);
            let settled = one.seen.as_ref().filter(|seen| due && !is_on_trial(seen));
            considered.push(Considered {
                id: one.id,
                has_decision: one.has_decision,
                due,
                proposal: settled.and_then(|seen| self.propose(seen)),
                seen: one.seen,
                earlier: its,
            });
        }
        Ok(considered)
    }

    /// The decision of the policies.
    pub(super) fn propose(&self, seen: &Assessment) -> Option<Proposal> {
        let decision = decide(&seen.evidence, &self.settings.policy)?;
        Some(self.proposal(seen, decision, None))
    }

    /// What `decision` comes to; `rollback_of` is the recommendation that it rolls back.
    pub(super) fn proposal(
        &self,
        seen: &Assessment,
        mut decision: Decision,
        rollback_of: Option<String>,
    ) -> Proposal {
        let usd = self.cost(seen, &decision);
        let recommendation = decision
            .to_mb
            .map(|to| self.recommendation(seen, (&mut decision, to), usd, rollback_of));
        Proposal {
            // Texts and numbers by name, all of which JSON can represent.
            reasons: serde_json::to_string(&decision.reasons).unwrap_or_default(),
            decision,
            usd,
            recommendation,
        }
    }

    /// What a month costs now and then: by the rates of the function's region, and by how much longer
    /// it is expected to take (P6).
    fn cost(&self, seen: &Assessment, decision: &Decision) -> (Usd, Usd) {
        let region = seen.function.arn().map(FunctionArn::region);
        let rates = self.settings.price.rates(region);
        let current = seen.evidence.current_mb;
        let now = rates.monthly(seen.usage, current, seen.arch);
        let factor = decision.projection.map_or(1.0, |p| p.expected.mean);
        let then = decision.to_mb.map_or(now, |to| {
            rates.monthly(seen.usage.at(factor), to, seen.arch)
        });
        (now, then)
    }

    fn recommendation(
        &self,
        seen: &Assessment,
        (decision, to): (&mut Decision, Megabytes),
        usd: (Usd, Usd),
        rollback_of: Option<String>,
    ) -> NewRecommendation {
        let from = seen.evidence.current_mb;
        let day = seen.evidence.present.day();
        let id = recommendation_id(&seen.function.to_string(), day, from, to);
        let lasts_ms = self.settings.window.cadence.lasts_ms();
        let expires_at = self.now.plus_ms(lasts_ms);
        let record = |function: &FunctionArn, reasons| Recommendation {
            id: id.clone(),
            function: function.clone(),
            version: seen.version.clone(),
            from_mb: from,
            to_mb: to,
            target_mb: decision.target_mb,
            policy: self.settings.policy.name.name().to_owned(),
            reasons,
            window: seen.evidence.window,
            p99_ms: seen.p99,
            confidence: decision.confidence,
            monthly_usd: MonthlyUsd {
                before: usd.0,
                after: usd.1,
            },
            mode: Mode::Auto,
            by: None,
            urgent: decision.urgent,
            issued_at: self.now,
            expires_at,
            rollback_of: rollback_of.clone(),
            code_sha256: None,
        };
        let text = seen.function.arn().map(|function| {
            // They are lent to the record while it is written down.
            let record = record(function, std::mem::take(&mut decision.reasons));
            let record = Record::Recommendation(record);
            let text = String::from_utf8_lossy(&encode(&record)).into_owned();
            if let Record::Recommendation(record) = record {
                decision.reasons = record.reasons;
            }
            text
        });
        NewRecommendation {
            record: text,
            id,
            day,
            from_mb: from,
            to_mb: to,
            urgent: decision.urgent,
            auto: decision.auto,
            issued_at: self.now,
            expires_at,
            rollback_of,
            known: seen.known,
            added_usd: if to > from {
                counted_usd(from, to, usd)
            } else {
                0.0
            },
        }
    }
}
