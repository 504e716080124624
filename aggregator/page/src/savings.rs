//! What changes saved by what was billed, beside what they promised.

use maud::{Markup, html};
use rightsizer_store::MonthSaved;

use crate::scale::{HEIGHT, Linear, WIDTH, grid, legend, picture};
use crate::words::{Text, usd, whole};

/// The last months, promised and billed side by side; nothing before the first verified change.
pub(crate) fn savings(months: &[MonthSaved]) -> Markup {
    if months.is_empty() {
        return html! {};
    }
    let most = months
        .iter()
        .map(|month| month.promised_usd.max(month.billed_usd))
        .fold(0.01, f64::max);
    // The axis has whole numbers.
    let unit = if most < 10.0 { 100.0 } else { 1.0 };
    let axis = Linear::reaching(most * unit);
    let ticks = axis.ticks();
    let down: Vec<String> = ticks.iter().map(|tick| usd(*tick / unit)).collect();
    let ends = months
        .first()
        .zip(months.last())
        .map_or_else(Vec::new, |(first, last)| {
            if months.len() == 1 {
                vec![String::new(), first.month.clone(), String::new()]
            } else {
                vec![first.month.clone(), last.month.clone()]
            }
        });
    #[expect(clippy::cast_precision_loss, reason = "at most thirteen months")]
    let width = WIDTH / months.len() as f64;
    let bar = |kind: &str, at: f64, value: f64, words: String| {
        let y = axis.y(value.max(0.0) * unit);
        html! {
            rect.(kind) x=(format!("{at:.1}")) y=(format!("{y:.1}")) width=(format!("{:.1}", (width * 0.3).min(90.0)))
                height=(format!("{:.1}", HEIGHT - y)) { title { (words) } }
        }
    };
    let plot = html! {
        (grid(ticks.len()))
        g.savings {
            @for (n, month) in months.iter().enumerate() {
                @let middle = middle(n, width);
                @let half = (width * 0.3).min(90.0);
                (bar("promised", middle - half - 2.0, month.promised_usd, format!("{}: promised {} a month", month.month, usd(month.promised_usd))))
                (bar("billed", middle + 2.0, month.billed_usd, format!("{}: billed {} a month less", month.month, usd(month.billed_usd))))
            }
        }
    };
    html! {
        section aria-labelledby="saved" {
            h2 #saved { "Saved, verified by billed durations" }
            p.see { (sentence(months)) }
            (picture(Some("Promised and billed savings by month"), (&down, "dollars a month"), (&ends, "month of the verdict"), &plot))
            (legend(&[("promised", "promised"), ("billed", "billed less since")]))
            details {
                summary { "The numbers" }
                div.wide tabindex="0" role="region" aria-label="Table of savings" { table {
                    thead { tr { th scope="col" { "Month" } th.n scope="col" { "Changes" } th.n scope="col" { "Promised a month" } th.n scope="col" { "Billed less a month" } } }
                    tbody { @for month in months.iter().rev() { tr {
                        th scope="row" { (Text(&month.month)) } td.n { (whole(month.changes)) }
                        td.n { (usd(month.promised_usd)) } td.n { (usd(month.billed_usd)) }
                    } } }
                } }
            }
        }
    }
}

fn middle(n: usize, width: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most thirteen months")]
    let n = n as f64;
    (n + 0.5) * width
}

fn sentence(months: &[MonthSaved]) -> String {
    let promised: f64 = months.iter().map(|month| month.promised_usd).sum();
    let billed: f64 = months.iter().map(|month| month.billed_usd).sum();
    let changes: u64 = months.iter().map(|month| month.changes).sum();
    let (decreases, they) = if changes == 1 {
        ("1 verified decrease".to_owned(), "it")
    } else {
        (format!("{} verified decreases", whole(changes)), "they")
    };
    let promised = if promised > 0.0 {
        let share = (100.0 * billed / promised).max(0.0);
        format!(
            "{share:.0}\u{a0}% of the {} that {they} promised",
            usd(promised)
        )
    } else {
        format!("{they} promised {}", usd(promised))
    };
    format!(
        "By the billed durations, {decreases} of the last year came to {} a month less: {promised}.",
        usd(billed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_billed_stands_beside_what_was_promised() {
        assert!(savings(&[]).into_string().is_empty());
        let months = [("2026-01", 30.0, 27.0), ("2026-02", 10.0, 11.0)].map(
            |(month, promised_usd, billed_usd)| MonthSaved {
                month: month.to_owned(),
                changes: 2,
                promised_usd,
                billed_usd,
            },
        );
        let text = savings(&months).into_string();
        assert!(
            text.contains("4 verified decreases of the last year came to $38.00 a month less: 95\u{a0}% of the $40.00 that they promised."),
            "{text}"
        );
        assert_eq!(text.matches("<rect").count(), 4);
    }
}
