//! Deciding one function, and what the decision does to the recommendations that are there.

use rightsizer_records::{Megabytes, Mode, MonthlyUsd, Recommendation, Timestamp, Usd};

use super::session::Session;
use crate::policy::{Decision, decide, recommendation_id};
use crate::store::{
    Assessment, FunctionId, Life, LiveRecommendation, NewRecommendation, StoreError, Viewpoint,
};

/// A recommendation that nobody acted on for this long is too old: the next day's takes its place.
const EXPIRES_AFTER_MS: i64 = 24 * 3_600_000;

/// A recommendation to be made.
struct New<'a> {
    decision: &'a Decision,
    to: Megabytes,
    usd: (Usd, Usd),
    /// The one that it takes back.
    rollback_of: Option<String>,
}

impl Session<'_> {
    /// How windows look from here.
    pub(super) const fn view(&self) -> Viewpoint<'_> {
        Viewpoint {
            clock: &self.clock,
            now: self.now,
            settings: &self.settings.policy,
        }
    }

    /// Decides a function and brings its recommendations in line.
    pub(super) fn decide(&mut self, id: FunctionId) -> Result<(), StoreError> {
        let assessed = self.unit.assess(id..=id, self.view())?.pop();
        match assessed.and_then(|one| one.seen) {
            Some(seen) => self.decide_on(id, seen),
            None => Ok(()),
        }
    }

    /// The same, of a function that was assessed.
    pub(super) fn decide_on(
        &mut self,
        id: FunctionId,
        mut seen: Assessment,
    ) -> Result<(), StoreError> {
        let rollback = self.judge(id, &mut seen)?;
        let Some(mut decision) = decide(&seen.evidence, &self.settings.policy) else {
            return Ok(());
        };
        let rollback_of = rollback.map(|rollback| rollback.shape(&mut decision));
        let usd = self.cost(&seen, &decision);
        let day = seen.evidence.present.day();
        self.unit.note_decision(id, day, &seen, &decision, usd)?;
        self.digest.decided += 1;
        match decision.to_mb {
            None if decision.target_mb == seen.evidence.current_mb => {
                self.withdraw_all(id, "the size it has is right again")
            }
            None => self.withdraw_all(id, "the next step waits"),
            Some(to) => {
                let new = New {
                    decision: &decision,
                    to,
                    usd,
                    rollback_of,
                };
                self.put(id, &seen, new)
            }
        }
    }

    /// What a month costs now and then: by the rates of the function's region, and by how much longer
    /// it is expected to take (P6).
    fn cost(&self, seen: &Assessment, decision: &Decision) -> (Usd, Usd) {
        let region = seen
            .function
            .arn()
            .map(rightsizer_records::FunctionArn::region);
        let rates = self.settings.price.rates(region);
        let current = seen.evidence.current_mb;
        let now = rates.monthly(seen.usage, current, seen.arch);
        let factor = decision.projection.map_or(1.0, |p| p.expected.mean);
        let then = decision.to_mb.map_or(now, |to| {
            rates.monthly(seen.usage.at(factor), to, seen.arch)
        });
        (now, then)
    }

    /// Nothing is to change any more. What was sent stays sent: the updater will answer.
    fn withdraw_all(&self, id: FunctionId, why: &str) -> Result<(), StoreError> {
        for live in self.unit.live_recommendations(id)? {
            if live.status != Life::Sent.name() {
                self.unit
                    .end_recommendation(id, &live.id, Life::Withdrawn, why, self.now)?;
            }
        }
        Ok(())
    }

    /// W9: a peak above 90 % of a decrease that is open, approved or sent withdraws it, unless the
    /// decrease was decided knowing a peak as high: P2 alone lets peaks come to 91 % of its floor.
    pub(super) fn withdraw_decreases_near(
        &self,
        id: FunctionId,
        peak: Megabytes,
    ) -> Result<bool, StoreError> {
        let known = self.unit.highest_peak_decided_on(id)?;
        let mut withdrawn = false;
        for live in self.unit.live_recommendations(id)? {
            let near = u64::from(peak.0) * 10 > u64::from(live.to_mb.0) * 9 && peak > known;
            if live.to_mb < live.from_mb && near {
                let why = format!("a peak of {peak} is above 90 % of it");
                self.unit
                    .end_recommendation(id, &live.id, Life::Withdrawn, &why, self.now)?;
                withdrawn = true;
            }
        }
        Ok(withdrawn)
    }

    fn put(&self, id: FunctionId, seen: &Assessment, new: New<'_>) -> Result<(), StoreError> {
        let (decision, to) = (new.decision, new.to);
        let from = seen.evidence.current_mb;
        let day = seen.evidence.present.day();
        let name = recommendation_id(&seen.function.to_string(), day, from, to);
        let mut under_way = false;
        for live in self.unit.live_recommendations(id)? {
            let same = (live.from_mb, live.to_mb) == (from, to);
            if live.expires_ms < self.now.as_ms() {
                let why = "nobody acted on it in time";
                self.unit
                    .end_recommendation(id, &live.id, Life::Expired, why, self.now)?;
            } else if (same && live.status != Life::Open.name()) || still_approved(&live, from, to)
            {
                under_way = true;
            } else if same && live.id != name {
                // The same decision with fresher evidence: its id carries the new day (P8).
                self.unit.forget_open(id, &live.id)?;
            } else if live.id != name {
                self.unit.forget_superseded(id)?;
                let why = format!("by {name}");
                self.unit
                    .end_recommendation(id, &live.id, Life::Superseded, &why, self.now)?;
            }
        }
        if under_way || self.unit.was_rejected(id, (from, to), self.now)? {
            return Ok(());
        }
        let expires_at = self.now.plus_ms(EXPIRES_AFTER_MS);
        let rollback_of = new.rollback_of.clone();
        let record = self.record(&name, seen, new, expires_at);
        self.unit.recommend(
            id,
            &NewRecommendation {
                id: name,
                day,
                from_mb: from,
                to_mb: to,
                urgent: decision.urgent,
                auto: decision.auto,
                record,
                issued_at: self.now,
                expires_at,
                rollback_of,
            },
        )
    }

    /// The record for the decisions stream; `None` where no ARN is known to send it about.
    fn record(
        &self,
        id: &str,
        seen: &Assessment,
        new: New<'_>,
        expires_at: Timestamp,
    ) -> Option<Recommendation> {
        let decision = new.decision;
        Some(Recommendation {
            id: id.to_owned(),
            function: seen.function.arn()?.clone(),
            version: seen.version.clone(),
            from_mb: seen.evidence.current_mb,
            to_mb: new.to,
            target_mb: decision.target_mb,
            policy: self.settings.policy.name.name().to_owned(),
            reasons: decision.reasons.clone(),
            window: seen.evidence.window,
            p99_ms: seen.p99,
            confidence: decision.confidence,
            monthly_usd: MonthlyUsd {
                before: new.usd.0,
                after: new.usd.1,
            },
            mode: Mode::Auto,
            by: None,
            urgent: decision.urgent,
            issued_at: self.now,
            expires_at,
            rollback_of: new.rollback_of,
            code_sha256: None,
        })
    }
}

/// A person's yes to a decrease outlives a decision that would go at most 32 MB further: the approved
/// size is the safer one.
fn still_approved(live: &LiveRecommendation, from: Megabytes, to: Megabytes) -> bool {
    live.status == Life::Approved.name()
        && live.from_mb == from
        && live.to_mb < from
        && (to..=Megabytes(to.0.saturating_add(32))).contains(&live.to_mb)
}
