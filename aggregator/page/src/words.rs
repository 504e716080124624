//! Text and numbers as the page writes them.

use maud::{Escaper, Render};
use rightsizer_records::shown::shown;
use std::fmt::Write as _;

use crate::text::{SavingRange, cents};

/// Untrusted text: hidden characters are written out, and markup is escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Render for Text<'_> {
    fn render_to(&self, buffer: &mut String) {
        // Writing to a String cannot fail.
        let _ = Escaper::new(buffer).write_str(&shown(self.0));
    }
}

/// A sentence in which commands stand between backquotes, as messages on a terminal have them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prose<'a>(pub(crate) &'a str);

impl Render for Prose<'_> {
    fn render_to(&self, buffer: &mut String) {
        // An odd backquote, which is not closed, is itself.
        let closed = self.0.matches('`').count() / 2;
        for (n, part) in self.0.splitn(2 * closed + 1, '`').enumerate() {
            let (open, close) = if n % 2 == 1 {
                ("<code>", "</code>")
            } else {
                ("", "")
            };
            buffer.push_str(open);
            Text(part).render_to(buffer);
            buffer.push_str(close);
        }
    }
}

/// Dollars with as many digits as they need: `<$0.01`, `$0.42`, `$12.50`, `$1,234`.
pub(crate) fn usd(dollars: f64) -> String {
    if dollars > 0.0 && dollars < 0.005 {
        return "<$0.01".to_owned();
    }
    let sign = if dollars < -0.004 { "−" } else { "" };
    let size = dollars.abs();
    if size < 100.0 {
        format!("{sign}${size:.2}")
    } else {
        format!("{sign}${}", thousands(&format!("{size:.0}")))
    }
}

/// A saving as a range of dollars and cents, `$0.00 to $24.57`, or one number if both ends read the same.
pub(crate) fn saved(saving: SavingRange) -> String {
    let end = |usd| {
        let text = cents(usd);
        match text.strip_prefix('-') {
            Some(more) => format!("−${more}"),
            None => format!("${text}"),
        }
    };
    let (safe, expected) = (end(saving.safe), end(saving.expected));
    if safe == expected {
        expected
    } else {
        format!("{safe} to {expected}")
    }
}

/// A whole number with its thousands apart.
pub(crate) fn whole(n: impl TryInto<u64>) -> String {
    thousands(&n.try_into().unwrap_or_default().to_string())
}

/// A count with its thing: `1 function`, `48,210 functions`.
pub(crate) fn many(n: usize, what: &str) -> String {
    format!("{} {what}{}", whole(n), if n == 1 { "" } else { "s" })
}

fn thousands(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration: `12 ms`, `1.4 s`, `3.2 min`.
pub(crate) fn duration(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else if ms < 60_000.0 {
        format!("{:.1} s", ms / 1000.0)
    } else {
        format!("{:.1} min", ms / 60_000.0)
    }
}

/// Durations at an axis, the longest first, all in the unit that suits the longest.
pub(crate) fn durations(ticks: &[f64]) -> Vec<String> {
    let (per, unit, digits) = match ticks.first().copied().unwrap_or_default() {
        most if most < 10.0 => (1.0, "ms", 1),
        most if most < 1000.0 => (1.0, "ms", 0),
        most if most < 30_000.0 => (1000.0, "s", 1),
        most if most < 300_000.0 => (1000.0, "s", 0),
        _ => (60_000.0, "min", 1),
    };
    let label = |ms: &f64| format!("{:.digits$} {unit}", ms / per);
    ticks.iter().map(label).collect()
}

/// Dollars at an axis, the most first: less than a few cents need more digits.
pub(crate) fn dollars(ticks: &[f64]) -> Vec<String> {
    if ticks.first().is_none_or(|most| *most >= 0.05) {
        return ticks.iter().map(|tick| usd(*tick)).collect();
    }
    ticks.iter().map(|tick| format!("${tick:.4}")).collect()
}

/// A value of a query string.
pub(crate) fn query_value(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The address of a function's page.
pub fn function_link(function: &str) -> String {
    format!("/ui/function?name={}", query_value(function))
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Usd;

    use super::*;

    #[test]
    fn text_is_text() {
        let html =
            maud::html! { p title=(Text("\"'&")) { (Text("<script>\u{202e}a\n</script>")) } };
        assert_eq!(
            html.into_string(),
            "<p title=\"&quot;'&amp;\">&lt;script&gt;\\u{202e}a\\n&lt;/script&gt;</p>"
        );
    }

    #[test]
    fn a_command_in_a_sentence_is_code() {
        let html = |text| maud::html! { (Prose(text)) }.into_string();
        assert_eq!(
            html("`list <b>` or `show`, then `"),
            "<code>list &lt;b&gt;</code> or <code>show</code>, then `"
        );
        assert_eq!(html("plain"), "plain");
    }

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(usd(0.418), "$0.42");
        assert_eq!(
            (usd(0.0049), usd(0.0)),
            ("<$0.01".to_owned(), "$0.00".to_owned())
        );
        assert_eq!(usd(-12.5), "−$12.50");
        assert_eq!(usd(1234.4), "$1,234");
        assert_eq!(usd(1_234_567.0), "$1,234,567");
        assert_eq!(many(48_210, "function"), "48,210 functions");
        assert_eq!(whole(999_u64), "999");
        assert_eq!(whole(48_210_u64), "48,210");
        assert_eq!(
            durations(&[100_000.0, 75_000.0, 0.0]),
            ["100 s", "75 s", "0 s"]
        );
        assert_eq!(durations(&[10_000.0, 2500.0]), ["10.0 s", "2.5 s"]);
        assert_eq!(
            dollars(&[0.004, 0.002, 0.0]),
            ["$0.0040", "$0.0020", "$0.0000"]
        );
        assert_eq!(dollars(&[2.0, 0.0]), ["$2.00", "$0.00"]);
        assert_eq!(duration(3.12), "3.1 ms");
        assert_eq!(duration(212.0), "212 ms");
        assert_eq!(duration(1_440.0), "1.4 s");
        assert_eq!(duration(192_000.0), "3.2 min");
    }

    #[test]
    fn each_end_of_a_saving_has_its_sign() {
        let range = |safe, expected| {
            saved(SavingRange {
                safe: Usd::from_f64(safe),
                expected: Usd::from_f64(expected),
            })
        };
        assert_eq!(range(-2.13, 83.37), "−$2.13 to $83.37");
        assert_eq!(range(0.001, 0.0), "$0.00");
        assert_eq!(range(-0.31, -0.31), "−$0.31");
    }

    #[test]
    fn an_address_carries_any_name() {
        assert_eq!(
            function_link("local:a b/<&\"'"),
            "/ui/function?name=local%3Aa+b%2F%3C%26%22%27"
        );
    }
}
