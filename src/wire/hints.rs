//! What a refusal tells beside its code, as hints: nothing in this crate decides by them (decision D27).

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use super::codes::{self, MessageHint};
use crate::error::Hints;

/// The hints in the message of a code: only of a code whose messages have one.
pub(super) fn of_message(code: &str, message: &str) -> Hints {
    match codes::find(code).and_then(|known| known.hint) {
        Some(MessageHint::AttemptsLeft) => {
            Hints { attempts_left: attempts_left(message), ..Hints::default() }
        }
        Some(MessageHint::UnlocksIn) => Hints { unlocks_in: unlocks_in(message), ..Hints::default() },
        None => Hints::default(),
    }
}

/// `Retry-After` in its form of seconds; the form of a date is not read.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim_ascii();
    seconds
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(seconds)?
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// The last number after the last colon.
fn attempts_left(message: &str) -> Option<u32> {
    let (_, rest) = message.rsplit_once([':', '：'])?;
    numbers(rest).next_back()?.parse().ok()
}

/// The first two numbers, as minutes and seconds.
fn unlocks_in(message: &str) -> Option<Duration> {
    let mut numbers = numbers(message);
    let minutes: u64 = numbers.next()?.parse().ok()?;
    let seconds: u64 = numbers.next()?.parse().ok()?;
    Some(Duration::from_secs(minutes.checked_mul(60)?.checked_add(seconds)?))
}

/// The runs of ASCII digits.
fn numbers(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_digit()).filter(|run| !run.is_empty())
}
