//! The driver as a task of a runtime: it sleeps until a socket is ready, the application has something for it, or time is up.

use super::hosted::{Hosted, Stopped};
use super::state::{Locked, State};
use crate::clock::{Clock, std_duration};
use crate::driver::Driver;
use crate::error::Error;
use crate::store::Store;
use machine::{Input, Instant, Machine};
use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::{JoinHandle, spawn_blocking, yield_now};
use tokio::time::{Instant as TokioInstant, Sleep, sleep_until};

/// Dropped at any point, it frees the sockets and the storage, and then says that the driver is gone. Only a write that is
/// under way keeps the storage until it has ended.
pub(super) struct Task {
    driver: AsyncFd<Pollable>,
    timer: Timer,
    write: Option<Write>,
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

/// A value on its way to the disk: it is synced, so a thread that may block does that.
struct Write {
    key: String,
    /// Whether it was stored.
    done: JoinHandle<bool>,
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
        let timer = Timer::new();
        #[expect(
            deprecated,
            reason = "what replaces it is unsafe; the descriptor is the driver's own as long as it lives"
        )]
        let driver = AsyncFd::with_interest(Pollable(driver), Interest::READABLE).map_err(Error::Wait)?;
        Ok(Self { driver, timer, write: None, over })
    }

    pub(super) async fn run(mut self) -> Result<(), Error> {
        let mut has_edges = true; // some may be older than the registration
        loop {
            has_edges = if self.turn(has_edges)?.is_continue() {
                self.rest().await?
            } else if self.is_storing() {
                poll_fn(|cx| self.poll_stored(cx)).await;
                false
            } else {
                return Ok(());
            };
        }
    }

    /// Lets other tasks and the reactor run until there is something to do. Whether sockets have edges.
    async fn rest(&mut self) -> Result<bool, Error> {
        self.look().await?;
        if self.driver.get_ref().0.has_work() {
            yield_now().await;
        }
        poll_fn(|cx| self.poll_due(cx)).await.map_err(Error::Wait)
    }

    fn turn(&mut self, has_edges: bool) -> Result<ControlFlow<()>, Error> {
        self.driver.get_mut().0.turn_ready(has_edges, |_, Stopped| ControlFlow::Break(()))
    }

    /// Looks for an answer that is due before the runtime's thread may sleep. Other threads run meanwhile, and other tasks unless
    /// it is there at once.
    async fn look(&mut self) -> Result<(), Error> {
        let driver = &mut self.driver.get_mut().0;
        let Some((pipe, until)) = driver.expected() else { return Ok(()) };
        while self.driver.get_mut().0.look_again(pipe) {
            thread::yield_now();
            let _is_over = self.turn(false)?; // the turn that follows says so again
            if self.driver.get_mut().0.has_looked(pipe, until) {
                return Ok(());
            }
            yield_now().await;
        }
        Ok(())
    }

    /// Waits until there is something to do. Whether sockets have edges.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.poll_edges(cx)?.is_ready() {
            return Poll::Ready(Ok(true));
        }
        if self.poll_stored(cx).is_ready() {
            return Poll::Ready(Ok(false));
        }
        let driver = &self.driver.get_ref().0;
        let is_due = driver.has_work()
            || self.over.0.lock().poll_driver(cx).is_ready()
            || self.timer.poll(cx, driver.next_timeout(), driver.clock).is_ready();
        if is_due { Poll::Ready(Ok(false)) } else { Poll::Pending }
    }

    fn is_storing(&self) -> bool {
        self.write.is_some() || !self.driver.get_ref().0.machine.stores.is_empty()
    }

    /// Stores what the node wants stored, one value after the other, and waits until it is told of one.
    fn poll_stored(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let driver = &mut self.driver.get_mut().0;
        let write = match &mut self.write {
            Some(write) => write,
            none => {
                let Some((key, bytes)) = driver.machine.stores.pop_front() else { return Poll::Pending };
                none.insert(Write::begin(&driver.store, key, bytes))
            }
        };
        let is_stored = ready!(Pin::new(&mut write.done).poll(cx)).unwrap_or(false);
        let result = driver.store.note(&write.key, is_stored);
        driver.machine.handle(driver.clock.now(), Input::Stored { key: &write.key, result });
        self.write = None;
        Poll::Ready(())
    }

    /// Waits for edges, which are to be collected after that: those that come meanwhile are told of again.
    fn poll_edges(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.driver.poll_read_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}

impl Write {
    fn begin(store: &Store, key: String, bytes: Vec<u8>) -> Self {
        let (files, is_allowed, name) = (store.files(), store.allows(&key, &bytes), key.clone());
        Self { key, done: spawn_blocking(move || is_allowed && files.replace(&name, &bytes).is_ok()) }
    }
}

impl Timer {
    fn new() -> Self {
        Self { sleep: Box::pin(sleep_until(TokioInstant::now())), ends_at: None }
    }

    /// Waits until the deadline may have come.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>, clock: Clock) -> Poll<()> {
        if let Some(deadline) = deadline
            && self.ends_at.is_none_or(|ends_at| deadline < ends_at)
        {
            let remaining = std_duration(deadline.saturating_since(clock.now()));
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
    use crate::config::Group;
    use crate::driver::Bound;
    use machine::Duration;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
    use std::path::PathBuf;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("shim-tcp-task-{}-{name}", std::process::id())))
        }

        fn driver(&self, group: Option<Group>) -> Driver<Hosted> {
            let config = crate::Config { group, ..crate::Config::new((Ipv4Addr::LOCALHOST, 0).into(), &self.0) };
            Bound::new(&config).unwrap().boot(|boot| Hosted::new(State::of_nobody(&boot))).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    /// The kernel tells of an edge once: those that find no room in a turn are collected by the next.
    #[tokio::test]
    async fn edges_past_the_room_of_a_turn_are_collected() {
        let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let group = SocketAddrV4::new(Ipv4Addr::new(239, 42, 0, 1), stranger.local_addr().unwrap().port());
        let scratch = Scratch::new("edges");
        let mut driver = scratch.driver(Some(Group::V4 { to: group, interface: Ipv4Addr::LOCALHOST }));
        driver.events = mio::Events::with_capacity(1);
        let (state, addr) = (driver.machine().state(), driver.local_addr());
        let task = tokio::spawn(Task::new(driver).unwrap().run());
        let seen = || state.lock().node.discovery().counters().truncated;
        for count in [2, 4] {
            stranger.send_to(b"?", addr).unwrap();
            stranger.send_to(b"?", group).unwrap(); // both at once: the driver has no turn in between
            while seen() < count {
                yield_now().await;
            }
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Polls a task as often as it likes, and then sees that it waits to be woken.
    async fn falls_asleep(mut run: Pin<&mut impl Future>) {
        let woken = Arc::new(Woken::default());
        let waker = Arc::clone(&woken).into();
        for _ in 0..100 {
            assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            woken.0.store(false, Ordering::Relaxed);
            yield_now().await; // the reactor takes in what there is
        }
        assert!(!woken.0.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_driver_that_has_nothing_to_do_sleeps() {
        let scratch = Scratch::new("sleeps");
        let driver = scratch.driver(None);
        let _pipe = TcpStream::connect(driver.local_addr()).unwrap();
        falls_asleep(pin!(Task::new(driver).unwrap().run())).await;
    }

    #[tokio::test]
    async fn a_driver_that_has_ended_sleeps_until_its_last_write_is_done() {
        let scratch = Scratch::new("stores");
        let mut driver = scratch.driver(None);
        driver.machine.stores.push_back(("key".into(), b"value".to_vec()));
        driver.machine.state().with(|state| state.stop(Instant::ZERO));
        let next = scratch.0.join(".new"); // a pipe: the write waits until it is read
        mknodat(CWD, &next, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut run = pin!(Task::new(driver).unwrap().run());
        falls_asleep(run.as_mut()).await;
        let read = spawn_blocking(|| std::fs::read(next).unwrap());
        run.await.unwrap();
        assert_eq!(read.await.unwrap(), b"value");
    }

    #[tokio::test]
    async fn an_earlier_deadline_takes_the_place_of_a_later_one() {
        let (mut timer, clock) = (Timer::new(), Clock::start());
        let mut wait = async |deadline: Option<Instant>| poll_fn(|cx| timer.poll(cx, deadline, clock)).await;
        let later = clock.now() + Duration::from_secs(3600);
        tokio::select! {
            biased;
            () = wait(Some(later)) => panic!("it is not time yet"),
            () = std::future::ready(()) => {}
        }
        wait(Some(clock.now())).await;
    }
}
