//! Every bound of a session's streams in one plain place (wire contract, 4).

use machine::Duration;

/// What bounds one session's streams. The defaults are the wire contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams that each side may have open at a time. Part of the wire contract: both sides must have the same.
    pub streams_max: u16,
    /// The credit that a stream is given when it opens, in bytes: at least 4 KiB, and less than this when the session's
    /// window has no more to give.
    pub stream_window: u32,
    /// The most that a stream's window grows to.
    pub stream_window_max: u32,
    /// The most that the session's window grows to, in bytes. It starts at 1 MiB (wire contract, 4), which is the least; so
    /// is 4 KiB for every stream that both sides may have open.
    pub session_window_max: u32,
    /// Payload bytes of one DATA frame, 1 to 32768.
    pub data_bytes_max: u16,
    /// Bytes that the application may hand to one stream before some of them are sent, at least 16; the end of a message
    /// counts as 8.
    pub send_buffer_bytes: u32,
    /// A PING is sent when no record came for so long.
    pub keepalive_after: Duration,
    /// The session is dead when no record came for so long.
    pub dead_after: Duration,
    /// A session that drains, or a stream of one, ends after so long.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams_max: 128,
            stream_window: 8 * 1024,
            stream_window_max: 4 * 1024 * 1024,
            session_window_max: 16 * 1024 * 1024,
            data_bytes_max: 32_768,
            send_buffer_bytes: 64 * 1024,
            keepalive_after: Duration::from_secs(15),
            dead_after: Duration::from_secs(45),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
