//! Durations as people read them.

/// Returns a duration as text, with one decimal below 100 ms and from a second on: `84.3 ms`, `711 ms`, `9.0 s`,
/// `14 min 3.8 s`.
#[must_use]
pub fn duration_text(ms: f64) -> String {
    let tenths = (ms / 100.0).round();
    if ms < 99.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if tenths < 600.0 {
        format!("{:.1} s", tenths / 10.0)
    } else {
        let (minutes, rest) = ((tenths / 600.0).floor(), tenths % 600.0);
        if rest < 1.0 {
            format!("{minutes:.0} min")
        } else {
            format!("{minutes:.0} min {:.1} s", rest / 10.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_as_people_read_them() {
        for (ms, text) in [
            (84.26, "84.3 ms"),
            (99.96, "100 ms"),
            (710.59, "711 ms"),
            (999.6, "1.0 s"),
            (9_023.0, "9.0 s"),
            (59_949.0, "59.9 s"),
            // 59.96 s is 60.0 s with one decimal, which is a minute.
            (59_960.0, "1 min"),
            (99_134.9, "1 min 39.1 s"),
            // 14 × 60 + 3.8 = 843.8 s
            (843_775.0, "14 min 3.8 s"),
            (900_000.0, "15 min"),
        ] {
            assert_eq!(duration_text(ms), text, "{ms}");
        }
    }
}
