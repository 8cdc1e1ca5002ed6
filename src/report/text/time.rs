//! Times for people.

use jiff::tz::TimeZone;

use crate::report::TimeStyle;
use crate::units::Timestamp;

/// Shows times in one style.
#[derive(Debug)]
pub(crate) struct Clock {
    style: TimeStyle,
    start: Timestamp,
    zone: TimeZone,
    /// How local times are shown.
    local: &'static str,
}

impl Clock {
    /// For a capture that starts at `start`. The local time zone is asked for only if it is wanted.
    pub(crate) fn new(style: TimeStyle, start: Timestamp) -> Self {
        let zone = match style {
            TimeStyle::Relative | TimeStyle::Utc => TimeZone::UTC,
            TimeStyle::Local => TimeZone::system(),
        };
        Self { style, start, zone, local: "%FT%T.%6f%:z" }
    }

    /// The same with local times as somebody wants them who knows the day: `20:48:44.638`.
    pub(crate) fn without_day(self) -> Self {
        Self { local: "%T.%3f", ..self }
    }

    /// A time, to the microsecond: `0.001118 s`, `2026-11-23T18:48:43.636962Z` or with an offset. From 1,000 s
    /// on to the millisecond, so that all fit one column: `86400.123 s`.
    pub(crate) fn show(&self, time: Timestamp) -> String {
        let nanos = time.as_nanos();
        match self.style {
            TimeStyle::Relative => relative(time.since(self.start).as_nanos()),
            TimeStyle::Utc | TimeStyle::Local => {
                let Ok(time) = jiff::Timestamp::from_nanosecond(i128::from(nanos)) else {
                    return String::new();
                };
                let format = if self.style == TimeStyle::Utc { "%FT%T.%6fZ" } else { self.local };
                time.to_zoned_datetime(self.zone.clone()).strftime(format).to_string()
            }
        }
    }
}

fn relative(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let micros = nanos.unsigned_abs() / 1_000;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    match seconds {
        ..1_000 => format!("{sign}{seconds}.{micros:06} s"),
        _ => format!("{sign}{seconds}.{:03} s", micros / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_each_style() {
        let start = Timestamp::from_nanos(1_795_459_723_636_962_000);
        let later = Timestamp::from_nanos(1_795_459_724_638_080_999);
        let show = |style, time| Clock::new(style, start).show(time);
        assert_eq!(show(TimeStyle::Relative, later), "1.001118 s");
        assert_eq!(
            show(TimeStyle::Relative, Timestamp::from_nanos(1_795_459_723_636_961_000)),
            "-0.000001 s"
        );
        let hours_later = Timestamp::from_nanos(start.as_nanos() + 86_400_123_456_789);
        assert_eq!(show(TimeStyle::Relative, hours_later), "86400.123 s");
        assert_eq!(show(TimeStyle::Utc, later), "2026-11-23T18:48:44.638080Z");
        let cairo = TimeZone::fixed(jiff::tz::offset(2));
        let clock = Clock { zone: cairo, ..Clock::new(TimeStyle::Local, start) };
        assert_eq!(clock.show(later), "2026-11-23T20:48:44.638080+02:00");
        assert_eq!(clock.without_day().show(later), "20:48:44.638");
        for style in [TimeStyle::Relative, TimeStyle::Utc, TimeStyle::Local] {
            show(style, Timestamp::MIN);
            show(style, Timestamp::from_nanos(i64::MAX));
        }
    }
}
