//! The driver as a task of a runtime: it sleeps until a socket is ready, the application has something for it, or time is up.

use super::hosted::{Hosted, Stopped};
use super::state::{Locked, State};
use crate::clock::std_duration;
use crate::driver::Driver;
use crate::error::Error;
use machine::Instant;
use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

/// Dropped at any point, it frees the sockets and the storage, and then says that the driver is gone.
pub(super) struct Task {
    driver: AsyncFd<Pollable>,
    timer: Timer,
    over: Over,
}

/// A driver whose descriptor is readable while its sockets have edges to be collected.
struct Pollable(Driver<Hosted>);

impl AsRawFd for Pollable {
    fn as_raw_fd(&self) -> RawFd {
        self.0.poll.as_raw_fd()
    }
}

/// Says that the driver is gone, even after a panic.
struct Over(Locked);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.with(State::over);
    }
}

/// Ends at a deadline or before it: most deadlines are put off before they come, and that costs nothing here.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// When `sleep` ends, if it is waited for.
    ends_at: Option<Instant>,
}

impl Task {
    /// Registers the driver with the runtime of the caller, which must have IO and time enabled.
    pub(super) fn new(driver: Driver<Hosted>) -> Result<Self, Error> {
        let over = Over(driver.machine().state());
        let timer = Timer { sleep: Box::pin(sleep_until(TokioInstant::now())), ends_at: None };
        #[expect(deprecated, reason = "what replaces it is unsafe; the descriptor is the driver's own as long as it lives")]
        let driver = AsyncFd::with_interest(Pollable(driver), Interest::READABLE).map_err(Error::Wait)?;
        Ok(Self { driver, timer, over })
    }

    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut has_edges = true; // some may be older than the registration
        while self.turn(has_edges)?.is_continue() {
            if self.driver.get_ref().0.has_work() {
                yield_now().await; // other tasks and the reactor have their turn
            }
            has_edges = poll_fn(|cx| self.poll_due(cx)).await.map_err(Error::Wait)?;
        }
        Ok(())
    }

    fn turn(&mut self, has_edges: bool) -> Result<ControlFlow<()>, Error> {
        self.driver.get_mut().0.turn_ready(has_edges, |_, Stopped| ControlFlow::Break(()))
    }

    /// Waits until there is something to do. Whether sockets have edges.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.poll_edges(cx)?.is_ready() {
            return Poll::Ready(Ok(true));
        }
        let driver = &self.driver.get_ref().0;
        let is_due = driver.has_work()
            || self.over.0.lock().poll_driver(cx).is_ready()
            || self.timer.poll(cx, driver).is_ready();
        if is_due { Poll::Ready(Ok(false)) } else { Poll::Pending }
    }

    /// Waits for edges, which are to be collected after that: those that come meanwhile are told of again.
    fn poll_edges(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.driver.poll_read_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}

impl Timer {
    /// Waits until the driver may want a turn.
    fn poll(&mut self, cx: &mut Context<'_>, driver: &Driver<Hosted>) -> Poll<()> {
        if let Some(deadline) = driver.next_timeout()
            && self.ends_at.is_none_or(|ends_at| deadline < ends_at)
        {
            let remaining = std_duration(deadline.saturating_since(driver.now()));
            self.sleep.as_mut().reset(TokioInstant::now() + remaining);
            self.ends_at = Some(deadline);
        }
        if self.ends_at.is_some() {
            ready!(self.sleep.as_mut().poll(cx));
            self.ends_at = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Bound;
    use fabric::Node;
    use fabric::identity::{DeviceKey, NoiseStatic};
    use fabric::session::Local;
    use fabric::suite::{RealSuite, Suite};
    use std::net::{Ipv4Addr, TcpStream, UdpSocket};
    use std::sync::Arc;

    /// The kernel tells of an edge once: those that find no room in a turn are collected by the next.
    #[tokio::test]
    async fn edges_past_the_room_of_a_turn_are_collected() {
        let directory = std::env::temp_dir().join(format!("shim-tcp-task-{}", std::process::id()));
        let config = crate::Config::new((Ipv4Addr::LOCALHOST, 0).into(), &directory);
        let bound = Bound::new(&config).unwrap();
        let driver = bound.try_boot(|boot| {
            let noise = NoiseStatic::new([1; 32], RealSuite.noise_public(&[1; 32]));
            let suite = Arc::new(RealSuite);
            let local = Local { device: DeviceKey::from_seed(&[1; 32]), noise, features: 0, suite };
            let node = Node::new(&boot, local, fabric::Config::default()).unwrap();
            Ok::<_, Error>(Hosted::new(State::new(node)))
        });
        let mut driver = driver.unwrap();
        driver.events = mio::Events::with_capacity(1);
        let (state, addr) = (driver.machine().state(), driver.local_addr());
        let task = tokio::spawn(Task::new(driver).unwrap().run());
        yield_now().await;
        let _pipe = TcpStream::connect(addr).unwrap();
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(b"?", addr).unwrap();
        let seen = || {
            let node = &state.lock().node;
            (node.load().handshakes, node.discovery().counters().truncated)
        };
        while seen() != (1, 1) {
            yield_now().await;
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        std::fs::remove_dir_all(directory).unwrap();
    }
}
