//! In which order recommendations are worked on. Pure.

use std::cmp::Reverse;
use std::collections::HashMap;

use rightsizer_records::Recommendation;

/// Positions by function, each function's in their order; first those with something urgent, then
/// those with an increase: nothing delays an increase.
pub(crate) fn by_function(recs: &[Recommendation]) -> Vec<Vec<usize>> {
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    let mut lane_of: HashMap<&str, usize> = HashMap::new();
    for (position, rec) in recs.iter().enumerate() {
        let lane = *lane_of.entry(rec.function.as_str()).or_insert(lanes.len());
        if lane == lanes.len() {
            lanes.push(Vec::new());
        }
        if let Some(lane) = lanes.get_mut(lane) {
            lane.push(position);
        }
    }
    lanes.sort_by_cached_key(|lane| {
        let recs = || lane.iter().filter_map(|position| recs.get(*position));
        Reverse((
            recs().any(|rec| rec.urgent && rec.to_mb > rec.from_mb),
            recs().any(|rec| rec.to_mb > rec.from_mb),
        ))
    });
    lanes
}
