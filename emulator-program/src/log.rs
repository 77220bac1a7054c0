//! The log: one line each, `name=value` or JSON.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
}

impl Form {
    /// Writes what happened. What is null or empty is left out of text.
    pub fn write(self, event: &str, fields: &[(&str, Value)]) {
        let time = timestamp(SystemTime::now());
        let mut line = match self {
            Self::Json => format!(r#"{{"time":"{time}","event":"{event}""#),
            Self::Text => format!("time={time} event={event}"),
        };
        for (name, value) in fields {
            match (self, value) {
                (Self::Json, value) => line.extend([",\"", name, "\":", &value.to_string()]),
                (Self::Text, Value::Null) => {}
                (Self::Text, Value::Array(items)) if items.is_empty() => {}
                (Self::Text, Value::String(text)) if is_plain(text) => line.extend([" ", name, "=", text]),
                (Self::Text, value) => line.extend([" ", name, "=", &value.to_string()]),
            }
        }
        if self == Self::Json {
            line.push('}');
        }
        // Whoever closed the output does not want to read it.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'='))
}

/// As RFC 3339 has it, in UTC, to the millisecond.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The date so many days after the first of January 1970. Years are counted from March, so that a leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::{SystemTime, UNIX_EPOCH, timestamp};
    use std::time::Duration;

    #[test]
    fn a_time_is_written_as_a_date() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(1_700_000_000), "2023-11-14T22:13:20.000Z");
    }
}
