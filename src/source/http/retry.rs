//! When to try again.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The pause before try `n` (the first retry is 0): half of an exponential step for certain, the other half by chance.
pub fn pause(n: u32) -> Duration {
    const BASE: u64 = 200;
    const CAP: u64 = 8_000;
    let step = BASE.saturating_mul(1 << n.min(10)).min(CAP);
    let mut random = [0; 8];
    // Without randomness the pause is just not jittered.
    let _ = getrandom::fill(&mut random);
    Duration::from_millis(step / 2 + u64::from_le_bytes(random) % (step / 2 + 1))
}

/// Seconds of a `Retry-After`: a number, or a date.
pub fn after(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let when = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    let seconds = when.as_second().saturating_sub(jiff::Timestamp::now().as_second());
    Some(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read() {
        let of = |v: &str| {
            let mut h = HeaderMap::new();
            h.insert(RETRY_AFTER, v.parse().unwrap());
            after(&h)
        };
        assert_eq!(of("7"), Some(7));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(0));
        assert!(of("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > 1_000_000);
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn pauses_grow_and_end() {
        assert!(pause(0) <= Duration::from_millis(200));
        assert!(pause(40) <= Duration::from_millis(8_000) && pause(40) >= Duration::from_millis(4_000));
    }
}
