//! The dollars of a function by the prices of the reader, so that new prices need no new decision.

use std::cmp::Ordering;

use rightsizer_records::{Arch, Megabytes};
use rightsizer_rules::power::{Offer, Offers};
use rightsizer_rules::price::{Billed, PriceTable, Usage};

use super::columns::Columns;
use super::error::StoreError;
use super::open::Reader;
use super::review::ReviewRow;

/// The columns that [`price`] reads, in its order. They follow those of the line.
pub(super) const PARTS: &str =
    "r.billed_days, r.billed_ms, r.billed_ms_after, r.decided_mb, r.decided_arch,
    r.gb_second_usd";

impl Reader {
    /// Returns the same reader with dollars by `prices`. Without prices, dollars are those of each function's decision.
    #[must_use]
    pub fn with_prices(mut self, prices: &PriceTable) -> Self {
        self.prices = Some(prices.clone());
        self
    }
}

/// Replaces the dollars of a line by those of `prices`. Those of a decision of an earlier release stay, because what
/// they are made of is unknown.
pub(super) fn price(
    line: &mut ReviewRow,
    columns: &mut Columns<'_>,
    prices: &PriceTable,
) -> Result<(), StoreError> {
    let Some(days) = columns.take::<Option<u32>>()? else {
        return Ok(());
    };
    let billed = Billed {
        usage: Usage {
            billed_ms: columns.number()?,
            invocations: line.invocations,
            days,
        },
        ms_after: columns.number()?,
        from_mb: Megabytes(columns.mb()?.unwrap_or_default()),
        to_mb: line.to_mb.map(Megabytes),
        arch: columns
            .take::<Option<String>>()?
            .map(|name| Arch::from_name(&name)),
    };
    let rates = prices.rates(region(&line.function));
    let (before, after) = billed.monthly(&rates);
    line.monthly_usd_before = Some(before.as_f64());
    line.monthly_usd_after = Some(after.as_f64());
    let then: Option<f64> = columns.take()?;
    if let Some(then) = then.filter(|then| *then > 0.0) {
        line.offers = offers(line.offers, rates.gb_second(billed.arch) / then);
    }
    Ok(())
}

/// The offers if a GB-second costs `factor` times as much. Requests cost the same at every size.
fn offers(offers: Offers, factor: f64) -> Offers {
    let priced = |offer: Offer| Offer {
        usd_more: offer.usd_more * factor,
        ..offer
    };
    Offers {
        free: offers.free.map(priced),
        cheap: offers.cheap.map(priced),
    }
}

/// The region of an ARN; `None` if only the name is known.
fn region(function: &str) -> Option<&str> {
    function.strip_prefix("arn:")?.split(':').nth(2)
}

/// Urgent functions first, then those whose change moves the most money.
pub(super) fn by_urgency_and_money(a: &ReviewRow, b: &ReviewRow) -> Ordering {
    let money = |row: &ReviewRow| {
        let saved = row.monthly_usd_before.zip(row.monthly_usd_after);
        saved.map_or(0.0, |(before, after)| (before - after).abs())
    };
    let urgent = b.urgent.cmp(&a.urgent);
    let money = || money(b).total_cmp(&money(a));
    urgent
        .then_with(money)
        .then_with(|| a.function.cmp(&b.function))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::Store;

    const CHECKOUT: &str = "arn:aws:lambda:eu-west-1:123456789012:function:checkout";
    const RESIZE: &str = "arn:aws:lambda:us-east-1:123456789012:function:resize";

    /// Two functions that were decided alike, with `gb_second_usd` of 0.00002, and one of an earlier release. Each was
    /// billed for 7,000 s in 14 days at 1024 MB; at 512 MB it is expected to take 8,000 s.
    fn store() -> (tempfile::TempDir, Reader) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        drop(Store::open(&path, "test").unwrap());
        let raw = Connection::open(&path).unwrap();
        let offers = r#"{"free":null,"cheap":{"memory_mb":2048,"faster":1.9,"faster_at_least":1.5,"usd_more":0.5}}"#;
        for (id, function, arch) in [(1, CHECKOUT, None), (2, RESIZE, Some("arm64"))] {
            let sql = "INSERT INTO functions (id, function, first_ms, heard_ms, last_ms, version, decided_day, to_mb,
                    invocations, usd_before, usd_after, offers, decided_mb, decided_arch, billed_days, billed_ms,
                    billed_ms_after, gb_second_usd)
                VALUES (?1, ?2, 0, 0, 0, '$LATEST', 14, 512, 1000000, 9.0, 5.0, ?3, 1024, ?4, 14, 7000000, 8000000,
                    0.00002)";
            let values = rusqlite::params![id, function, offers, arch];
            raw.execute(sql, values).unwrap();
        }
        let sql = "INSERT INTO functions (id, function, first_ms, heard_ms, last_ms, version, decided_day, to_mb,
                usd_before, usd_after) VALUES (3, 'local:old', 0, 0, 0, '$LATEST', 14, 512, 9.0, 4.5)";
        raw.execute(sql, []).unwrap();
        let reader = Reader::open(&path).unwrap();
        (dir, reader)
    }

    fn prices(text: &str) -> PriceTable {
        serde_json::from_str(text).unwrap()
    }

    fn dollars(row: &ReviewRow) -> (f64, f64) {
        (
            row.monthly_usd_before.unwrap(),
            row.monthly_usd_after.unwrap(),
        )
    }

    /// x86: 7,000 GB-s × 0.00004 = 0.28 and a million requests for 0.14 are 0.42; × 30/14 = 0.90. Then 8,000 s at
    /// 512 MB = 4,000 GB-s: 0.16 + 0.14 = 0.30; × 30/14 = 0.642857. arm64 at half of the price: (0.14 + 0.14) × 30/14
    /// = 0.60 and (0.08 + 0.14) × 30/14 = 0.471429. Offers cost twice as much for x86, and as before for arm64.
    #[test]
    fn every_way_to_read_has_the_prices_of_the_reader() {
        let (_dir, reader) = store();
        let own = r#"{"x86_gb_second":0.00004,"arm64_gb_second":0.00002,"million_requests":0.14}"#;
        let reader = reader.with_prices(&prices(own));
        let mut walked = Vec::new();
        reader.each_review_row(|row| walked.push(row)).unwrap();
        walked.sort_by(|a, b| a.function.cmp(&b.function));
        let found = reader.find("checkout").unwrap();
        assert_eq!(dollars(&found[0]), (0.9, 0.642_857));
        let resize = reader.exactly(RESIZE).unwrap().unwrap();
        assert_eq!(dollars(&resize), (0.6, 0.471_429));
        let offer = |row: &ReviewRow| row.offers.cheap.unwrap().usd_more;
        assert_eq!((offer(&found[0]), offer(&resize)), (1.0, 0.5));
        let old = reader.exactly("local:old").unwrap().unwrap();
        assert_eq!(dollars(&old), (9.0, 4.5));
        let all = [found[0].clone(), resize, old];
        assert_eq!(walked, all);
        assert_eq!(reader.review_after("", 9).unwrap(), all);
        assert_eq!(reader.review().unwrap().len(), 3);
    }

    /// By the dollars of the decisions the oldest saves the most, and by the prices of a region its function does.
    #[test]
    fn the_order_is_by_the_prices_of_the_reader() {
        let (_dir, reader) = store();
        let first = |reader: &Reader| reader.review().unwrap()[0].function.clone();
        assert_eq!(first(&reader), "local:old");
        let dear = r#"{"region":{"us-east-1":{"arm64_gb_second":0.01}}}"#;
        let reader = reader.with_prices(&prices(dear));
        assert_eq!(first(&reader), RESIZE);
        let dear = r#"{"region":{"eu-west-1":{"x86_gb_second":0.01}}}"#;
        let reader = reader.with_prices(&prices(dear));
        assert_eq!(first(&reader), CHECKOUT);
    }
}
