//! The price table: built in, with `[price]` of the settings before it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// Nothing costs more than this a GB-second or a million requests: more is a slip of the pen.
const MOST_DOLLARS: f64 = 1000.0;

/// Prices by region.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Given")]
pub struct PriceTable {
    /// The default.
    elsewhere: Rates,
    regions: BTreeMap<String, Rates>,
}

/// Prices in one region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Dollars a GB-second on x86.
    pub x86_gb_second: f64,
    /// Dollars a GB-second on arm64.
    pub arm64_gb_second: f64,
    /// Dollars a million requests.
    pub million_requests: f64,
    /// Dollars a gigabyte that Logs Insights scans.
    pub insights_gb: f64,
}

/// A price that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("price.{setting} must be 0 to 1000 dollars, not {dollars}")]
pub struct PriceError {
    /// The setting below `[price]`.
    pub setting: String,
    /// The value given.
    pub dollars: f64,
}

/// A table as it is written, in `prices.toml` and under `[price]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Given {
    x86_gb_second: Option<f64>,
    arm64_gb_second: Option<f64>,
    million_requests: Option<f64>,
    insights_gb: Option<f64>,
    region: BTreeMap<String, GivenRates>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GivenRates {
    x86_gb_second: Option<f64>,
    arm64_gb_second: Option<f64>,
    million_requests: Option<f64>,
    insights_gb: Option<f64>,
}

/// `prices.toml` as it was when this was built.
static BUILT_IN: LazyLock<PriceTable> = LazyLock::new(|| {
    let nothing = PriceTable {
        elsewhere: Rates {
            x86_gb_second: 0.0,
            arm64_gb_second: 0.0,
            million_requests: 0.0,
            insights_gb: 0.0,
        },
        regions: BTreeMap::new(),
    };
    // A test reads the file: a build with a broken one does not leave the house.
    let given: Given = toml::from_str(include_str!("prices.toml")).unwrap_or_default();
    nothing.with(&given)
});

impl Default for PriceTable {
    fn default() -> Self {
        BUILT_IN.clone()
    }
}

impl From<Given> for PriceTable {
    fn from(given: Given) -> Self {
        Self::default().with(&given)
    }
}

impl PriceTable {
    /// Prices in `region`; if it is unknown or not in the table, those of most regions.
    pub fn rates(&self, region: Option<&str>) -> Rates {
        let named = region.and_then(|region| self.regions.get(region));
        named.copied().unwrap_or(self.elsewhere)
    }

    /// Returns an error if one of them cannot be.
    pub fn check(&self) -> Result<(), PriceError> {
        let everywhere = [(None, &self.elsewhere)].into_iter();
        for (region, rates) in everywhere.chain(self.regions.iter().map(|(r, p)| (Some(r), p))) {
            for (name, dollars) in rates.named() {
                if !(0.0..=MOST_DOLLARS).contains(&dollars) {
                    let region = region.map_or_else(String::new, |r| format!("region.{r}."));
                    return Err(PriceError {
                        setting: format!("{region}{name}"),
                        dollars,
                    });
                }
            }
        }
        Ok(())
    }

    fn with(mut self, given: &Given) -> Self {
        let general = GivenRates {
            x86_gb_second: given.x86_gb_second,
            arm64_gb_second: given.arm64_gb_second,
            million_requests: given.million_requests,
            insights_gb: given.insights_gb,
        };
        self.elsewhere = self.elsewhere.with(general);
        for rates in self.regions.values_mut() {
            *rates = rates.with(general);
        }
        for (region, own) in &given.region {
            let before = self.rates(Some(region));
            self.regions.insert(region.clone(), before.with(*own));
        }
        self
    }
}

impl Rates {
    fn with(self, given: GivenRates) -> Self {
        Self {
            x86_gb_second: given.x86_gb_second.unwrap_or(self.x86_gb_second),
            arm64_gb_second: given.arm64_gb_second.unwrap_or(self.arm64_gb_second),
            million_requests: given.million_requests.unwrap_or(self.million_requests),
            insights_gb: given.insights_gb.unwrap_or(self.insights_gb),
        }
    }

    const fn named(&self) -> [(&'static str, f64); 4] {
        [
            ("x86_gb_second", self.x86_gb_second),
            ("arm64_gb_second", self.arm64_gb_second),
            ("million_requests", self.million_requests),
            ("insights_gb", self.insights_gb),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_whole() {
        let given: Given = toml::from_str(include_str!("prices.toml")).unwrap();
        assert!(given.region.len() >= 5);
        let table = PriceTable::default();
        assert_eq!(table.check(), Ok(()));
        for rates in table.regions.values().chain([&table.elsewhere]) {
            assert!(
                rates.named().iter().all(|(_, dollars)| *dollars > 0.0),
                "{rates:?}"
            );
            assert!(rates.arm64_gb_second < rates.x86_gb_second);
        }
    }

    /// Settings take precedence over built-in prices, also over those of a single region.
    #[test]
    fn the_settings_go_before_the_table() {
        let table: PriceTable =
            toml::from_str("x86_gb_second = 0.00001\n[region.me-south-1]\nx86_gb_second = 0.00003")
                .unwrap();
        let x86 = |region| table.rates(region).x86_gb_second;
        assert_eq!((x86(None), x86(Some("eu-south-1"))), (0.000_01, 0.000_01));
        let own = Rates {
            x86_gb_second: 0.000_03,
            arm64_gb_second: 0.000_016_533_4,
            million_requests: 0.20,
            insights_gb: 0.005,
        };
        assert_eq!(table.rates(Some("me-south-1")), own);
        assert!(toml::from_str::<PriceTable>("x86 = 1.0").is_err());
    }
}
