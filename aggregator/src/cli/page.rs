//! The fleet as one self-contained HTML page. Pure.

use rightsizer_records::shown::shown;
use rightsizer_rules::policy::why;
use rightsizer_store::ReviewRow;

use super::grade::{at_risk, summary};
use super::list::is_compared;
use super::text::{names, range, saving_range, slowdown};

/// Everything except the rows; it needs no other file and no network.
const HEAD: &str = include_str!("page.html");

/// The text for an empty fleet.
pub(super) const NOTHING: &str = "no functions yet: `rightsizer import cloudwatch` reads the \
                                  account's logs, `rightsizer import FILE` reads exports, \
                                  `rightsizer serve` receives reports";

/// The page: the lines of the summary, what is paused, and one row per function in the given
/// order.
pub(super) fn page(rows: &[ReviewRow], stops: &[String], made: &str) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("<h1>Memory of Lambda functions</h1>\n");
    if rows.is_empty() {
        page.push_str(&format!("<p class=lead>{}</p>\n", escaped(NOTHING)));
    } else {
        for (n, line) in summary(rows).lines().enumerate() {
            let class = if n == 0 { "lead" } else { "grade" };
            page.push_str(&format!("<p class={class}>{}</p>\n", escaped(line)));
        }
    }
    for line in stops {
        page.push_str(&format!("<p class=stop>{}</p>\n", escaped(line)));
    }
    if !rows.is_empty() {
        let compared = is_compared(rows);
        page.push_str(TABLE);
        page.push_str(if compared { COMPARED } else { "" });
        page.push_str("<th>Status<th>Confidence<th>Why</tr>\n");
        for (row, name) in rows.iter().zip(names(rows)) {
            page.push_str(&line(row, &name, compared));
        }
        page.push_str("</table>\n");
    }
    page.push_str(&format!(
        "<footer>Written by rightsizer {} on {}</footer>\n",
        env!("CARGO_PKG_VERSION"),
        escaped(made)
    ));
    page
}

const TABLE: &str = "<input id=filter type=search placeholder='Filter by name or status' aria-label='Filter'>\n\
    <table>\n<tr><th>Function<th class=n>Now, MB<th>Used, MB<th class=n>Recommended, MB\
    <th class=n>Saving, $ a month<th class=n>Slower, at worst";
const COMPARED: &str = "<th class=n>Compute Optimizer, MB";

fn line(row: &ReviewRow, name: &str, compared: bool) -> String {
    let risk = at_risk(row);
    let status = match (row.urgent, risk) {
        (true, _) => format!("{}, urgent", row.status),
        (false, true) => format!("{}, at risk", row.status),
        (false, false) => row.status.clone(),
    };
    let to = match (row.to_mb, row.policy_mb) {
        (Some(to), _) => to.to_string(),
        (None, Some(_)) => "keep".to_owned(),
        (None, None) => "–".to_owned(),
    };
    let optimizer = row
        .compute_optimizer_mb
        .map_or_else(|| "–".to_owned(), |mb| mb.to_string());
    let optimizer = if compared {
        format!("<td class=n>{optimizer}")
    } else {
        String::new()
    };
    format!(
        "<tr{}><td class=f title=\"{}\">{}<td class=n>{}<td>{}<td class=n>{to}<td class=n>{}<td class=n>{}{optimizer}<td>{}<td>{}<td>{}</tr>\n",
        if risk { " class=risk" } else { "" },
        escaped(&row.function),
        escaped(name),
        row.current_mb,
        used(row),
        saving_range(row).map_or_else(|| "–".to_owned(), |saved| range(saved).replace('-', "−")),
        slowdown(row).map_or_else(
            || "–".to_owned(),
            |slower| format!("{:.1}×", slower.p95_worst)
        ),
        escaped(&status),
        escaped(row.confidence.as_deref().unwrap_or("–")),
        escaped(&why(&row.reasons)),
    )
}

/// The highest use as a bar of the size, and its number.
fn used(row: &ReviewRow) -> String {
    let Some(peak) = row.peak_mb else {
        return "–".to_owned();
    };
    let most = f64::from(row.current_mb.max(1));
    format!(
        "<meter max={most} high={:.0} value={}></meter> {peak}",
        most * 0.9,
        peak.min(row.current_mb)
    )
}

/// A function's name is untrusted text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in shown(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_is_text() {
        assert_eq!(
            escaped("<script>'a' & \"b\"</script>"),
            "&lt;script&gt;&#39;a&#39; &amp; &quot;b&quot;&lt;/script&gt;"
        );
    }

    #[test]
    fn an_empty_fleet_has_no_table_and_shows_what_to_do() {
        let page = page(&[], &[], "2026-01-31 10:00 UTC");
        assert!(page.contains("rightsizer import cloudwatch"), "{page}");
        assert!(!page.contains("<table>") && !page.contains("id=filter"));
    }
}
