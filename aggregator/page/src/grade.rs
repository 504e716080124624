//! The fleet as a whole: which functions are at risk, which cost too much, and one letter for both.
//! Pure.

use std::cmp::Reverse;

use rightsizer_records::{Arch, Reason, Usd};
use rightsizer_rules::power::Offer;
use rightsizer_store::ReviewRow;

use crate::text::{SavingRange, counted, range, saving, saving_range};

/// The percentage of its size that a function may use before it is at risk.
const FULL_PERCENT: u64 = 90;
/// Below these shares of the bill, in percent, that could be saved, the letters A to D; else E.
const LETTERS: [(f64, char); 4] = [(5.0, 'A'), (15.0, 'B'), (30.0, 'C'), (50.0, 'D')];

/// The sort order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Functions at risk, the fullest first; then by money
    Both,
    /// How full each is, those that ran out first
    Danger,
    /// By the saving a month
    Money,
    /// By how much faster each could be for the same money, then for little more
    Power,
}

/// Whether it ran out of memory, used nearly all it has, or fails for another reason.
pub fn at_risk(row: &ReviewRow) -> bool {
    row.urgent || fullness(row) >= FULL_PERCENT || row.reasons.iter().any(is_trouble)
}

/// Whether something is wrong with a function that has room.
const fn is_trouble(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Failing { .. } | Reason::HeapLimit { .. } | Reason::HeldByMaximum { .. }
    )
}

/// Highest use in percent of the size.
fn fullness(row: &ReviewRow) -> u64 {
    let peak = u64::from(row.peak_mb.unwrap_or(0));
    (peak * 100)
        .checked_div(u64::from(row.current_mb))
        .unwrap_or(0)
}

/// How much faster it could be, in thousandths; any free speed comes before speed that costs money.
fn faster(row: &ReviewRow) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a factor below 100"
    )]
    let thousandths = |offer: Offer| (offer.faster * 1000.0) as u64;
    let free = row.offers.free.map(|offer| thousandths(offer) + 1_000_000);
    free.or_else(|| row.offers.cheap.map(thousandths))
        .unwrap_or(0)
}

/// Sorts rows; equal rows are sorted by name.
pub fn rank(rows: &mut [ReviewRow], by: Rank) {
    let money = |row: &ReviewRow| {
        let change = saving(row).map_or(0.0, |saved| saved.as_f64().abs());
        Reverse((change * 1e6).round().max(0.0).to_bits())
    };
    rows.sort_by_cached_key(|row| {
        let danger = match by {
            Rank::Money => (true, Reverse(0)),
            Rank::Power => (true, Reverse(faster(row))),
            Rank::Both if !at_risk(row) => (true, Reverse(0)),
            Rank::Both | Rank::Danger => (!row.urgent, Reverse(fullness(row) + 1)),
        };
        // At risk without having run out comes before what is not at risk.
        (
            by != Rank::Power && danger.0 && danger.1 == Reverse(0),
            danger,
            money(row),
            row.function.clone(),
        )
    });
}

/// A line about the whole fleet, one with its grade, and one about speed if there is any to be had.
pub fn summary(rows: &[ReviewRow]) -> String {
    let lines = [Some(Totals::of(rows).summary()), speed(rows)];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// What is free speed and what is cheap speed, of the whole fleet; `None` if there is none.
fn speed(rows: &[ReviewRow]) -> Option<String> {
    let free = rows.iter().filter_map(|row| row.offers.free);
    let cheap = rows.iter().filter_map(|row| row.offers.cheap);
    let (free, cheap): (Vec<Offer>, Vec<Offer>) = (free.collect(), cheap.collect());
    let factors = |offers: &[Offer]| {
        let faster = offers.iter().map(|offer| offer.faster);
        let least = faster.clone().fold(f64::INFINITY, f64::min);
        let most = format!("{:.1}×", faster.fold(0.0, f64::max));
        let least = format!("{least:.1}×");
        if least == most {
            most
        } else {
            format!("{least} to {most}")
        }
    };
    let mut parts = Vec::new();
    if !free.is_empty() {
        let functions = counted(free.len(), "function");
        parts.push(format!(
            "free speed: {functions} could be {} faster for the same money",
            factors(&free)
        ));
    }
    if !cheap.is_empty() {
        let functions = counted(cheap.len(), "function");
        let more: f64 = cheap.iter().map(|offer| offer.usd_more).sum();
        parts.push(format!(
            "cheap speed: {functions} could be {} faster for ${more:.2} a month more in total",
            factors(&cheap)
        ));
    }
    (!parts.is_empty()).then(|| format!("{}; see `rightsizer list --by power`", parts.join("; ")))
}

/// The figures of a fleet, added up row by row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Functions.
    pub functions: usize,
    /// Functions that should get less memory.
    pub over: usize,
    /// Functions that should get more memory.
    pub under: usize,
    /// Functions at risk.
    pub at_risk: usize,
    /// The saving of all recommendations together a month, in the worst case that the evidence cannot exclude.
    pub safe: Usd,
    /// The same with the expected durations.
    pub expected: Usd,
    /// The projected cost a month in dollars.
    pub bill: f64,
    /// The savings alone, in the worst case: the cost of increases is not waste, and is not subtracted.
    saveable: f64,
    /// Functions priced as x86, because their architecture is unknown.
    unknown: usize,
}

impl Totals {
    /// The totals of `rows`.
    pub(crate) fn of(rows: &[ReviewRow]) -> Self {
        let mut totals = Self::default();
        rows.iter().for_each(|row| totals.add(row));
        totals
    }

    /// Adds a function.
    pub(crate) fn add(&mut self, row: &ReviewRow) {
        self.functions += 1;
        if let Some(to) = row.to_mb {
            self.over += usize::from(to < row.current_mb);
            self.under += usize::from(to > row.current_mb);
        }
        self.at_risk += usize::from(at_risk(row));
        self.unknown += usize::from(!priced_as_known(row));
        self.bill += row.monthly_usd_before.unwrap_or_default();
        // What a person rejected is not saved.
        if let Some(saved) = saving_range(row).filter(|_| row.status != "rejected") {
            self.safe = self.safe + saved.safe;
            self.expected = self.expected + saved.expected;
            self.saveable += saved.safe.as_f64().max(0.0);
        }
    }

    /// The saving of all recommendations together.
    pub const fn saving(&self) -> SavingRange {
        SavingRange {
            safe: self.safe,
            expected: self.expected,
        }
    }

    /// A line about the whole fleet, and one with its grade.
    pub(crate) fn summary(&self) -> String {
        let saved = self.saving();
        let mut line = format!(
            "{}: {} over-provisioned, {} under-provisioned, {} at risk; {}",
            counted(self.functions, "function"),
            self.over,
            self.under,
            self.at_risk,
            if saved.expected < Usd::default() {
                format!("{} a month more", Usd::default() - saved.safe)
            } else if saved.safe < Usd::default() {
                format!("{} a month could be saved", crate::words::saved(saved))
            } else {
                format!("${} a month could be saved", range(saved))
            }
        );
        if self.unknown > 0 {
            line.push_str(&format!(
                " ({} of unknown architecture, priced as x86)",
                self.unknown
            ));
        }
        match self.grade() {
            Some(grade) => format!("{line}\n{grade}"),
            None => line,
        }
    }

    /// The letter, and the share of the bill in percent that could be saved; `None` if no cost is known, because
    /// the share would be meaningless.
    pub(crate) fn letter(&self) -> Option<(char, f64)> {
        if self.bill < 0.01 {
            return None;
        }
        let share = 100.0 * self.saveable / self.bill;
        Some((letter(share, self.at_risk > 0), share))
    }

    /// The grade as text.
    fn grade(&self) -> Option<String> {
        let (letter, share) = self.letter()?;
        let risk = match self.at_risk {
            0 => "no function is at risk".to_owned(),
            1 => "1 function is at risk".to_owned(),
            n => format!("{n} functions are at risk"),
        };
        let bill = self.bill;
        let saved = if share < 0.5 {
            format!("no saving on ${bill:.2} a month is certain")
        } else {
            format!("at least {share:.0} % of ${bill:.2} a month could be saved")
        };
        Some(format!("grade {letter}: {saved}, {risk}"))
    }
}

fn priced_as_known(row: &ReviewRow) -> bool {
    let arch = row.arch.as_deref().map(Arch::from_name);
    arch.is_some_and(|arch| arch != Arch::Unknown)
}

/// A to E by the share of the bill that could be saved; one letter worse if a function is at risk.
fn letter(share: f64, at_risk: bool) -> char {
    let found = LETTERS.iter().position(|(below, _)| share < *below);
    let place = found.unwrap_or(LETTERS.len()) + usize::from(at_risk);
    LETTERS.get(place).map_or('E', |(_, letter)| *letter)
}

#[cfg(test)]
mod tests {
    use rightsizer_store::sample::row;

    use super::*;

    /// 1015 of 1024 is 99 %, 256 of 256 ran out; 30 of 1024 costs most.
    fn fleet() -> Vec<ReviewRow> {
        let mut ran_out = row("ran-out", (256, 250, 356), (1.0, 1.2));
        ran_out.urgent = true;
        vec![
            row("fine", (512, 300, 512), (9.0, 9.0)),
            row("dear", (1024, 30, 130), (80.0, 20.0)),
            row("full", (1024, 1015, 1117), (10.0, 11.0)),
            ran_out,
        ]
    }

    #[test]
    fn danger_and_money_are_two_orders() {
        let order = |by| {
            let mut rows = fleet();
            rank(&mut rows, by);
            let names = rows.into_iter().map(|row| row.function);
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order(Rank::Both), "ran-out full dear fine");
        assert_eq!(order(Rank::Danger), "ran-out full fine dear");
        assert_eq!(order(Rank::Money), "dear full ran-out fine");
    }

    /// 60 of 100 dollars: E already. Without the dear one nothing: A, and B for the two at risk.
    #[test]
    fn the_grade_shows_its_parts() {
        let rows = fleet();
        assert_eq!(
            summary(&rows),
            "4 functions: 1 over-provisioned, 2 under-provisioned, 2 at risk; $58.80 a month could be saved\n\
             grade E: at least 60 % of $100.00 a month could be saved, 2 functions are at risk"
        );
        let rest: Vec<_> = rows
            .into_iter()
            .filter(|row| row.function != "dear")
            .collect();
        let shown = summary(&rest);
        assert!(
            shown.ends_with(
                "grade B: no saving on $20.00 a month is certain, 2 functions are at risk"
            ),
            "{shown}"
        );
        assert!(!summary(&[]).contains("grade"), "nothing to grade");
    }

    /// A function that gets slower may cost more: 10 a month at worst, and 5 less as expected.
    #[test]
    fn each_end_of_a_saving_that_may_be_a_loss_has_its_sign() {
        let totals = Totals {
            safe: Usd::from_f64(-10.0),
            expected: Usd::from_f64(5.0),
            ..Totals::default()
        };
        let line = totals.summary();
        assert!(
            line.ends_with("; −$10.00 to $5.00 a month could be saved"),
            "{line}"
        );
    }

    /// 2.0× for nothing comes before 3.0× for $4.
    #[test]
    fn power_is_an_order_and_has_totals() {
        let offer = |faster, usd_more| {
            Some(Offer {
                memory_mb: rightsizer_records::Megabytes(1024),
                faster,
                faster_at_least: 1.1,
                usd_more,
            })
        };
        let mut rows = fleet();
        rows[0].offers.free = offer(2.0, 0.0);
        rows[1].offers.cheap = offer(3.0, 4.0);
        rows[2].offers.free = offer(1.5, -0.1);
        rank(&mut rows, Rank::Power);
        let names: Vec<&str> = rows.iter().map(|row| row.function.as_str()).collect();
        assert_eq!(names, ["fine", "full", "dear", "ran-out"]);
        assert_eq!(
            summary(&rows).lines().last(),
            Some(
                "free speed: 2 functions could be 1.5× to 2.0× faster for the same money; cheap speed: 1 function \
                 could be 3.0× faster for $4.00 a month more in total; see `rightsizer list --by power`"
            )
        );
    }

    #[test]
    fn letters_end_at_their_limits() {
        let letters =
            [0.0, 4.9, 5.0, 15.0, 30.0, 49.9, 50.0, 100.0].map(|share| letter(share, false));
        assert_eq!(letters, ['A', 'A', 'B', 'C', 'D', 'D', 'E', 'E']);
        assert_eq!((letter(0.0, true), letter(99.0, true)), ('B', 'E'));
        // The example that the documentation shows.
        let page = include_str!("../../../docs/ONBOARDING.md");
        let shown = format!("grade {}: at least 38 % of", letter(38.0, true));
        assert!(page.contains(&shown), "{shown}");
    }
}
