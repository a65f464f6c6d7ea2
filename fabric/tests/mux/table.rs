//! The state table (wire contract, 4), cell by cell, from the outside.

use crate::wire::*;
use fabric::mux::{Admission, Event, Limits, Mux, Priority, Reject, Role, StreamId, code};
use machine::Instant;

const NOW: Instant = Instant::ZERO;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Idle,
    Opening,
    Open,
    LocalClosed,
    RemoteClosed,
    ClosedByRst,
    ClosedByOurRst,
    ClosedByBoth,
}

/// What a frame comes to, as far as it shows outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// The session ends.
    U,
    S,
    Opened,
    Delivered,
    /// More bytes go out.
    Added,
    Ignored,
    Reset,
    Finished,
}
use Cell::*;

const FRAMES: [&str; 5] = ["OPEN_ACK", "DATA", "WINDOW_UPDATE", "RST", "CLOSE"];

const TABLE: [(Row, [Cell; 5]); 8] = [
    (Row::Idle, [U, U, U, U, U]),
    (Row::Opening, [Opened, S, S, Reset, S]),
    (Row::Open, [S, Delivered, Added, Reset, Finished]),
    (Row::LocalClosed, [S, Delivered, Ignored, Reset, Finished]),
    (Row::RemoteClosed, [S, S, Added, Reset, S]),
    (Row::ClosedByRst, [Ignored; 5]),
    (Row::ClosedByOurRst, [Ignored; 5]),
    (Row::ClosedByBoth, [Ignored; 5]),
];

/// A mux with a stream of its own in this state, with no credit to send more.
fn in_state(row: Row) -> (Mux, StreamId) {
    let mut mux = Mux::new(NOW, Role::Initiator, &Limits::default());
    let stream = mux.open(NOW, "echo", Priority::NORMAL).unwrap();
    if row == Row::Idle {
        return (mux, stream);
    }
    said(&mut mux, NOW);
    if row == Row::Opening {
        return (mux, stream);
    }
    let id = stream.as_u32();
    hear(&mut mux, &open_ack(id)).unwrap();
    if matches!(row, Row::Open | Row::RemoteClosed) {
        mux.write(stream, &vec![0; 10_000], false).unwrap();
    }
    if matches!(row, Row::LocalClosed | Row::ClosedByBoth) {
        mux.finish(stream).unwrap();
        said(&mut mux, NOW);
    }
    if matches!(row, Row::RemoteClosed | Row::ClosedByBoth) {
        hear(&mut mux, &close(id, 0)).unwrap();
    }
    if row == Row::ClosedByRst {
        hear(&mut mux, &rst(id)).unwrap();
    }
    if row == Row::ClosedByOurRst {
        mux.reset(stream, code::CANCELLED).unwrap();
    }
    said(&mut mux, NOW);
    while mux.poll().is_some() {}
    (mux, stream)
}

fn hear(mux: &mut Mux, record: &[u8]) -> Result<(), Reject> {
    mux.receive(NOW, record, &mut |_| Admission::Admit)
}

fn outcome(mux: &mut Mux, stream: StreamId, record: &[u8]) -> Cell {
    match hear(mux, record) {
        Err(Reject::UnknownStreamFrame) => return U,
        Err(Reject::InvalidStreamStateTransition) => return S,
        Err(other) => panic!("{other}"),
        Ok(()) => {}
    }
    let cell = match mux.poll() {
        Some(Event::Opened { .. }) => Opened,
        Some(Event::Readable { .. }) => Delivered,
        Some(Event::Reset { .. }) => Reset,
        Some(Event::Finished { .. }) => Finished,
        Some(other) => panic!("{other:?}"),
        None => Ignored,
    };
    let sends = !data_streams(mux, NOW).is_empty();
    assert!(!sends || cell == Ignored);
    if cell == Delivered {
        assert_eq!(mux.read(NOW, stream, 9).unwrap().unwrap().bytes, b"x"[..]);
    }
    if sends { Added } else { cell }
}

#[test]
fn every_state_meets_every_frame() {
    for (row, cells) in TABLE {
        for (column, cell) in cells.into_iter().enumerate() {
            let (mut mux, stream) = in_state(row);
            let id = stream.as_u32();
            let record = [open_ack(id), data(id, b"x"), window_update(id, 100), rst(id), close(id, 0)][column].clone();
            assert_eq!(outcome(&mut mux, stream, &record), cell, "{row:?} meets {}", FRAMES[column]);
        }
    }
}
