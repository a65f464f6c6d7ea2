//! A run from the first boot to the last exit. Everything in it is bounded in time, and no process outlives it.

use crate::judge::{self, Progress};
use crate::plan::{Plan, When};
use crate::qemu::check_qemu;
use crate::relay::Relay;
use crate::replay::Recording;
use crate::summary::{NodeSummary, Outcome, Seen};
use crate::vm::{Files, News, Vm, What};
use crate::{Failure, Kind, Restart};
use guest_contract::{Exit, Hex, Line};
use scenario_actor::Observation;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines that wait to be looked at; guests wait when there are more.
const NEWS_MAX: usize = 16 * 1024;
/// Observations that a summary keeps of one node.
const SEEN_MAX: usize = 100_000;
/// Values that a node may store.
const STORED_KEYS_MAX: usize = 1_024;
/// How often clocks are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Guests that were asked to end get so long.
const END_MAX: Duration = Duration::from_secs(5);

/// Runs `plan`: a virtual machine for each part. What the nodes failed in is in the outcome, which is also written to
/// `summary.json` in the plan's folder, beside each start's serial log and capture.
///
/// # Errors
/// When the run could not be made: the plan makes no sense, QEMU is missing or too old, a file cannot be written.
pub fn run_vms(plan: &Plan) -> Result<Outcome, Failure> {
    plan.check()?;
    check_qemu(&plan.qemu)?;
    if !plan.image.is_file() {
        return Err(Failure::harness(format!("there is no guest at {}: build it first", plan.image.display())));
    }
    let mut run = Run::new(plan)?;
    run.play()?;
    run.end();
    let outcome = run.conclude();
    outcome.write(&plan.out)?;
    Ok(outcome)
}

struct Run<'a> {
    plan: &'a Plan,
    // Dropped in this order: machines, hub, files.
    nodes: Vec<Node>,
    relay: Option<Relay>,
    folder: Folder,
    restarts: Vec<Restart>,
    progress: Vec<Progress>,
    news: Receiver<News>,
    teller: SyncSender<News>,
    started: Instant,
    is_ending: bool,
}

/// One node through all its starts.
#[derive(Debug, Default)]
struct Node {
    vm: Option<Vm>,
    /// When its power comes back.
    down_until: Option<Instant>,
    /// Everything that the last start said has been heard.
    is_heard: bool,
    starts: u64,
    stored: BTreeMap<String, Hex>,
    seen: Vec<Seen>,
    omitted: u64,
    has_booted: bool,
    has_network: bool,
    plain_nanos: Option<u64>,
    plain_bytes: Option<u64>,
    failure: Option<(Kind, String)>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Result<Self, Failure> {
        let fail = |error: std::io::Error| Failure::harness(format!("{}: {error}", plan.out.display()));
        std::fs::create_dir_all(&plan.out).map_err(fail)?;
        let folder = Folder::new()?;
        let (cards, hubs): (Vec<_>, Vec<_>) =
            (0..plan.parts.len()).map(|place| (folder.file(place, "card"), folder.file(place, "hub"))).unzip();
        let relay = Relay::start(plan, cards, &hubs)?;
        let (teller, news) = sync_channel(NEWS_MAX);
        Ok(Self {
            plan,
            nodes: plan.parts.iter().map(|_| Node::default()).collect(),
            relay: Some(relay),
            folder,
            restarts: plan.restarts.clone(),
            progress: vec![Progress::default(); plan.parts.len()],
            news,
            teller,
            started: Instant::now(),
            is_ending: false,
        })
    }

    fn boot(&mut self, place: usize) -> Result<(), Failure> {
        let node = &mut self.nodes[place];
        let incarnation = node.starts;
        let name = &self.plan.parts[place].name;
        let files = Files {
            start: self.folder.file(place, "start"),
            card: self.folder.file(place, "card"),
            hub: self.folder.file(place, "hub"),
            capture: self.plan.out.join(format!("{name}-{incarnation}.pcap")),
            serial: self.plan.out.join(format!("{name}-{incarnation}.log")),
            recording: self.plan.record.then(|| Recording::new(&self.plan.out, name, incarnation)),
        };
        let vm = Vm::start(self.plan, place, incarnation, node.stored.clone(), &files, self.teller.clone())?;
        (node.vm, node.down_until, node.is_heard) = (Some(vm), None, false);
        (node.has_booted, node.has_network) = (false, false);
        node.starts += 1;
        Ok(())
    }

    /// Until all is done, something is broken, or the time is over.
    fn play(&mut self) -> Result<(), Failure> {
        for place in 0..self.nodes.len() {
            self.boot(place)?;
        }
        while self.started.elapsed() < self.plan.timeout && !self.is_over() {
            self.restart()?;
            if let Ok(news) = self.news.recv_timeout(LOOK) {
                self.hear(news);
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let is_broken = self.nodes.iter().any(|node| node.failure.is_some());
        let all_up = self.restarts.is_empty() && self.nodes.iter().all(|node| node.down_until.is_none());
        is_broken || (all_up && judge::is_done(self.plan, &self.progress))
    }

    /// Takes power from whose time has come, and gives it back.
    fn restart(&mut self) -> Result<(), Failure> {
        let elapsed = self.started.elapsed();
        self.power_down(|when| matches!(when, When::After(time) if time <= elapsed));
        let now = Instant::now();
        let is_due = |node: &Node| node.is_heard && node.down_until.is_some_and(|until| until <= now);
        let due: Vec<usize> = (0..self.nodes.len()).filter(|place| is_due(&self.nodes[*place])).collect();
        due.into_iter().try_for_each(|place| self.boot(place))
    }

    fn power_down(&mut self, is_due: impl Fn(When) -> bool) {
        let (due, later) = core::mem::take(&mut self.restarts).into_iter().partition(|restart| is_due(restart.when));
        self.restarts = later;
        for Restart { node, down, .. } in due {
            if let Some(place) = self.plan.names().position(|name| name == node)
                && let Some(vm) = self.nodes[place].vm.take()
            {
                vm.kill();
                self.nodes[place].down_until = Some(Instant::now() + down);
            }
        }
    }

    fn hear(&mut self, news: News) {
        let News { place, incarnation, what } = news;
        let node = &mut self.nodes[place];
        match what {
            What::Line(Line::Seen { at_nanos, what }) => self.see(place, Seen { incarnation, at_nanos, what }),
            What::Line(line) => node.hear(line),
            What::Noise => {} // it is in the log
            What::Closed => {
                node.is_heard = true;
                if let Some(vm) = node.vm.take() {
                    node.ended(vm.wait(), self.is_ending);
                }
            }
        }
    }

    fn see(&mut self, place: usize, seen: Seen) {
        self.progress[place].see(&seen.what);
        if let Observation::Marked { id } = seen.what {
            self.power_down(|when| when == When::Mark(id));
        }
        let node = &mut self.nodes[place];
        if node.seen.len() < SEEN_MAX {
            node.seen.push(seen);
        } else {
            node.omitted += 1;
        }
    }

    /// Asks all guests to end, hears what they still say, and kills those that stay.
    fn end(&mut self) {
        self.is_ending = true;
        for vm in self.nodes.iter_mut().filter_map(|node| node.vm.as_mut()) {
            vm.ask_to_end();
        }
        let until = Instant::now() + END_MAX;
        while self.nodes.iter().any(|node| node.vm.is_some()) && Instant::now() < until {
            if let Ok(news) = self.news.recv_timeout(LOOK) {
                self.hear(news);
            }
        }
        for node in &mut self.nodes {
            if node.vm.take().is_some() && node.has_booted {
                node.fail(Kind::Harness, "the guest did not end when it was asked to".into());
            }
        }
    }

    fn conclude(mut self) -> Outcome {
        let frames = self.relay.take().map(Relay::end).unwrap_or_default();
        let names = self.plan.names();
        let broken = names.zip(&mut self.nodes).filter_map(|(name, node)| node.verdict(name));
        let mut failures: Vec<Failure> = broken.collect();
        if failures.is_empty() {
            failures = judge::judge(self.plan, &self.progress);
            for (name, node) in self.plan.names().zip(&self.nodes) {
                if let Some(expected) = self.plan.expected.get(name) {
                    let seen: Vec<_> = node.seen.iter().map(|seen| seen.what.clone()).collect();
                    failures.extend(judge::compare(name, expected, &seen));
                }
            }
        }
        let nodes = self.plan.names().zip(&mut self.nodes).map(|(name, node)| NodeSummary {
            name: name.to_owned(),
            starts: node.starts,
            seen: core::mem::take(&mut node.seen),
            omitted: node.omitted,
            plain_nanos: node.plain_nanos,
            plain_bytes: node.plain_bytes,
        });
        let wall_millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Outcome { schema: 1, failures, wall_millis, frames, nodes: nodes.collect() }
    }
}

impl Node {
    fn hear(&mut self, line: Line) {
        match line {
            Line::Booted { .. } => self.has_booted = true,
            Line::Network { .. } => self.has_network = true,
            Line::Stored { key, value } => {
                if self.stored.len() < STORED_KEYS_MAX || self.stored.contains_key(&key) {
                    self.stored.insert(key, value);
                } else {
                    self.fail(Kind::Harness, format!("it stores more than {STORED_KEYS_MAX} values"));
                }
            }
            Line::Refused { reason } => self.fail(Kind::Boot, reason),
            Line::Panicked { message } => self.fail(Kind::GuestPanic, message),
            Line::Excepted { vector, error, address, fault } => {
                let detail = format!("exception {vector} ({error:#x}) at {address:#x}, about {fault:#x}");
                self.fail(Kind::GuestPanic, detail);
            }
            Line::Moved { bytes, nanos } => (self.plain_bytes, self.plain_nanos) = (Some(bytes), Some(nanos)),
            Line::Ended { .. } | Line::Seen { .. } | Line::Recording(_) | Line::Call(_) => {}
        }
    }

    /// The first failure is the cause.
    fn fail(&mut self, kind: Kind, detail: String) {
        self.failure.get_or_insert((kind, detail));
    }

    fn ended(&mut self, exit: Option<Exit>, is_asked: bool) {
        match exit {
            Some(Exit::Ended) if is_asked => {}
            Some(Exit::Ended) => self.fail(Kind::Harness, "the guest's time is over before the run's".into()),
            Some(Exit::BadStart) => self.fail(Kind::Boot, "the guest could not read its start".into()),
            Some(Exit::NoEntropy) => self.fail(Kind::Boot, "the guest's processor has no source of chance".into()),
            Some(Exit::NoNetwork) => self.fail(Kind::NoNetwork, "the card or the stack does not start".into()),
            Some(Exit::Panic) => self.fail(Kind::GuestPanic, "it panicked, and did not say why".into()),
            Some(Exit::Exception) => self.fail(Kind::GuestPanic, "an exception of which it did not say more".into()),
            None if self.has_booted => self.fail(Kind::Harness, "QEMU ended by itself: see the serial log".into()),
            None => self.fail(Kind::Boot, "QEMU ended before the guest booted: see the serial log".into()),
        }
    }

    fn verdict(&mut self, name: &str) -> Option<Failure> {
        if self.failure.is_none() && self.starts > 0 && self.down_until.is_none() {
            if !self.has_booted {
                self.fail(Kind::Boot, "the guest did not say that it booted".into());
            } else if !self.has_network {
                self.fail(Kind::NoNetwork, "the guest did not say that its network works".into());
            }
        }
        self.failure.take().map(|(kind, detail)| Failure::of(kind, name, detail))
    }
}

/// A folder for sockets and secrets, gone at the end. Its path is short: a socket's may have 107 bytes.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("qemu-runner-{}-{number}", std::process::id()));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| Failure::harness(format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }

    pub(crate) fn file(&self, place: usize, what: &str) -> PathBuf {
        self.0.join(format!("{place}.{what}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays for the system to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
