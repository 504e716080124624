//! Finds the roles that CloudFront may assume, with one call for each role. Their functions may be edge functions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::configuration::Edge;
use crate::iam::Iam;

/// The only region whose functions CloudFront runs.
pub(crate) const REGION: &str = "us-east-1";
/// The service that runs edge functions. Percent-encoding does not change these characters.
const CLOUDFRONT: &str = "edgelambda.amazonaws.com";

/// The results by the ARN of the role.
#[derive(Debug, Default)]
pub(crate) struct EdgeRoles(Mutex<HashMap<String, Edge>>);

impl EdgeRoles {
    /// Returns the result for this role; reads its trust policy if it is not known yet.
    pub(crate) async fn of(&self, iam: &Iam, role: &str) -> Edge {
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
        // No code under the lock can leave the map half written.
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
