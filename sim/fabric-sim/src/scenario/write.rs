//! A resolved scenario as a file again: every count spelled out as names, every default left out. What was shrunk, and what
//! a capsule holds, is read back by the same reader as everything else.

use super::resolved::{
    Attacker, Begin, Checks, Disk, Fault, Felt, Link, Node, NodeId, Perturb, Pipes, Scenario, What, Work,
};
use super::units::{Bytes, Nanos, Percent, Skew};
use core::fmt::Display;
use core::fmt::Write;
use scenario_actor::{Expect, MarkKind};
use serde_json::{Map, Value};

/// Keys and values in the order in which they are written.
#[derive(Default)]
struct Table(Map<String, Value>);

impl Table {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Only what is not the default says something.
    fn quantity<T: Display + PartialEq>(&mut self, key: &str, value: &T, default: &T) {
        if value != default {
            self.put(key, value.to_string());
        }
    }

    fn number(&mut self, key: &str, value: u32, default: u32) {
        if value != default {
            self.put(key, value);
        }
    }

    fn table(&mut self, key: &str, table: Self) {
        if !table.0.is_empty() {
            self.put(key, table.0);
        }
    }
}

/// The scenario as the JSON of a file, without its swarm, which one run has none of, and for the simulator alone.
pub(crate) fn json(scenario: &Scenario) -> Value {
    let Scenario {
        name,
        stop_at,
        sites,
        nodes,
        link,
        links,
        pipes,
        perturb,
        attackers,
        work,
        marks: _,
        faults,
        checks,
        swarm: _,
        worlds: _,
    } = scenario;
    let mut file = Table::default();
    file.put("schema", 1);
    file.put("name", name.as_str());
    file.put("stop_at", stop_at.to_string());
    if !sites.is_empty() {
        let plain = |name: &String| (name.clone(), Value::Object(Map::new()));
        file.put("sites", sites.iter().map(plain).collect::<Map<_, _>>());
    }
    file.put("nodes", nodes.iter().map(|each| (each.name.clone(), node(each, scenario))).collect::<Map<_, _>>());
    let mut all = Table::default();
    all.table("default", changes(link, &Link::default()));
    for ((from, to), each) in links {
        all.table(&direction(scenario, *from, *to), changes(each, link));
    }
    file.table("links", all);
    file.table("pipes", pipes_table(pipes));
    file.table("perturb", perturb_table(*perturb));
    if !attackers.is_empty() {
        file.put("attackers", attackers.iter().map(|each| attacker(each, scenario)).collect::<Map<_, _>>());
    }
    if !work.is_empty() {
        file.put("work", work.iter().map(|each| work_table(each, scenario)).collect::<Vec<_>>());
    }
    if !faults.is_empty() {
        let mut table = Table::default();
        table.put("timeline", faults.iter().map(|each| fault(each, scenario)).collect::<Vec<_>>());
        file.table("faults", table);
    }
    file.put("check", check(checks, scenario));
    Value::Object(file.0)
}

fn attacker(attacker: &Attacker, scenario: &Scenario) -> (String, Value) {
    let Attacker { name, tap, between, from, until } = attacker;
    let side = |nodes: &Vec<NodeId>| nodes.iter().map(|node| scenario.node_name(*node)).collect::<Vec<_>>().join(", ");
    let mut table = Table::default();
    table.put("tap", tap.name());
    table.put("between", between.iter().map(side).collect::<Vec<_>>());
    table.quantity("at", from, &Nanos::default());
    if let Some(until) = until {
        table.put("for", Nanos(until.0 - from.0).to_string());
    }
    (name.clone(), Value::Object(table.0))
}

fn direction(scenario: &Scenario, from: NodeId, to: NodeId) -> String {
    format!("{} -> {}", scenario.node_name(from), scenario.node_name(to))
}

fn node(node: &Node, scenario: &Scenario) -> Value {
    let Node { name: _, sites, starts_at, clock_offset, clock_skew, disk, serves, allow, trusts, hostile } = node;
    let mut table = Table::default();
    if let Some(sites) = sites {
        table.put("sites", sites.iter().map(|site| scenario.sites[*site as usize].as_str()).collect::<Vec<_>>());
    }
    if !serves.is_empty() {
        table.put("serves", serves.clone());
    }
    if !allow.is_empty() {
        let rule = |(peer, service): &(NodeId, String)| format!("{}/{service}", scenario.node_name(*peer));
        table.put("allow", allow.iter().map(rule).collect::<Vec<_>>());
    }
    if let Some(trusts) = trusts {
        table.put("trusts", trusts.iter().map(|peer| scenario.node_name(*peer)).collect::<Vec<_>>());
    }
    if let Some(hostile) = hostile {
        table.put("hostile", hostile.conduct.name());
        table.put("attacks", hostile.victims.iter().map(|victim| scenario.node_name(*victim)).collect::<Vec<_>>());
    }
    table.quantity("starts_at", starts_at, &Nanos::default());
    table.quantity("clock_offset", clock_offset, &Nanos::default());
    table.quantity("clock_skew", clock_skew, &Skew::default());
    table.table("disk", disk_changes(disk, &Disk::default()));
    Value::Object(table.0)
}

fn disk_changes(disk: &Disk, from: &Disk) -> Table {
    let Disk { delay, fail, torn, rot } = disk;
    let mut table = Table::default();
    table.quantity("delay", delay, &from.delay);
    table.quantity("fail", fail, &from.fail);
    table.quantity("torn", torn, &from.torn);
    table.quantity("rot", rot, &from.rot);
    table
}

/// What makes `link` of `from`. A burst or a rate that `from` has cannot be written away: it stays.
fn changes(link: &Link, from: &Link) -> Table {
    let Link { delay, loss, burst, duplicate, reorder, corrupt, truncate, rate, queue, mtu } = link;
    let mut table = Table::default();
    table.quantity("delay", delay, &from.delay);
    table.quantity("loss", loss, &from.loss);
    if let Some((enter, leave)) = burst.filter(|_| *burst != from.burst) {
        let mut burst = Table::default();
        burst.put("enter", enter.to_string());
        burst.put("leave", leave.to_string());
        table.table("burst", burst);
    }
    table.quantity("duplicate", duplicate, &from.duplicate);
    table.quantity("reorder", reorder, &from.reorder);
    table.quantity("corrupt", corrupt, &from.corrupt);
    table.quantity("truncate", truncate, &from.truncate);
    if let Some(rate) = rate.filter(|_| *rate != from.rate) {
        table.put("rate", rate.to_string());
    }
    table.number("queue", *queue, from.queue);
    table.number("mtu", *mtu, from.mtu);
    table
}

fn pipes_table(pipes: &Pipes) -> Table {
    let (Pipes { buffer, segment, room_max, chunk_max, refuse, silent, reset, patience }, default) =
        (pipes, Pipes::default());
    let mut table = Table::default();
    table.number("buffer", *buffer, default.buffer);
    table.number("segment", *segment, default.segment);
    table.number("room_max", *room_max, default.room_max);
    if let Some(chunk_max) = chunk_max {
        table.put("chunk_max", *chunk_max);
    }
    table.quantity("refuse", refuse, &default.refuse);
    table.quantity("silent", silent, &default.silent);
    table.quantity("reset", reset, &default.reset);
    table.quantity("patience", patience, &default.patience);
    table
}

fn perturb_table(perturb: Perturb) -> Table {
    let Perturb { spurious_timeout, late_drain } = perturb;
    let mut table = Table::default();
    table.quantity("spurious_timeout", &spurious_timeout, &Percent::default());
    table.quantity("late_drain", &late_drain, &Percent::default());
    table
}

fn work_table(work: &Work, scenario: &Scenario) -> Value {
    let Work { at, from, to, service, bytes, message, priority, expect, place: _ } = work;
    let mut table = Table::default();
    table.put("at", at.to_string());
    table.put("from", scenario.node_name(*from));
    table.put("open", format!("{}/{service}", scenario.node_name(*to)));
    table.quantity("send", bytes, &Bytes::default());
    table.quantity("chunk", message, &super::resolve::MESSAGE_DEFAULT);
    table.number("priority", u32::from(*priority), super::resolve::PRIORITY_DEFAULT);
    if *expect != super::resolve::usual(service) {
        table.put("expect", expectation(*expect));
    }
    Value::Object(table.0)
}

const fn expectation(expect: Expect) -> &'static str {
    match expect {
        Expect::Echoed => "echoed",
        Expect::Delivered => "delivered",
        Expect::Opened => "opened",
        Expect::Answered => "answered",
        Expect::Denied => "denied",
    }
}

fn fault(fault: &Fault, scenario: &Scenario) -> Value {
    let mut table = Table::default();
    match fault.begin {
        Begin::At(at) => table.put("at", at.to_string()),
        Begin::Mark(mark) => {
            let mark = scenario.marks[mark as usize];
            let verb = match mark.kind {
                MarkKind::Sent => "sent",
                MarkKind::Received => "received",
            };
            table.put("when", format!("{} {verb} {}", scenario.node_name(mark.node), mark.bytes));
        }
    }
    what(&fault.what, scenario, &mut table);
    let lasts = if matches!(fault.what, What::Restart(_)) { "down" } else { "for" };
    let is_instant = matches!(fault.what, What::ClockJump(..) | What::Reset(..));
    if let Some(span) = fault.lasts.filter(|_| !is_instant) {
        table.put(lasts, span.to_string());
    }
    Value::Object(table.0)
}

fn what(what: &What, scenario: &Scenario, table: &mut Table) {
    let name = |node: &NodeId| scenario.node_name(*node).to_owned();
    let side = |nodes: &[NodeId]| nodes.iter().map(name).collect::<Vec<_>>().join(", ");
    match what {
        What::Partition { from, to, one_way, flap } => {
            let key = match (one_way, flap) {
                (true, _) => "one_way",
                (false, Some(_)) => "flap",
                (false, None) => "partition",
            };
            table.put(key, vec![side(from), side(to)]);
            if let Some(every) = flap.filter(|_| !one_way) {
                table.put("every", every.to_string());
            }
        }
        What::Restart(node) => table.put("restart", name(node)),
        What::Crash(node) => table.put("crash", name(node)),
        What::Pause(node) => table.put("pause", name(node)),
        What::ClockJump(node, by) => {
            table.put("clock_jump", name(node));
            table.put("by", by.to_string());
        }
        What::ClockRate(node, by) => {
            table.put("clock_rate", name(node));
            table.put("by", by.to_string());
        }
        What::Link(from, to, link) => {
            table.put("link", direction(scenario, *from, *to));
            let base = scenario.links.get(&(*from, *to)).unwrap_or(&scenario.link);
            table.put("becomes", changes(link, base).0);
        }
        What::Reset(a, b) => table.put("reset", vec![name(a), name(b)]),
        What::Disk(node, disk) => {
            table.put("disk", name(node));
            table.put("becomes", disk_changes(disk, &scenario.nodes[*node as usize].disk).0);
        }
    }
}

fn check(checks: &Checks, scenario: &Scenario) -> Value {
    let Checks { always, eventually, felt, sometimes } = checks;
    let mut table = Table::default();
    table.put("always", always.clone());
    let eventually: Map<_, _> =
        eventually.iter().map(|(name, by)| ((*name).to_owned(), Value::from(by.to_string()))).collect();
    table.table("eventually", Table(eventually));
    if !felt.is_empty() {
        let text = |felt: &Felt| format!("{} saw {}", scenario.node_name(felt.node), felt.effect);
        table.put("felt", felt.iter().map(text).collect::<Vec<_>>());
    }
    if !sometimes.is_empty() {
        table.put("sometimes", sometimes.clone());
    }
    Value::Object(table.0)
}

/// The scenario as a file for people.
pub(crate) fn toml(scenario: &Scenario) -> String {
    let Value::Object(file) = json(scenario) else { return String::new() };
    let mut text = String::new();
    let (plain, tables): (Vec<_>, Vec<_>) = file.iter().partition(|(_, value)| !is_table(value));
    for (key, value) in plain {
        line(&mut text, key, value);
    }
    for (key, value) in tables {
        section(&mut text, key, value);
    }
    text
}

fn is_table(value: &Value) -> bool {
    value.is_object() || value.as_array().is_some_and(|items| items.iter().any(Value::is_object))
}

fn section(text: &mut String, key: &str, value: &Value) {
    match value {
        Value::Object(group) if ["sites", "nodes", "links", "attackers"].contains(&key) => {
            for (name, table) in group {
                let _ = write!(text, "\n[{key}.{}]\n", quoted_key(name));
                table.as_object().into_iter().flatten().for_each(|(key, value)| line(text, key, value));
            }
        }
        Value::Object(table) => {
            let _ = write!(text, "\n[{key}]\n");
            table.iter().for_each(|(key, value)| line(text, key, value));
        }
        Value::Array(items) => {
            for item in items {
                let _ = write!(text, "\n[[{key}]]\n");
                item.as_object().into_iter().flatten().for_each(|(key, value)| line(text, key, value));
            }
        }
        _ => line(text, key, value),
    }
}

/// One key; the entries of a timeline have a line each.
fn line(text: &mut String, key: &str, value: &Value) {
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let items: Vec<_> = items.iter().map(|item| format!("  {},\n", inline(item))).collect();
            let _ = writeln!(text, "{key} = [\n{}]", items.concat());
        }
        _ => {
            let _ = writeln!(text, "{} = {}", quoted_key(key), inline(value));
        }
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let each: Vec<_> =
                table.iter().map(|(key, value)| format!("{} = {}", quoted_key(key), inline(value))).collect();
            if each.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", each.join(", ")) }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        // A string of JSON without control characters is one of TOML: names and quantities have none.
        other => other.to_string(),
    }
}

fn quoted_key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_bare { key.to_owned() } else { Value::from(key).to_string() }
}
