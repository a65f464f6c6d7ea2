//! A session as the application holds it.

use super::error::{OpenError, StreamError};
use super::links::LinkId;
use super::state::{Shared, State};
use super::stream::Stream;
use fabric::SessionEnd;
use fabric::identity::DeviceId;
use fabric::mux::Priority;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

/// All that this endpoint has with one device, from the first connection until none is left. When both sides dial, or the
/// peer restarts before it was missed here, a new connection takes over, and only streams of the old one end.
///
/// A clone is the same session. When the last one is dropped it is [closed](Session::close).
pub struct Session {
    shared: Arc<Shared>,
    link: LinkId,
    device: DeviceId,
}

impl Session {
    /// Of a link that the state has just counted as held once more.
    pub(super) fn new(shared: &Arc<Shared>, link: LinkId, device: DeviceId) -> Self {
        Self { shared: Arc::clone(shared), link, device }
    }

    /// With whom it is, as proven.
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// Opens a stream to a service of the peer's, and waits until the peer has admitted it. Dropped before, it opens none.
    pub async fn open(&self, service: &str, priority: Priority) -> Result<Stream, OpenError> {
        loop {
            let key = self.shared.with(|state, now| state.open(now, self.link, service, priority))?;
            let stream = Stream::new(&self.shared, key, self.device, service.to_owned(), priority);
            match poll_fn(|cx| self.shared.with(|state, _| state.poll_opened(cx, key))).await {
                Ok(()) => return Ok(stream),
                Err(StreamError::Session(end)) => return Err(OpenError::Session(end)),
                Err(StreamError::Reset(code)) => {
                    if !self.shared.with(|state, _| state.opens_again(self.link, key, code)) {
                        return Err(OpenError::of_reset(code));
                    }
                }
                Err(StreamError::Finished | StreamError::MessageTooLarge | StreamError::UnfinishedMessage) => {
                    unreachable!("nothing was read or written yet")
                }
            }
        }
    }

    /// Waits for the next stream that the peer opens and the policy allows; when the session has ended, says why.
    /// Dropped before, it loses none.
    pub async fn accept_stream(&self) -> Result<Stream, SessionEnd> {
        let incoming = self.wait(State::accept_stream).await?;
        Ok(Stream::new(&self.shared, incoming.key, self.device, incoming.service, incoming.priority))
    }

    /// Begins to end it: no more streams are opened or accepted, those that are open may finish within
    /// [`fabric::mux::Limits::drain_timeout`]. [`Session::closed`] waits for the end.
    pub fn close(&self) {
        self.shared.with(|state, now| state.close_link(now, self.link));
    }

    /// Waits for its end, and says why it came.
    pub async fn closed(&self) -> SessionEnd {
        self.wait(|state, link| state.links.get(&link)?.end).await
    }

    /// Waits until `look` finds something.
    async fn wait<T>(&self, look: impl Fn(&mut State, LinkId) -> Option<T>) -> T {
        let changed = self.shared.with(|state, _| state.links.get(&self.link).map(|link| Arc::clone(&link.changed)));
        let Some(changed) = changed else { unreachable!("a link is kept as long as it is held") };
        loop {
            let notified = changed.notified(); // before the look, so that nothing is missed after it
            if let Some(found) = self.shared.with(|state, _| look(state, self.link)) {
                return found;
            }
            notified.await;
        }
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        self.shared.with(|state, _| state.hold(self.link));
        Self::new(&self.shared, self.link, self.device)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.with(|state, now| state.let_go(now, self.link));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("device", &self.device).finish_non_exhaustive()
    }
}
