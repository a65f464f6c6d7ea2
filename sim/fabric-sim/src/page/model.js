'use strict';
// What a run's trace says, made ready to draw: events, which arrival belongs to which sending, faults as intervals.

const DATA = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);
const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }[c]));

/** Nanoseconds, as precise as it has to be. */
function time(ns, digits) {
  const s = ns / 1e9;
  return digits === undefined ? `${s.toFixed(s < 10 ? 4 : 3)}s` : `${s.toFixed(digits)}s`;
}
function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}
/** `SessionDown { peer: "hub", reason: "Reset" }` as a name and what it says. */
function parts(text) {
  const fields = {};
  for (const [, key, plain, quoted] of text.matchAll(/(\w+): (?:"([^"]*)"|([\w.-]+))(?=[,\s}]|$)/g)) fields[key] = plain ?? quoted;
  return { name: (text.match(/^\w+/) || [text])[0], fields };
}
/** The same, for people: `session down: hub, Reset`. */
function words(text) {
  const { name, fields } = parts(text);
  if (name === 'Work') {
    const [, seen, rest] = text.match(/seen: (\w+)(?: \{ (.*?) \})?/) || [null, text, ''];
    const told = (rest || '').replace(/as_expected: |attempt: 0,? ?/g, '').trim();
    return `work ${fields.id} ${seen.toLowerCase()}${told ? `: ${told.replace(/"/g, '')}` : ''}`;
  }
  if (name === 'Received') return `got #${fields.index} of work ${fields.work} from ${fields.peer}, ${size(Number(fields.bytes))}`;
  const spaced = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  const told = Object.entries(fields).map(([key, value]) => ['peer', 'reason', 'service'].includes(key) ? value : `${key} ${value}`);
  return told.length ? `${spaced}: ${told.join(', ')}` : text.replace(/[{}"]/g, '').replace(/\s+/g, ' ').trim();
}

function events(trace) {
  let at = 0;
  return trace.at.map((delta, i) => {
    at += delta;
    return { i, id: trace.first + i, at, kind: DATA.kinds[trace.kind[i]], node: trace.node[i], peer: trace.peer[i],
      number: trace.number[i], digest: trace.digest[i], bytes: trace.bytes[i], text: trace.text[i] };
  });
}

/** Arrows: `{ from, to, way, lost }`, where `to` is null for what never arrived. */
function pair(list, nodes) {
  const arrows = [];
  const flying = new Map();
  const ends = nodes.map(() => new Map());
  const dials = new Map();
  const listOf = (map, key) => map.get(key) || map.set(key, []).get(key);
  const newSide = () => ({ queue: [], sent: 0, arrived: 0, finish: null });
  const newPipe = (dial) => ({ dial, sides: new Map() });
  const end = (node, id, peer) => {
    const known = ends[node].get(id);
    if (!known) return null;
    if (!known.pipe && peer >= 0) {
      const waiting = listOf(dials, `${peer}>${node}`);
      const dialled = waiting.findIndex((pipe) => pipe.dial.at <= known.accepted.at);
      known.pipe = dialled < 0 ? newPipe(null) : waiting.splice(dialled, 1)[0];
      if (known.pipe.dial) arrows.push({ from: known.pipe.dial.i, to: known.accepted.i, way: 'control' });
    }
    return known.pipe;
  };
  const side = (pipe, node) => pipe.sides.get(node) || pipe.sides.set(node, newSide()).get(node);
  const on = {
    DatagramOut: (e) => listOf(flying, `${e.node}>${e.peer}`).push({ e, way: 'datagram' }),
    GroupOut: (e) => listOf(flying, `${e.node}>${e.peer}`).push({ e, way: 'datagram' }),
    Injected: (e) => listOf(flying, `${e.peer}>${e.node}`).push({ e, way: 'datagram' }),
    DatagramIn: (e) => {
      const sent = listOf(flying, `${e.peer}>${e.node}`);
      const exact = sent.findLast((s) => s.e.digest === e.digest && s.e.number === e.number);
      const hit = exact || sent.find((s) => s.e.digest === e.digest && !s.used) || sent.findLast((s) => s.e.number === e.number);
      if (!hit) return;
      arrows.push({ from: hit.e.i, to: e.i, way: 'datagram', twice: hit.used, damaged: hit.e.digest !== e.digest });
      hit.used = true;
    },
    OpenPipe: (e) => {
      const pipe = newPipe(e);
      ends[e.node].set(e.number, { pipe });
      listOf(dials, `${e.node}>${e.peer}`).push(pipe);
    },
    PipeAccepted: (e) => ends[e.node].set(e.number, { pipe: null, accepted: e }),
    Fill: (e) => {
      const pipe = end(e.node, e.number, e.peer);
      if (!pipe) return;
      const to = side(pipe, e.node);
      to.sent += e.bytes || 0;
      to.queue.push({ e, end: to.sent });
    },
    PipeBytes: (e) => {
      const pipe = end(e.node, e.number, e.peer);
      if (!pipe) return;
      const from = side(pipe, e.peer);
      from.arrived += e.bytes || 0;
      while (from.queue.length && from.queue[0].end <= from.arrived)
        arrows.push({ from: from.queue.shift().e.i, to: e.i, way: 'pipe' });
    },
    FinishPipe: (e) => { const pipe = end(e.node, e.number, -1); if (pipe) side(pipe, e.node).finish = e; },
    ClosePipe: (e) => { const pipe = end(e.node, e.number, -1); if (pipe) side(pipe, e.node).finish = e; },
    PipeFinished: (e) => closed(e),
    PipeClosed: (e) => closed(e),
    Crash: (e) => ends[e.node].clear(),
  };
  const closed = (e) => {
    const pipe = end(e.node, e.number, -1);
    if (!pipe) return;
    for (const [node, other] of pipe.sides)
      if (node !== e.node && other.finish) { arrows.push({ from: other.finish.i, to: e.i, way: 'control' }); other.finish = null; }
  };
  const pipes = new Set();
  for (const e of list) {
    if (on[e.kind]) on[e.kind](e);
    if (e.node >= 0) for (const known of [ends[e.node].get(e.number)]) if (known && known.pipe) pipes.add(known.pipe);
  }
  for (const sent of flying.values())
    for (const { e, used, way } of sent) if (!used) arrows.push({ from: e.i, to: null, way, lost: true });
  for (const pipe of pipes)
    for (const { queue } of pipe.sides.values())
      for (const { e } of queue) arrows.push({ from: e.i, to: null, way: 'pipe', lost: true });
  return arrows.sort((a, b) => a.from - b.from);
}

/** What goes wrong on purpose, from when to when, on which lanes; and when nodes are down. */
function bands(list, nodes) {
  const open = new Map(), down = nodes.map(() => null), found = [];
  const last = list.length ? list.length - 1 : 0;
  for (const e of list) {
    const key = `${e.number}`;
    if (e.kind === 'FaultBegins') {
      const hit = nodes.map((name, n) => [name, n]).filter(([name]) => (e.text || '').includes(`"${name}"`)).map(([, n]) => n);
      open.set(key, { from: e.i, to: last, what: e.text || 'fault', nodes: hit, css: 'band' });
    } else if (e.kind === 'FaultEnds' && open.has(key)) {
      const band = open.get(key);
      open.delete(key);
      found.push({ ...band, to: e.i });
    } else if (e.kind === 'Crash') down[e.node] = e.i;
    else if (e.kind === 'Boot' && down[e.node] !== null) {
      found.push({ from: down[e.node], to: e.i, what: 'down', nodes: [e.node], css: 'down' });
      down[e.node] = null;
    }
  }
  // A fault without an end is a stroke, unless it took a node down.
  for (const band of open.values()) found.push({ ...band, to: band.from });
  down.forEach((from, n) => { if (from !== null) found.push({ from, to: last, what: 'down', nodes: [n], css: 'down' }); });
  return found;
}
