//! Calls that are repeated after a pause.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;

/// Makes a call, and again after each of `pauses` while its error is one that may pass. Returns the first
/// other result, or the one after the last pause.
pub async fn retry<T, E, F>(
    pauses: impl IntoIterator<Item = Duration>,
    mut may_pass: impl FnMut(&E) -> bool,
    make: impl Fn() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut pauses = pauses.into_iter();
    let pause = |error: &E| may_pass(error).then(|| pauses.next()).flatten();
    retry_after(pause, sleep, make).await
}

/// Makes a call, and again after each pause that `pause` returns for its error. Returns the first result for which
/// there is no pause. `wait` waits by the caller's clock.
pub(crate) async fn retry_after<T, E, F, W>(
    mut pause: impl FnMut(&E) -> Option<Duration>,
    wait: impl Fn(Duration) -> W,
    make: impl Fn() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    W: Future<Output = ()>,
{
    loop {
        let answer = make().await;
        let Some(how_long) = answer.as_ref().err().and_then(&mut pause) else {
            return answer;
        };
        wait(how_long).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn tries(pauses: usize, errors: u32, may_pass: bool) -> (Result<(), u32>, u32) {
        let made = AtomicU32::new(0);
        let make = || async {
            let call = made.fetch_add(1, Ordering::Relaxed) + 1;
            if call <= errors { Err(call) } else { Ok(()) }
        };
        let pauses = [Duration::from_millis(1); 3].into_iter().take(pauses);
        let answer = retry(pauses, |_| may_pass, make).await;
        (answer, made.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_as_often_as_there_are_pauses() {
        assert_eq!(tries(3, 2, true).await, (Ok(()), 3));
        assert_eq!(tries(3, 9, true).await, (Err(4), 4));
        assert_eq!(tries(3, 9, false).await, (Err(1), 1));
        assert_eq!(tries(0, 9, true).await, (Err(1), 1));
    }
}
