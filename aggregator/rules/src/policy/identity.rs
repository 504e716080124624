//! The name of a recommendation: deciding again is the same recommendation (P8).

use rightsizer_records::{Day, Megabytes};
use sha2::{Digest, Sha256};

/// Hash of function, decision day, from and to: 16 hex digits of SHA-256.
pub fn recommendation_id(function: &str, day: Day, from: Megabytes, to: Megabytes) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{function}\n{day}\n{}\n{}", from.0, to.0));
    let digest = hash.finalize();
    let name = digest
        .iter()
        .take(8)
        .fold(0, |name: u64, byte| name << 8 | u64::from(*byte));
    format!("{name:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_the_same_decision_has_the_same_id_and_another_has_another() {
        let day = Day::parse("2026-01-31").unwrap();
        let id = recommendation_id("f", day, Megabytes(1024), Megabytes(300));
        assert_eq!(id.len(), 16);
        assert_eq!(
            id,
            recommendation_id("f", day, Megabytes(1024), Megabytes(300))
        );
        assert_ne!(
            id,
            recommendation_id("f", day.plus(1), Megabytes(1024), Megabytes(300))
        );
        assert_ne!(
            id,
            recommendation_id("f", day, Megabytes(1024), Megabytes(301))
        );
    }
}
