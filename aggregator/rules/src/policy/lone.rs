//! Evidence from one environment alone at most doubles a size: the writer of a record is unknown,
//! and a second environment that agrees follows soon if it is true.

use rightsizer_records::{Megabytes, Reason};

use super::evidence::FunctionEvidence;
use super::reasons::Reasons;
use super::settings::PolicySettings;
use super::size;

/// How many times the size one environment's word is good for.
const MOST_TIMES: u32 = 2;

/// Returns `wanted`, or less if only one environment supports it. An out-of-memory at the
/// function's own size is answered in full (P3). A size that was raised by the evidence of one
/// environment is not raised again by it before it is verified.
pub(super) fn bound(
    wanted: Megabytes,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Megabytes {
    let Some(agreed) = seen.agreed_mb else {
        return wanted;
    };
    let verified = seen.changes.verified_mb.unwrap_or(seen.current_mb);
    let base = verified.min(seen.current_mb);
    let most = Megabytes(base.0.saturating_mul(MOST_TIMES));
    if wanted <= most || wanted <= seen.current_mb {
        return wanted;
    }
    let at_least = most.max(seen.current_mb).max(own_bump(seen));
    let agreed = by_agreed(agreed, seen, settings).unwrap_or_default();
    let mb = wanted.min(at_least.max(agreed));
    if mb < wanted {
        reasons.add(|| Reason::OneEnvironment {
            mb,
            times: MOST_TIMES,
            wanted_mb: wanted,
        });
    }
    mb
}

/// P3 for the function's present size, if it ran out there.
fn own_bump(seen: &FunctionEvidence) -> Megabytes {
    let own = seen.censored.filter(|(_, size)| *size == seen.current_mb);
    own.map_or(Megabytes(0), |(_, size)| size::after(size, seen))
}

/// The size by P1 to P3 for the peaks that several environments reached.
fn by_agreed(
    agreed: Megabytes,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
) -> Option<Megabytes> {
    let mut seen = seen.clone();
    let cut = |mb: &mut Megabytes| *mb = (*mb).min(agreed);
    seen.daily_peaks.iter_mut().for_each(cut);
    seen.history.iter_mut().for_each(|day| cut(&mut day.peak));
    if let Some((_, peak)) = &mut seen.floor_peak {
        cut(peak);
    }
    let own = seen.current_mb;
    seen.censored = seen
        .censored
        .filter(|(_, size)| *size <= agreed || *size == own);
    Some(size::wanted(&seen, settings, &mut Reasons::dropped())?.0)
}

#[cfg(test)]
mod tests {
    use super::super::case::{Case, has};
    use super::*;

    fn seen_by_one(case: Case, agreed: u32) -> Case {
        let Case(mut seen, settings) = case;
        seen.agreed_mb = Some(Megabytes(agreed));
        Case(seen, settings)
    }

    /// 1.1 × 9300 = 10,230 from one environment: twice 256. With a second one at 300: the mean of
    /// the cut peaks is 300, and 300 + 100 = 400, less than 512. With one at 600: 700.
    #[test]
    fn p2_one_environment_doubles_at_most() {
        let wants = |agreed| {
            seen_by_one(Case::new(256, &[9300; 14]), agreed)
                .decide()
                .to_mb
        };
        assert_eq!(wants(0), Some(Megabytes(512)));
        assert_eq!(wants(300), Some(Megabytes(512)));
        assert_eq!(wants(600), Some(Megabytes(700)));
        assert_eq!(wants(9300), Some(Megabytes(10_230)));
        let decision = seen_by_one(Case::new(256, &[9300; 14]), 0).decide();
        assert!(decision.auto && has(&decision, "one-environment"));
    }

    /// Raised from 256 to 512 and not verified: no further. Verified at 512: to 1024.
    #[test]
    fn p2_the_same_evidence_does_not_double_twice() {
        let mut case = seen_by_one(Case::new(512, &[9300; 14]), 0);
        case.0.changes.verified_mb = Some(Megabytes(256));
        assert_eq!(case.decide().to_mb, None);
        case.0.changes.verified_mb = Some(Megabytes(512));
        assert_eq!(case.decide().to_mb, Some(Megabytes(1024)));
    }

    /// max(1.2 × 128, 228) = 228 each time, although 128 was verified last: 228 → 328 of 256.
    #[test]
    fn p3_what_runs_out_at_its_own_size_is_answered_in_full() {
        let mut case = seen_by_one(Case::new(228, &[228; 14]).ran_out_at(228), 0);
        case.0.changes.verified_mb = Some(Megabytes(128));
        let decision = case.decide();
        assert_eq!(
            (decision.to_mb, decision.urgent),
            (Some(Megabytes(328)), true)
        );
        // Not its own size: 10,240 by one word is 456.
        let lie = seen_by_one(Case::new(228, &[200; 14]).ran_out_at(10_240), 0).decide();
        assert_eq!((lie.to_mb, lie.urgent), (Some(Megabytes(456)), true));
    }
}
