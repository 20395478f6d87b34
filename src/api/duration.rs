//! Spans of time as people write them: `5m`, `1h30m`. The text is kept, so that an object goes round without a change.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::golang::duration;

/// Durations of specs: at least one number with a unit.
pub const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// Timeouts of sources have no hours.
pub const TIMEOUT_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$";

/// A Go duration in the text of its author.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoDuration(pub String);

impl GoDuration {
    /// The span; none when the text is no duration or negative, which the schema rules out for specs.
    pub fn parsed(&self) -> Option<Duration> {
        let nanos = duration::parse(self.0.as_bytes()).ok()?;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    /// The span, or another one where the text cannot be read.
    pub fn or(&self, default: Duration) -> Duration {
        self.parsed().unwrap_or(default)
    }

    /// Go's own text, as a controller writes it: `5m0s` for `5m`.
    pub fn canonical(&self) -> String {
        duration::parse(self.0.as_bytes()).map_or_else(|_| self.0.clone(), duration::string)
    }
}

impl From<Duration> for GoDuration {
    fn from(span: Duration) -> Self {
        Self(duration::string(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl From<&str> for GoDuration {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl JsonSchema for GoDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_and_are_read() {
        for (text, seconds, canonical) in [
            ("5m", 300.0, "5m0s"),
            ("1h30m", 5400.0, "1h30m0s"),
            ("1.5s", 1.5, "1.5s"),
            ("250ms", 0.25, "250ms"),
            ("0s", 0.0, "0s"),
        ] {
            let d: GoDuration = serde_json::from_value(serde_json::json!(text)).unwrap();
            assert_eq!(d.parsed().unwrap().as_secs_f64(), seconds, "{text}");
            assert_eq!(d.canonical(), canonical);
            assert_eq!(serde_json::to_value(&d).unwrap(), text);
        }
        for bad in ["", "5", "five", "-1s"] {
            assert_eq!(GoDuration::from(bad).parsed(), None, "{bad}");
        }
        assert_eq!(GoDuration::from(Duration::from_millis(90_500)).0, "1m30.5s");
    }
}
