//! Tokens: what a request's path has to carry. Kept as hashes of one length, which are compared in
//! constant time, so that the time of a comparison reveals nothing about the token.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// A token that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether this is it.
    pub(crate) fn is(&self, given: &str) -> bool {
        self.0.ct_eq(&Self::new(given).0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_it() {
        let secret = Secret::new("s3cret");
        assert!(secret.is("s3cret"));
        for wrong in ["", "s3cre", "s3crets", "S3cret"] {
            assert!(!secret.is(wrong), "{wrong:?}");
        }
    }
}
