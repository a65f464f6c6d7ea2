//! What applications can count on when both sides are honest.

use crate::pair::Pair;
use fabric::mux::{Ended, Event, Limits, OpenError, Priority, Reject, StreamError, code};
use machine::Duration;

#[test]
fn a_message_arrives_whole_and_with_its_end() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    pair.a.send_message(stream, b"hello");
    pair.a.send_message(stream, b"");
    pair.a.send_message(stream, &[7; 3000]);
    pair.run();
    assert!(pair.b.heard(&Event::Accepted { stream, service: "echo".into(), priority: Priority::NORMAL }));
    assert!(pair.b.heard(&Event::Readable { stream }));
    assert_eq!(pair.b.messages(pair.now, stream), [b"hello".to_vec(), vec![], vec![7; 3000]]);
}

#[test]
fn the_end_of_a_message_can_come_after_its_bytes() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    pair.a.write(stream, b"hel");
    pair.run();
    let chunk = pair.b.mux.read(pair.now, stream, 100).unwrap().unwrap();
    assert_eq!((&chunk.bytes[..], chunk.end_of_message), (&b"hel"[..], false));
    pair.a.write(stream, b"lo");
    pair.a.send_message(stream, b"");
    pair.run();
    assert_eq!(pair.b.messages(pair.now, stream), [b"lo"]);
}

#[test]
fn bytes_written_before_the_answer_follow_it() {
    let mut pair = Pair::new();
    let stream = pair.a.mux.open(pair.now, "echo", Priority::NORMAL).unwrap();
    pair.a.send_message(stream, b"early");
    pair.a.mux.finish(stream).unwrap();
    pair.run();
    assert_eq!(pair.b.messages(pair.now, stream), [b"early"]);
    assert!(pair.b.heard(&Event::Finished { stream }));
}

#[test]
fn an_unread_stream_gets_no_more_than_its_window() {
    let mut pair = Pair::new();
    let stream = pair.open("bulk", 4);
    assert_eq!(pair.a.write(stream, &vec![1; 60_000]), 60_000);
    pair.run();
    // The path has used the window up at once; that the reader is late is no reason to give more.
    pair.now = pair.now + Duration::from_secs(1);
    assert_eq!(pair.b.read_all(pair.now, stream).len(), 8192 - 8);
    pair.run();
    assert_eq!(pair.b.read_all(pair.now, stream).len(), 8192 - 8);
}

#[test]
fn readable_is_told_again_only_after_a_read_found_nothing() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    let told = |pair: &mut Pair| {
        pair.a.send_message(stream, b"news");
        pair.run();
        pair.b.events.iter().filter(|event| **event == Event::Readable { stream }).count()
    };
    assert_eq!(told(&mut pair), 1);
    assert_eq!(told(&mut pair), 1);
    assert!(pair.b.mux.read(pair.now, stream, 100).unwrap().is_some());
    assert_eq!(told(&mut pair), 1);
    assert_eq!(pair.b.messages(pair.now, stream).len(), 2);
    assert_eq!(told(&mut pair), 2);
}

#[test]
fn a_short_write_is_followed_by_writable() {
    let mut pair = Pair::new();
    let stream = pair.open("bulk", 4);
    assert_eq!(pair.a.write(stream, &vec![1; 100_000]), 65_536);
    assert_eq!(pair.a.mux.write(stream, b"", true), Err(StreamError::Full));
    assert_eq!(pair.a.write(stream, b"more"), 0);
    for _ in 0..20 {
        pair.run();
        pair.b.read_all(pair.now, stream);
    }
    assert_eq!(pair.a.events.iter().filter(|event| **event == Event::Writable { stream }).count(), 1);
    assert_eq!(pair.a.write(stream, b"more"), 4);
}

#[test]
fn a_busy_window_grows_and_an_idle_one_does_not() {
    let mut pair = Pair::new();
    let (busy, idle) = (pair.open("bulk", 4), pair.open("bulk", 4));
    let mut largest = 0;
    for _ in 0..200 {
        pair.a.write(busy, &vec![1; 65_536]);
        pair.run();
        largest = largest.max(pair.b.read_all(pair.now, busy).len());
    }
    assert!(largest > 60_000, "{largest}");
    pair.a.write(idle, &vec![1; 65_536]);
    pair.run();
    assert_eq!(pair.b.read_all(pair.now, idle).len(), 8192 - 8);
}

#[test]
fn unread_streams_do_not_stall_a_busy_one() {
    let mut pair = Pair::with(&Limits { session_window_max: 1024 * 1024, ..Limits::default() });
    let mut unread: Vec<_> = (0..127).map(|_| pair.open("bulk", 0)).collect();
    unread.extend((0..128).map(|_| pair.b.mux.open(pair.now, "bulk", Priority::NORMAL).unwrap()));
    pair.run();
    for stream in &unread {
        pair.a.write(*stream, &vec![1; 65_536]);
    }
    pair.run();
    let busy = pair.open("bulk", 7);
    let mut total = 0;
    for _ in 0..50 {
        pair.a.write(busy, &vec![2; 65_536]);
        pair.run();
        total += pair.b.read_all(pair.now, busy).len();
    }
    assert!(total >= 50 * 4000, "{total}");
}

#[test]
fn urgent_bytes_overtake_bulk_and_bulk_still_moves() {
    let mut pair = Pair::new();
    let (bulk, urgent) = (pair.open("bulk", 7), pair.open("keys", 0));
    for _ in 0..20 {
        pair.a.send_message(bulk, &[7; 100]);
    }
    for _ in 0..20 {
        pair.a.send_message(urgent, &[0; 100]);
    }
    let order = crate::wire::data_streams(&mut pair.a.mux, pair.now);
    let bulk_turns: Vec<usize> = (0..order.len()).filter(|turn| order[*turn] == bulk.as_u32()).take(2).collect();
    assert_eq!(bulk_turns, [8, 17]);
}

#[test]
fn records_are_short_while_classes_compete() {
    let mut pair = Pair::with(&Limits { stream_window: 65_536, ..Limits::default() });
    let (bulk, urgent) = (pair.open("bulk", 7), pair.open("keys", 0));
    pair.a.write(bulk, &vec![7; 65_536]);
    let mut room = vec![0; 65_519];
    pair.a.write(urgent, &[0; 100]);
    assert_eq!(pair.a.mux.fill(pair.now, &mut room), 16 * 1024);
    assert!(pair.a.mux.fill(pair.now, &mut room) > 32 * 1024);
}

#[test]
fn the_acceptor_may_lower_its_own_priority() {
    let mut pair = Pair::new();
    let (first, second) = (pair.open("a", 1), pair.open("b", 2));
    pair.b.mux.set_priority(first, Priority::LAST).unwrap();
    pair.b.send_message(first, b"first");
    pair.b.send_message(second, b"second");
    assert_eq!(crate::wire::data_streams(&mut pair.b.mux, pair.now), [second.as_u32(), first.as_u32()]);
}

#[test]
fn a_denied_service_and_a_full_peer_refuse_the_stream_only() {
    let mut pair = Pair::new();
    let denied = pair.a.mux.open(pair.now, "admin", Priority::NORMAL).unwrap();
    pair.run();
    assert!(pair.a.heard(&Event::Reset { stream: denied, code: Reject::ServiceDenied.code() }));
    for _ in 0..128 {
        pair.open("echo", 4);
    }
    assert_eq!(pair.a.mux.open(pair.now, "echo", Priority::NORMAL), Err(OpenError::TooMany));
    assert_eq!(pair.a.mux.open(pair.now, "", Priority::NORMAL), Err(OpenError::InvalidName));
    assert_eq!((pair.a.rejected, pair.b.rejected), (None, None));
}

#[test]
fn both_halves_close_after_what_was_sent() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    pair.a.send_message(stream, b"question");
    pair.a.mux.finish(stream).unwrap();
    assert_eq!(pair.a.mux.write(stream, b"more", true), Err(StreamError::Finished));
    pair.run();
    pair.b.send_message(stream, b"answer");
    pair.b.mux.finish(stream).unwrap();
    pair.run();
    assert_eq!(pair.b.messages(pair.now, stream), [b"question"]);
    assert_eq!(pair.a.messages(pair.now, stream), [b"answer"]);
    assert_eq!(pair.a.mux.read(pair.now, stream, 1), Err(StreamError::Unknown));
    assert_eq!(pair.b.mux.finish(stream), Err(StreamError::Unknown));
}

#[test]
fn a_reset_drops_what_waits_and_returns_its_session_credit() {
    let mut pair = Pair::new();
    for _ in 0..500 {
        let stream = pair.open("bulk", 4);
        pair.a.write(stream, &vec![1; 65_536]);
        pair.run();
        pair.b.mux.reset(stream, code::CANCELLED).unwrap();
        pair.run();
        assert!(pair.a.heard(&Event::Reset { stream, code: code::CANCELLED }));
        pair.pass(Duration::from_millis(50));
    }
    let (session, streams) = pair.b.ledger.unused();
    assert!(session >= 3 << 19 && streams == 0, "{session} {streams}");
}

#[test]
fn small_frames_that_a_reset_crosses_are_no_flood() {
    let mut pair = Pair::with(&Limits { stream_window: 65_536, ..Limits::default() });
    let stream = pair.open("chat", 4);
    for _ in 0..4000 {
        pair.a.send_message(stream, b"!");
    }
    pair.exchange();
    pair.b.mux.reset(stream, code::CANCELLED).unwrap();
    pair.run();
    assert_eq!(pair.b.rejected, None);
}

#[test]
fn a_stream_reset_before_its_open_left_never_was() {
    let mut pair = Pair::new();
    let stream = pair.a.mux.open(pair.now, "echo", Priority::NORMAL).unwrap();
    pair.a.mux.reset(stream, code::CANCELLED).unwrap();
    let said = crate::wire::said(&mut pair.a.mux, pair.now);
    assert!(said.iter().all(|frame| frame.stream == 0), "{said:?}");
    let next = pair.open("echo", 4);
    assert!(next > stream);
    assert_eq!(pair.b.rejected, None);
}

#[test]
fn draining_lets_streams_finish_and_refuses_new_ones() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    pair.a.mux.close(pair.now, code::GOING_AWAY);
    let crossing = pair.b.mux.open(pair.now, "echo", Priority::NORMAL).unwrap();
    pair.run();
    assert!(pair.b.heard(&Event::Draining { code: code::GOING_AWAY }));
    assert!(pair.b.heard(&Event::Reset { stream: crossing, code: code::REFUSED }));
    assert!(!pair.a.mux.is_open() && !pair.b.mux.is_open());
    assert_eq!(pair.b.mux.open(pair.now, "echo", Priority::NORMAL), Err(OpenError::Ending));
    pair.b.send_message(stream, b"last words");
    pair.b.mux.finish(stream).unwrap();
    pair.a.mux.finish(stream).unwrap();
    pair.run();
    assert_eq!(pair.a.ended(), None, "there is something to read");
    assert_eq!(pair.a.messages(pair.now, stream), [b"last words"]);
    pair.run();
    assert_eq!(pair.a.ended(), Some(Ended::Local(code::GOING_AWAY)));
    assert_eq!(pair.b.ended(), Some(Ended::Peer(code::GOING_AWAY)));
    assert_eq!(pair.a.mux.next_timeout(), None);
}

#[test]
fn draining_is_over_after_10_s() {
    let mut pair = Pair::new();
    pair.open("echo", 4);
    pair.a.mux.close(pair.now, code::DUPLICATE);
    pair.pass(Duration::from_secs(9));
    assert_eq!(pair.a.ended(), None);
    pair.pass(Duration::from_secs(2));
    assert_eq!(pair.a.ended(), Some(Ended::Local(code::DUPLICATE)));
    assert_eq!(pair.b.ended(), Some(Ended::Peer(code::DUPLICATE)));
}

#[test]
fn both_sides_may_close_at_once() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    pair.a.mux.close(pair.now, code::DONE);
    pair.b.mux.close(pair.now, code::GOING_AWAY);
    pair.a.mux.finish(stream).unwrap();
    pair.run();
    pair.b.mux.finish(stream).unwrap();
    pair.run();
    assert_eq!(pair.a.ended(), Some(Ended::Local(code::DONE)));
    assert_eq!(pair.b.ended(), Some(Ended::Local(code::GOING_AWAY)));
}

#[test]
fn revoking_ends_at_once() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    pair.a.send_message(stream, b"never sent");
    pair.a.mux.close(pair.now, code::REVOKED);
    assert_eq!(pair.a.ended(), None);
    pair.run();
    assert_eq!(pair.a.ended(), Some(Ended::Local(code::REVOKED)));
    assert_eq!(pair.b.ended(), Some(Ended::Peer(code::REVOKED)));
    assert_eq!(pair.b.mux.read(pair.now, stream, 1), Err(StreamError::Unknown));
}

#[test]
fn a_pipe_that_just_ends_is_truncated() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    pair.a.send_message(stream, b"half a story");
    pair.run();
    pair.b.mux.pipe_ended();
    assert_eq!(pair.b.mux.read(pair.now, stream, 1), Err(StreamError::Unknown));
    pair.run();
    assert_eq!(pair.b.ended(), Some(Ended::Truncated));
}

#[test]
fn idle_sessions_live_on_pings() {
    let mut pair = Pair::new();
    pair.pass(Duration::from_secs(600));
    assert_eq!((pair.a.ended(), pair.b.ended()), (None, None));
}

#[test]
fn a_silent_peer_is_dead_after_45_s() {
    let mut pair = Pair::new();
    for _ in 0..44 {
        pair.pass(Duration::from_secs(1));
        pair.silence();
    }
    assert_eq!(pair.a.ended(), None);
    pair.pass(Duration::from_secs(2));
    assert_eq!(pair.a.ended(), Some(Ended::Dead));
}

#[test]
fn a_client_that_opens_and_cancels_without_end_is_slowed_not_killed() {
    let mut pair = Pair::new();
    let mut opened = 0;
    for _ in 0..5000 {
        if let Ok(stream) = pair.a.mux.open(pair.now, "echo", Priority::NORMAL) {
            opened += 1;
            pair.exchange();
            pair.a.mux.reset(stream, code::CANCELLED).unwrap();
        }
        pair.pass(Duration::from_millis(1));
    }
    assert!((500..700).contains(&opened), "{opened}");
    assert_eq!((pair.a.rejected, pair.b.rejected), (None, None));
}

#[test]
fn a_server_that_resets_every_stream_is_slowed_not_killed() {
    let mut pair = Pair::new();
    let mut heard = 0;
    for round in 0..3100 {
        for _ in 0..if round < 3000 { 2 } else { 0 } {
            let _ = pair.a.mux.open(pair.now, "echo", Priority::NORMAL);
        }
        pair.pass(Duration::from_millis(1));
        for event in pair.b.events.split_off(heard) {
            if let Event::Accepted { stream, .. } = event {
                pair.b.mux.reset(stream, code::CANCELLED).unwrap();
            }
        }
        heard = pair.b.events.len();
    }
    pair.pass(Duration::from_secs(10));
    let reset = pair.a.events.iter().filter(|event| matches!(event, Event::Reset { .. })).count();
    let opened = pair.a.events.iter().filter(|event| matches!(event, Event::Opened { .. })).count();
    assert_eq!((pair.a.rejected, pair.b.rejected), (None, None));
    assert!(reset == opened && reset > 300, "{reset} of {opened}");
}

#[test]
fn full_windows_read_byte_by_byte_are_no_flood_of_updates() {
    let mut pair = Pair::new();
    let mut streams: Vec<_> = (0..128).map(|_| pair.open("bulk", 4)).collect();
    streams.extend((0..128).map(|_| pair.b.mux.open(pair.now, "bulk", Priority::NORMAL).unwrap()));
    pair.run();
    for stream in &streams {
        pair.a.write(*stream, &[1; 8184]);
    }
    pair.run();
    // Where a record has cut a window's worth in two frames, another 8 of its bytes are a header.
    for _ in 0..8176 / 16 {
        for stream in &streams {
            assert_eq!(pair.b.mux.read(pair.now, *stream, 16).unwrap().map(|chunk| chunk.bytes.len()), Some(16));
            pair.exchange();
        }
    }
    pair.run();
    assert_eq!((pair.a.rejected, pair.b.rejected), (None, None));
}

#[test]
fn streams_that_need_session_credit_go_on_when_it_comes() {
    let limits = Limits { stream_window: 1 << 20, session_window_max: 1 << 20, streams_max: 4, ..Limits::default() };
    let mut pair = Pair::with(&limits);
    let (first, second) = (pair.open("bulk", 4), pair.open("bulk", 4));
    let mut unread = 0;
    for _ in 0..20 {
        pair.a.write(first, &vec![1; 65_536]);
        pair.run();
    }
    pair.a.send_message(second, &[2; 4000]);
    pair.run();
    assert_eq!(pair.b.messages(pair.now, second), [[2; 4000]]);
    while let Ok(Some(chunk)) = pair.b.mux.read(pair.now, first, usize::MAX) {
        unread += chunk.bytes.len();
        pair.run();
    }
    assert!(unread > 1 << 20, "{unread}");
}

#[test]
fn closed_streams_left_unread_are_bounded() {
    let mut pair = Pair::with(&Limits { streams_max: 2, ..Limits::default() });
    let mut refused = 0;
    for _ in 0..10 {
        let stream = pair.a.mux.open(pair.now, "log", Priority::NORMAL).unwrap();
        pair.a.send_message(stream, b"never read");
        pair.a.mux.finish(stream).unwrap();
        pair.run();
        if pair.a.heard(&Event::Reset { stream, code: code::REFUSED }) {
            refused += 1;
        } else {
            pair.b.mux.finish(stream).unwrap();
            pair.run();
        }
    }
    assert_eq!(refused, 6);
    assert_eq!((pair.a.rejected, pair.b.rejected), (None, None));
}

#[test]
fn what_was_read_last_may_be_read_after_the_pipe_ended() {
    let mut pair = Pair::new();
    let stream = pair.open("echo", 4);
    pair.a.send_message(stream, b"goodbye");
    pair.a.mux.finish(stream).unwrap();
    pair.run();
    pair.b.mux.finish(stream).unwrap();
    pair.a.mux.close(pair.now, code::DONE);
    pair.run();
    pair.b.mux.pipe_ended();
    assert_eq!(pair.b.messages(pair.now, stream), [b"goodbye"]);
    pair.run();
    assert_eq!(pair.b.ended(), Some(Ended::Peer(code::DONE)));
}

#[test]
fn a_finish_needs_no_credit() {
    let mut pair = Pair::new();
    let stream = pair.open("bulk", 4);
    pair.a.write(stream, &[1; 8184]);
    pair.run();
    pair.a.mux.finish(stream).unwrap();
    pair.run();
    assert!(pair.b.heard(&Event::Finished { stream }));
}

#[test]
fn a_timeout_before_its_time_changes_nothing() {
    let mut pair = Pair::new();
    let due = pair.a.mux.next_timeout().unwrap();
    pair.a.mux.handle_timeout(due - Duration::from_nanos(1));
    assert_eq!((pair.a.mux.next_timeout(), pair.a.mux.wants_fill()), (Some(due), false));
    pair.a.mux.handle_timeout(due);
    assert!(pair.a.mux.wants_fill() && pair.a.mux.next_timeout() > Some(due));
}
