//! Log lines of quarantined records: each reason and origin once a minute, so that the log shows
//! why, and a flooded stream does not flood the log.

use std::collections::HashSet;

use rightsizer_records::Timestamp;

use crate::pipeline::Prepared;

/// The number of different ones that are logged per minute. A reason can contain text of the
/// record, so their number is unbounded.
const MOST: usize = 20;

/// The origin of a record, and why it could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Refused {
    pub(super) origin: String,
    pub(super) why: String,
}

/// What was logged in this minute.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    minute: i64,
    logged: HashSet<Refused>,
}

impl Refusals {
    /// Those of the deliveries' refusals that were not logged in this minute.
    pub(super) fn news(&mut self, deliveries: &[Prepared], now: Timestamp) -> Vec<Refused> {
        let minute = now.as_ms().div_euclid(60_000);
        if minute != self.minute {
            *self = Self {
                minute,
                logged: HashSet::new(),
            };
        }
        let mut news = Vec::new();
        for (origin, why) in deliveries.iter().flat_map(Prepared::refusals) {
            if self.logged.len() == MOST {
                break;
            }
            let refused = Refused {
                origin: origin.to_owned(),
                why: why.to_owned(),
            };
            if self.logged.insert(refused.clone()) {
                news.push(refused);
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rightsizer_formats::{Channel, Delivery};

    use crate::pipeline::Gate;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_ms(1_769_904_000_000 + second * 1000).unwrap()
    }

    fn delivery(origin: &str, payloads: &[&str]) -> Prepared {
        let delivery = Delivery {
            origin: origin.to_owned(),
            channel: Channel::Reports,
            payloads: payloads.iter().map(|p| p.as_bytes().to_vec()).collect(),
            checkpoint: None,
            gaps: Vec::new(),
        };
        Gate::default().prepare(delivery, at(0))
    }

    #[test]
    fn each_reason_and_origin_is_logged_once_a_minute() {
        let mut refusals = Refusals::default();
        let mut news = |delivery: Prepared, second| {
            let news = refusals.news(&[delivery], at(second));
            let origins = news.into_iter().map(|refused| refused.origin);
            origins.collect::<Vec<_>>()
        };
        assert_eq!(news(delivery("a", &["no record", "no record"]), 0), ["a"]);
        assert_eq!(news(delivery("a", &["no record"]), 59), [""; 0]);
        assert_eq!(news(delivery("b", &["no record"]), 59), ["b"]);
        assert_eq!(news(delivery("a", &["no record"]), 60), ["a"]);
    }

    #[test]
    fn a_flood_of_reasons_is_cut_off() {
        let mut refusals = Refusals::default();
        let origins = (0..100).map(|n| delivery(&n.to_string(), &["no record"]));
        let flood: Vec<_> = origins.collect();
        assert_eq!(refusals.news(&flood, at(0)).len(), MOST);
        assert_eq!(refusals.news(&flood, at(1)), []);
        assert_eq!(refusals.news(&flood, at(60)).len(), MOST);
    }
}
