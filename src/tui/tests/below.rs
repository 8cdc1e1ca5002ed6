//! What happened below the streams: asked for when a flow is looked at, drawn where it happened.

use super::*;
use crate::decode::Half;
use crate::tcp::{Happened, Happening, Happenings};
use crate::units::{Origin, PacketNumber, Span};

fn flow(size: (u16, u16)) -> App {
    let mut app = read("idle-cut/proxy-any.pcap", size);
    let effects = act(&mut app, &[Action::Show(Screen::Flow)]);
    let [Effect::ReadHappenings(connections)] = effects.as_slice() else { panic!("{effects:?}") };
    let first = &connections[0].connection;
    let begin = first.tcp.opening.first;
    let at = |packet, millis| Origin {
        packet: PacketNumber(packet),
        time: begin.time.after(Span::from_millis(millis)),
        file_offset: 0,
    };
    let happening = |packet, millis, by, what| Happening { origin: at(packet, millis), by, what };
    let (lo, hi) = (Half::Lo, Half::Hi);
    let kept = vec![
        happening(40, 100, lo, Happened::Retransmitted(20)),
        happening(41, 200, hi, Happened::Missing(1_460)),
        happening(42, 300, hi, Happened::OutOfOrder(5)),
        happening(43, 2_000, lo, Happened::KeepAlive),
        happening(first.tcp.ending.unwrap().origin.packet.0, 3_000, lo, Happened::Fin),
        happening(44, 3_100, hi, Happened::Fin),
        happening(45, 3_200, hi, Happened::Reset),
    ];
    let mut happened = Happenings::default();
    happened.kept.extend(kept);
    let read = vec![(first.id(), happened)];
    let _ = receive(&mut app, News::Happenings(connections[0].id(), Ok(read)));
    app
}

#[test]
fn what_happened_below_is_drawn_where_it_happened() {
    for size in screens::SIZES {
        let mut app = flow(size);
        let _ = update(&mut app, Action::Move(Motion::Last));
        screens::assert_screen("flow-below", &app);
    }
}

#[test]
fn it_is_asked_for_once_and_again_when_something_else_came_between() {
    let mut app = read("mixed-backends/proxy-any.pcap", (80, 24));
    let asks = |effects: &[Effect]| matches!(effects, [Effect::ReadHappenings(_)]);
    assert!(asks(&act(&mut app, &[Action::Show(Screen::Flow)])));
    assert_eq!(act(&mut app, &[Action::Move(Motion::Down)]), []);
    assert!(asks(&act(&mut app, &[Action::NextAttempt])));
    let _ = act(&mut app, &[Action::Show(Screen::Capture)]);
    assert!(asks(&act(&mut app, &[Action::Back])), "nobody answered");
}
