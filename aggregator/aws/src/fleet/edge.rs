//! Which roles CloudFront may take on, asked once a role: the functions of those may be its own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::configuration::Edge;
use crate::iam::Iam;

/// The one region whose functions CloudFront runs.
pub(super) const REGION: &str = "us-east-1";
/// Who runs them. A percent-encoded policy has these characters as they are.
const CLOUDFRONT: &str = "edgelambda.amazonaws.com";

/// What is known of roles by their ARNs.
#[derive(Debug, Default)]
pub(super) struct EdgeRoles(Mutex<HashMap<String, Edge>>);

impl EdgeRoles {
    /// What is known of this role, asked if nothing is.
    pub(super) async fn of(&self, iam: &Iam, role: &str) -> Edge {
        let known = self.known().get(role).cloned();
        if let Some(edge) = known {
            return edge;
        }
        let edge = match iam.trust_of(role).await {
            Ok(trust) => edge_of(&trust),
            Err(error) => Edge::Unknown(error.to_string().chars().take(300).collect()),
        };
        self.known().insert(role.to_owned(), edge.clone());
        edge
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Edge>> {
        // Nothing in between can leave the map half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn edge_of(trust: &str) -> Edge {
    if trust.contains(CLOUDFRONT) {
        Edge::Yes
    } else {
        Edge::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_trusts_cloudfront_is_an_edge_functions() {
        let of = |service: &str| {
            edge_of(&format!(
                "%7B%22Statement%22%3A%5B%7B%22Principal%22%3A%7B%22Service%22%3A%5B%22{service}%22%5D%7D%7D%5D%7D"
            ))
        };
        assert_eq!(of("edgelambda.amazonaws.com"), Edge::Yes);
        assert_eq!(of("lambda.amazonaws.com"), Edge::No);
    }
}
