//! What can be written in a scenario file: the tables and their keys. What they mean together is `resolve`'s.

use super::read::{At, Named, Raw, section};
use super::resolve::limits::{
    ACTS_MAX, BODY_BYTES_MAX, FAULTS_MAX, MTU_MIN, NODES_MAX, STREAMS_MAX, WORK_BYTES_MAX, WORK_MAX,
};
use super::resolve::{MESSAGE_DEFAULT, PRIORITY_DEFAULT};
use super::resolved::{Link, Pipes};
use super::units::{BitRate, Bytes, Delay, Nanos, Percent, Range, Skew};
use crate::attacker::{Conduct, TapKind};
use crate::oracles::{ALWAYS, EVENTUALLY};
use fabric::probe::Probe;
use serde_json::{Value, json};

section! {
    /// A scenario: nodes, the network between them, what they do, what goes wrong, and what must hold all the same.
    File {
        /// The version of this format: 1.
        #[schemars(required, range(min = 1, max = 1))]
        schema: At<u32>,
        /// What the scenario is called: letters, digits and hyphens.
        #[schemars(required)]
        name: At<String>,
        /// Files to start from, relative to this one. Tables are merged key by key and this file wins; `work` and
        /// `faults.timeline` are appended.
        #[expect(dead_code, reason = "followed before the files are one; here it is for the schema")]
        include: Vec<At<String>>,
        /// The virtual time at which the run ends.
        #[schemars(required)]
        stop_at: At<Nanos>,
        /// Where it runs: `sim`, the simulator; `stack`, there over TCP/IP on simulated Ethernet; `tcp`, real processes and sockets;
        /// `qemu`, virtual machines.
        #[schemars(extend("default" = ["sim"], "items" = json!({ "type": "string", "enum": ["sim", "stack", "tcp", "qemu"] })))]
        worlds: Vec<At<String>>,
        /// Network segments, by name. A node's announces reach its own sites and no other. Without any, all nodes share one
        /// network; with some, each node says where it is.
        sites: Named<SiteSection>,
        /// The devices, by name.
        #[schemars(required)]
        nodes: Named<NodeSection>,
        /// How links behave: `default`, `"a <-> b"` for both directions, `"a -> b"` for one. Names may hold `*`. A later
        /// entry overrides an earlier one key by key.
        links: Named<LinkSection>,
        /// How pipes (TCP connections) behave on top of the links that they cross.
        pipes: PipesSection,
        /// Liberties that every driver may take, taken at random.
        perturb: PerturbSection,
        /// Men in the middle, by name.
        attackers: Named<AttackerSection>,
        /// What nodes do.
        #[schemars(length(max = WORK_MAX))]
        work: Vec<WorkSection>,
        /// What their people do about trust.
        #[schemars(length(max = ACTS_MAX))]
        acts: Vec<ActSection>,
        /// What goes wrong.
        faults: FaultsSection,
        /// What must hold.
        check: CheckSection,
        /// Keys drawn anew for every seed of a sweep: a range such as "0%..20%", or a list of choices.
        swarm: Named<Raw>,
    }
}

section! {
    /// A network segment, or several of a kind.
    SiteSection {
        /// How many: `shop` with a count of 2 is `shop-1` and `shop-2`. Without it there is one, called `shop`.
        #[schemars(range(min = 1, max = NODES_MAX))]
        count: At<u32>,
    }
}

section! {
    /// One device, or several of a kind.
    NodeSection {
        /// How many: `phone` with a count of 2 is `phone-1` and `phone-2`. Without it there is one, called `phone`.
        #[schemars(range(min = 1, max = NODES_MAX))]
        count: At<u32>,
        /// The sites that it is in, all at once. In no site, `[]`, it neither hears nor is heard.
        sites: Vec<At<String>>,
        /// Makes the table stand for as many such devices in each of these sites: `hub` is then `shop-1-hub`, `shop-2-hub`
        /// and so on. In `allow`, `trusts`, `attacks`, and in `open` of its work, `{site}` is the name of its site.
        each_site: At<String>,
        /// Services it serves: `echo` sends every message back, `samgrd` and `bundlemgrd` answer calls, any other takes
        /// messages: `slow` reads 8 KiB ten times a second, `unread` nothing.
        #[schemars(extend("default" = Vec::<Value>::new()))]
        serves: Vec<At<String>>,
        /// Who may open what: `"phone-*"` for all that it serves, `"phone-*/files"` for one service, and
        /// `"phone-*/samgrd/resolve"` for one method of one. All else is denied.
        #[schemars(extend("default" = Vec::<Value>::new()))]
        allow: Vec<At<String>>,
        /// Which nodes it trusts, so that sessions with them come up; every node unless said.
        trusts: Vec<At<String>>,
        /// What its clock shows at the start.
        #[schemars(extend("default" = "0ns"))]
        clock_offset: At<Nanos>,
        /// How fast its clock runs.
        #[schemars(extend("default" = "0ppb"))]
        clock_skew: At<Skew>,
        /// When it boots first.
        #[schemars(extend("default" = "0ns"))]
        starts_at: At<Nanos>,
        /// How its storage behaves.
        disk: DiskSection,
        /// It is hostile: it has valid keys, does no work, and does this instead.
        #[schemars(extend("oneOf" = named(Conduct::ALL.map(|(name, _, what)| (name, what)))))]
        hostile: At<String>,
        /// Whom a hostile node attacks; every node that is not hostile unless said.
        attacks: Vec<At<String>>,
    }
}

section! {
    /// A man in the middle, who owns links: what he does not pass on is gone.
    AttackerSection {
        /// What he does.
        #[schemars(required, extend("oneOf" = named(TapKind::ALL.map(|(name, _, what)| (name, what)))))]
        tap: At<String>,
        /// Two sides; every link from one to the other is his.
        #[schemars(required, length(min = 2, max = 2))]
        between: At<Vec<At<String>>>,
        /// When he begins.
        #[schemars(extend("default" = "0ns"))]
        at: At<Nanos>,
        /// How long he goes on; to the end of the run unless said.
        #[schemars(rename = "for")]
        lasts: At<Nanos>,
    }
}

/// Words that can be written, each with what it means.
fn named(words: impl IntoIterator<Item = (&'static str, &'static str)>) -> Value {
    words.into_iter().map(|(word, meaning)| json!({ "const": word, "description": meaning })).collect()
}

/// Texts that are one of these words.
fn texts(words: impl IntoIterator<Item = (&'static str, &'static str)>) -> Value {
    json!({ "type": "string", "oneOf": named(words) })
}

const NONE: &str = "0%";

section! {
    /// A node's storage. Perfect and immediate unless said.
    DiskSection {
        /// From a write to its answer.
        #[schemars(extend("default" = "0ns"))]
        delay: At<Delay>,
        /// A write fails.
        #[schemars(extend("default" = NONE))]
        fail: At<Percent>,
        /// A write that a crash interrupts leaves a mix of old and new.
        #[schemars(extend("default" = NONE))]
        torn: At<Percent>,
        /// A stored value has one bit flipped at a restart.
        #[schemars(extend("default" = NONE))]
        rot: At<Percent>,
    }
}

section! {
    /// One direction of a link. Perfect unless said.
    LinkSection {
        /// From sending to arrival.
        #[schemars(extend("default" = "0ns"))]
        delay: At<Delay>,
        /// Each packet is lost with this chance.
        #[schemars(extend("default" = NONE))]
        loss: At<Percent>,
        /// Losses in a row.
        burst: BurstSection,
        /// A second copy arrives.
        #[schemars(extend("default" = NONE))]
        duplicate: At<Percent>,
        /// A packet is held back, so that later ones pass it.
        #[schemars(extend("default" = NONE))]
        reorder: At<Percent>,
        /// One bit is flipped.
        #[schemars(extend("default" = NONE))]
        corrupt: At<Percent>,
        /// The packet's tail is missing.
        #[schemars(extend("default" = NONE))]
        truncate: At<Percent>,
        /// Bits a second.
        rate: At<BitRate>,
        /// Bytes that wait for the rate; what does not fit is lost.
        #[schemars(extend("default" = Link::default().queue, "x-minimum" = 1, "x-maximum" = u32::MAX))]
        queue: At<Bytes>,
        /// Longest datagram in bytes.
        #[schemars(extend("default" = Link::default().mtu, "x-minimum" = MTU_MIN, "x-maximum" = u32::MAX))]
        mtu: At<Bytes>,
    }
}

section! {
    /// Losses in a row (Gilbert's model): everything is lost while a burst lasts.
    BurstSection {
        /// The chance, at each packet, that a burst begins.
        #[schemars(required)]
        enter: At<Percent>,
        /// The chance, at each packet of a burst, that it is over.
        #[schemars(required)]
        leave: At<Percent>,
    }
}

section! {
    /// TCP connections. Roomy and reliable unless said.
    PipesSection {
        /// Bytes under way or unread in one direction, at most.
        #[schemars(extend("default" = Pipes::default().buffer, "x-minimum" = 1, "x-maximum" = u32::MAX))]
        buffer: At<Bytes>,
        /// Longest segment.
        #[schemars(extend("default" = Pipes::default().segment, "x-minimum" = 1, "x-maximum" = u32::MAX))]
        segment: At<Bytes>,
        /// A writer is offered from 1 to so many bytes of room at once.
        #[schemars(extend("default" = Pipes::default().room_max, "x-minimum" = 1, "x-maximum" = u32::MAX))]
        room_max: At<Bytes>,
        /// A reader gets pieces of 1 to so many bytes; whole segments unless said.
        #[schemars(extend("x-minimum" = 1, "x-maximum" = u32::MAX))]
        chunk_max: At<Bytes>,
        /// A dial is refused.
        #[schemars(extend("default" = NONE))]
        refuse: At<Percent>,
        /// A dial is never answered.
        #[schemars(extend("default" = NONE))]
        silent: At<Percent>,
        /// The pipe is reset, drawn for each segment.
        #[schemars(extend("default" = NONE))]
        reset: At<Percent>,
        /// How long a dial or an unanswered segment is tried.
        #[schemars(extend("default" = Pipes::default().patience.to_string()))]
        patience: At<Nanos>,
    }
}

section! {
    /// Liberties of drivers. None is taken unless said.
    PerturbSection {
        /// A timer fires before its time.
        #[schemars(extend("default" = NONE))]
        spurious_timeout: At<Percent>,
        /// A node's outputs are collected up to 1 ms late.
        #[schemars(extend("default" = NONE))]
        late_drain: At<Percent>,
    }
}

section! {
    /// Something to do: open a stream, send messages, and see what comes of it.
    WorkSection {
        /// When, after the node's first boot and by its own clock.
        #[schemars(required)]
        at: At<Nanos>,
        /// Who does it; with `*`, each that matches.
        #[schemars(required)]
        from: At<String>,
        /// The node and its service: `"hub/echo"`.
        #[schemars(required)]
        open: At<String>,
        /// How many bytes to send in all.
        #[schemars(extend("default" = 0, "x-minimum" = 0, "x-maximum" = WORK_BYTES_MAX))]
        send: At<Bytes>,
        /// The size of one message, drawn from a range; at most 16 MiB.
        #[schemars(extend("default" = MESSAGE_DEFAULT.to_string()))]
        chunk: At<Range<Bytes>>,
        /// 0 (first) to 7 (last).
        #[schemars(range(min = 0, max = 7), extend("default" = PRIORITY_DEFAULT))]
        priority: At<u32>,
        /// How many times it is done at once, each on a stream of its own.
        #[schemars(range(min = 1, max = STREAMS_MAX), extend("default" = 1))]
        streams: At<u32>,
        /// A method to call, instead of sending: the service is `samgrd` or `bundlemgrd`.
        call: At<String>,
        /// For `call`: what the method is told.
        #[schemars(length(max = BODY_BYTES_MAX), extend("default" = ""))]
        body: At<String>,
        /// How it ends well: `echoed`, `delivered`, `opened` (and left open), `answered`, `denied`, or `untrusted`, when the
        /// other node lets this one have no session. Unless said, `answered` for calls, `echoed` for `echo`, `opened` for
        /// `unread`, and `delivered` for others.
        #[schemars(extend("enum" = ["echoed", "delivered", "opened", "answered", "denied", "untrusted"]))]
        expect: At<String>,
    }
}

section! {
    /// What a person does about trust: when, at which node, and one of the keys from `pair` to `leave`.
    ActSection {
        /// When, after the node's first boot and by its own clock.
        #[schemars(required)]
        at: At<Nanos>,
        /// At which node; with `*`, at each that matches.
        #[schemars(required)]
        on: At<String>,
        /// Enters pairing mode, to pair with this node: both have to.
        pair: At<String>,
        /// For `pair`: what the person says of the digits: `yes`, `no` or `nothing`.
        #[schemars(extend("enum" = ["yes", "no", "nothing"]), extend("default" = "yes"))]
        answer: At<String>,
        /// Trusts this node over restarts.
        trust: At<String>,
        /// Trusts this node no more.
        revoke: At<String>,
        /// The node takes another Noise static.
        rotate_key: At<bool>,
        /// The node says goodbye and ends in order.
        leave: At<bool>,
    }
}

section! {
    /// What goes wrong.
    FaultsSection {
        /// Faults by time or by trigger.
        #[schemars(length(max = FAULTS_MAX))]
        timeline: Vec<FaultSection>,
    }
}

section! {
    /// One fault: when it begins, what it is (one of the keys from `partition` to `disk`), and how long it lasts.
    FaultSection {
        /// The time at which it begins.
        at: At<Nanos>,
        /// What begins it: `"phone-2 sent 300KiB"` or `"phone-1 received 1MiB"`.
        when: At<String>,
        /// How long it lasts; to the end of the run unless said.
        #[schemars(rename = "for")]
        lasts: At<Nanos>,
        /// Two sides that cannot reach each other.
        #[schemars(length(min = 2, max = 2))]
        partition: At<Vec<At<String>>>,
        /// The first side cannot reach the second; the other direction works.
        #[schemars(length(min = 2, max = 2))]
        one_way: At<Vec<At<String>>>,
        /// Two sides, cut off and joined again `every` so often.
        #[schemars(length(min = 2, max = 2))]
        flap: At<Vec<At<String>>>,
        /// For `flap`: cut off for so long, then joined for as long.
        every: At<Nanos>,
        /// The process dies and starts again after `down`.
        restart: At<String>,
        /// For `restart`: how long the node is down.
        down: At<Nanos>,
        /// The device loses power; it is back when the fault ends.
        crash: At<String>,
        /// The node stands still while the world goes on.
        pause: At<String>,
        /// The node's clock leaps forward `by` a duration.
        clock_jump: At<String>,
        /// The node's clock runs fast or slow `by` so many ppm.
        clock_rate: At<String>,
        /// For `clock_jump` a duration, for `clock_rate` a rate such as "200ppm".
        by: At<String>,
        /// A link, as in `links`, that behaves as `becomes` says.
        link: At<String>,
        /// A node whose storage behaves as `becomes` says.
        disk: At<String>,
        /// For `link` the keys of a link, for `disk` those of a disk; what is not named stays.
        becomes: Raw,
        /// Two sides between which every pipe is reset.
        #[schemars(length(min = 2, max = 2))]
        reset: At<Vec<At<String>>>,
    }
}

section! {
    /// What must hold.
    CheckSection {
        /// Promises that no moment may break; all of them unless said.
        #[schemars(extend("items" = texts(ALWAYS.iter().map(|check| (check.name, check.promise)))))]
        always: Vec<At<String>>,
        /// What must have come about by a time.
        #[schemars(extend("propertyNames" = texts(EVENTUALLY.iter().map(|check| (check.name, check.promise)))))]
        eventually: Named<At<Nanos>>,
        /// What victims must feel of the attacks on them, such as `"hub saw RecordInvalid"`: an attack that does nothing
        /// shows nothing.
        felt: Vec<At<String>>,
        /// What some run of a sweep must show; not judged in a single run.
        #[schemars(extend("items" = texts(Probe::ALL.iter().map(|probe| (probe.label(), probe.meaning())))))]
        sometimes: Vec<At<String>>,
    }
}
