//! A decision as a recommendation: its id, its cost, and the record that is sent.

use rightsizer_records::{
    Day, FunctionArn, Megabytes, Mode, MonthlyUsd, Recommendation, Record, Timestamp, Usd, encode,
};

use super::assessment::Assessment;
use super::ruling::Rollback;
use crate::limits::counted_usd;
use crate::policy::{Decision, PolicySettings, decide, offers, recommendation_id};
use crate::price::{Billed, PriceTable, Rates};
use crate::window::Cadence;

/// A function that costs less a month is not offered more speed.
const WORTH_AN_OFFER_USD: f64 = 1.0;

/// A recommendation to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecommendation {
    /// Its id (P8).
    pub id: String,
    /// Decision day.
    pub day: Day,
    /// Size before.
    pub from_mb: Megabytes,
    /// Size after this step.
    pub to_mb: Megabytes,
    /// Whether it must not be delayed.
    pub urgent: bool,
    /// Whether it may be applied without an approval.
    pub auto: bool,
    /// The record for the stream; `None` if only the function's name is known.
    pub record: Option<String>,
    /// When it was decided.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The recommendation that it rolls back, if any.
    pub rollback_of: Option<String>,
    /// Whether the inventory or history knows the function.
    pub known: bool,
    /// Monthly dollars that it adds, if it is an increase.
    pub added_usd: f64,
}

/// The result of a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The decision.
    pub decision: Decision,
    /// Name of the policy.
    pub policy: String,
    /// Its reasons as JSON.
    pub reasons: String,
    /// What a month costs now and then.
    pub usd: (Usd, Usd),
    /// What these dollars are made of.
    pub billed: Billed,
    /// The dollars of a GB-second in them.
    pub gb_second_usd: f64,
    /// Larger sizes at which it would be faster, as JSON, if there are any.
    pub offers: Option<String>,
    /// The recommendation, if anything should change.
    pub recommendation: Option<NewRecommendation>,
}

/// What makes proposals of decisions.
#[derive(Debug, Clone, Copy)]
pub struct Drafter<'a> {
    /// The caller's clock.
    pub now: Timestamp,
    /// The settings of the policies.
    pub policy: &'a PolicySettings,
    /// The prices.
    pub price: &'a PriceTable,
    /// How often a function is decided.
    pub cadence: Cadence,
}

impl Drafter<'_> {
    /// Returns the decision of the policies.
    pub fn propose(&self, seen: &Assessment) -> Option<Proposal> {
        let decision = decide(&seen.evidence, self.policy)?;
        Some(self.proposal(seen, decision, None))
    }

    /// Returns the decision of the policies, and the verdict on the last change.
    pub fn propose_with(&self, seen: &Assessment, rollback: Option<Rollback>) -> Option<Proposal> {
        let mut decision = decide(&seen.evidence, self.policy)?;
        let rollback_of = rollback.map(|rollback| rollback.shape(&mut decision));
        Some(self.proposal(seen, decision, rollback_of))
    }

    /// What `decision` comes to; `rollback_of` is the recommendation that it rolls back.
    fn proposal(
        &self,
        seen: &Assessment,
        mut decision: Decision,
        rollback_of: Option<String>,
    ) -> Proposal {
        let rates = self.rates(seen);
        let billed = billed(seen, &decision);
        let usd = billed.monthly(&rates);
        let offers = self.offers(seen, &decision, usd.0);
        let recommendation = decision
            .to_mb
            .map(|to| self.recommendation(seen, (&mut decision, to), usd, rollback_of));
        Proposal {
            policy: self.policy.name.name().to_owned(),
            // Texts and numbers by name, all of which JSON can represent.
            reasons: serde_json::to_string(&decision.reasons).unwrap_or_default(),
            decision,
            usd,
            billed,
            gb_second_usd: rates.gb_second(seen.arch),
            offers,
            recommendation,
        }
    }

    /// Larger sizes at which a function would be faster for the same or little more money. A function that costs
    /// hardly anything is not worth the computation.
    fn offers(&self, seen: &Assessment, decision: &Decision, usd: Usd) -> Option<String> {
        if usd < Usd::from_f64(WORTH_AN_OFFER_USD) {
            return None;
        }
        let bill = (Some(usd.as_f64()), self.rates(seen), seen.arch);
        let offers = offers(&seen.evidence, decision.safe_mb(), bill, self.policy)?;
        Some(serde_json::to_string(&offers).unwrap_or_default())
    }

    /// The rates of the function's region.
    fn rates(&self, seen: &Assessment) -> Rates {
        let region = seen.function.arn().map(FunctionArn::region);
        self.price.rates(region)
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
        let lasts_ms = self.cadence.lasts_ms();
        let expires_at = self.now.plus_ms(lasts_ms);
        let record = |function: &FunctionArn, reasons| Recommendation {
            id: id.clone(),
            function: function.clone(),
            version: seen.version.clone(),
            from_mb: from,
            to_mb: to,
            target_mb: decision.target_mb,
            policy: self.policy.name.name().to_owned(),
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

/// What a month is billed for now and then, by how much longer the function is expected to take (P6).
fn billed(seen: &Assessment, decision: &Decision) -> Billed {
    let factor = decision.projection.map_or(1.0, |p| p.expected.mean);
    let to = (decision.to_mb, factor);
    Billed::new(seen.usage, seen.arch, seen.evidence.current_mb, to)
}
