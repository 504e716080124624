//! Suggests the name that a mistyped one probably means.

/// Returns the name that is most similar to `typed`, if one is similar enough.
pub(super) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |name: &&str| {
        let alike = strsim::jaro_winkler(typed, name.strip_prefix("local:").unwrap_or(name));
        (alike * 1e6).round().max(0.0).to_bits()
    };
    names.max_by_key(alike).filter(|name| {
        strsim::jaro_winkler(typed, name.strip_prefix("local:").unwrap_or(name)) > 0.85
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_the_one_that_was_meant() {
        let names = ["pdf-render", "orders-api", "local:report-builder"];
        for (typed, meant) in [
            ("pdf-rendr", Some("pdf-render")),
            ("order-api", Some("orders-api")),
            ("report-bilder", Some("local:report-builder")),
            ("checkout", None),
        ] {
            assert_eq!(nearest(typed, names.into_iter()), meant, "{typed}");
        }
    }
}
