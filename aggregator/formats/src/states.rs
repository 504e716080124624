//! States of functions as lines of text, by which an existing system moves to Flink and back: the bytes of
//! [`FunctionState`] in base64, one function a line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_rules::state::{FunctionState, StateError};

/// A line that is not a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It is not base64.
    #[error("not a line of `rightsizer to-flink`: {0}")]
    Base64(base64::DecodeError),
    /// The state is of a later release, or damaged.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Writes a state as a line, without its end.
pub fn to_line(state: &FunctionState) -> String {
    STANDARD.encode(state.to_bytes())
}

/// Reads what [`to_line`] wrote, spaces around it allowed.
pub fn of_line(line: &[u8]) -> Result<FunctionState, BadLine> {
    let bytes = STANDARD
        .decode(line.trim_ascii())
        .map_err(BadLine::Base64)?;
    Ok(FunctionState::from_bytes(&bytes)?)
}

#[cfg(test)]
mod tests {
    use rightsizer_rules::evidence::FunctionKey;
    use rightsizer_rules::state::STATE_VERSION;

    use super::*;

    #[test]
    fn a_state_is_one_line_and_other_lines_are_refused() {
        let state = FunctionState::new(FunctionKey::Local("f".to_owned()));
        let line = to_line(&state);
        assert!(!line.contains('\n'));
        assert_eq!(
            of_line(format!(" {line}\r\n").as_bytes()),
            Ok(state.clone())
        );
        let mut newer = state.to_bytes();
        newer[0] = STATE_VERSION + 1;
        let newer = of_line(STANDARD.encode(newer).as_bytes());
        assert_eq!(
            newer,
            Err(BadLine::State(StateError::Newer(STATE_VERSION + 1)))
        );
        assert!(matches!(of_line(b"REPORT ?"), Err(BadLine::Base64(_))));
    }
}
