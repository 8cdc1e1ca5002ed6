//! Several points of capture, in words: whose clock is how far ahead, and what counts once.

use super::count::{count, span, verb};
use crate::capture::Clock;
use crate::model::Capture;
use crate::units::Span;

/// What is to be told of them; nothing where each file shows traffic of its own.
pub(crate) fn sentences(capture: &Capture) -> Vec<String> {
    let mut points: Vec<(u8, &Clock)> = capture
        .files
        .iter()
        .filter_map(|file| Some((file.standpoint.point?, &file.standpoint.clock)))
        .collect();
    // Files of one point have one clock.
    points.sort_by_key(|(point, _)| *point);
    points.dedup_by_key(|(point, _)| *point);
    let Some((measure, _)) = points.iter().find(|(_, clock)| clock.is_measure()) else { return Vec::new() };
    let measure = capture.point_name(*measure);
    let files = capture.files.iter().filter(|file| file.standpoint.point.is_some()).count() as u64;
    let again = capture.totals.seen_again;
    let mut told: Vec<String> = Vec::new();
    if again > 0 {
        told.push(format!(
            "{} see the same traffic: {} {} at a second point and {} once",
            count(files, "file"),
            count(again, "packet"),
            verb(again, "was seen", "were seen"),
            verb(again, "counts", "count")
        ));
    }
    let clocks = points.iter().filter(|(_, clock)| !clock.is_measure());
    told.extend(
        clocks.map(|(point, clock)| format!("{}: {}", capture.point_name(*point), sentence(clock, &measure))),
    );
    let forgotten = capture.totals.forgotten_passages;
    told.extend((forgotten > 0).then(|| {
        format!(
            "of {} it is not told what one point of capture saw alone",
            count(forgotten, "more connection")
        )
    }));
    told
}

/// How far a clock is from the one that is the measure.
fn sentence(clock: &Clock, measure: &str) -> String {
    let positive = |span: Span| Span::from_nanos(span.as_nanos().saturating_abs());
    let far = positive(clock.ahead);
    let way = if clock.ahead < Span::default() { "behind" } else { "ahead of" };
    let gains = clock.gains.as_nanos();
    let drift = match gains {
        0 => String::new(),
        ..0 => format!(" and loses {} over the capture", span(positive(clock.gains))),
        _ => format!(" and gains {} over the capture", span(clock.gains)),
    };
    let apart = match clock.error {
        None => {
            return format!(
                "its clock seems to be {} {way} that of {measure}, by which times are told; but packets of one direction \
                 only tell that, and nobody knows how long they took",
                span(far)
            );
        }
        Some(error) if far <= error && gains == 0 => {
            format!("agrees with that of {measure} to {}", span(error))
        }
        Some(error) => format!("is {} {way} that of {measure} (\u{b1}{}){drift}", span(far), span(error)),
    };
    format!("its clock {apart}, by which times are told")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{FileFacts, Standpoint};
    use crate::units::Timestamp;

    fn clock(ahead_us: i64, error_us: Option<i64>, gains_us: i64) -> Clock {
        let micros = |micros: i64| Span::from_nanos(micros * 1_000);
        Clock {
            takes_off: vec![(Timestamp::default(), micros(ahead_us))],
            ahead: micros(ahead_us),
            error: error_us.map(micros),
            gains: micros(gains_us),
        }
    }

    #[test]
    fn clocks_are_told_in_words() {
        for (clock, expected) in [
            (clock(3_200, Some(100), 0), "is 3.20 ms ahead of that of a (\u{b1}0.100 ms)"),
            (clock(-3_000_000, Some(900), 0), "is 3.0 s behind that of a (\u{b1}0.900 ms)"),
            (clock(50, Some(100), 0), "agrees with that of a to 0.100 ms"),
            (
                clock(50, Some(100), -30_000),
                "is 0.050 ms ahead of that of a (\u{b1}0.100 ms) and loses 30.0 ms over the capture",
            ),
        ] {
            assert_eq!(sentence(&clock, "a"), format!("its clock {expected}, by which times are told"));
        }
        assert!(sentence(&clock(5, None, 0), "a").contains("one direction only"));
    }

    #[test]
    fn files_of_other_traffic_are_not_told() {
        let file = |name: &str, point, clock| FileFacts {
            name: name.to_owned(),
            standpoint: Standpoint { point, clock },
            ..FileFacts::default()
        };
        let mut capture = Capture {
            files: vec![file("a", None, Clock::default()), file("b", None, Clock::default())],
            ..Capture::default()
        };
        assert_eq!(sentences(&capture), [""; 0]);
        capture.files = vec![
            file("a", Some(0), Clock::default()),
            file("b", Some(1), clock(9, Some(10), 0)),
            file("c", Some(1), clock(9, Some(10), 0)),
        ];
        capture.totals.seen_again = 1;
        assert_eq!(
            sentences(&capture),
            [
                "3 files see the same traffic: 1 packet was seen at a second point and counts once",
                "b and 1 more: its clock agrees with that of a to 0.010 ms, by which times are told",
            ]
        );
    }
}
