// What stands around the diagram: the verdict, the checks, details on click, the player, latency over time.

function headOf(data) {
  const css = { pass: 'pass', fail: 'fail' }[data.head.verdict] || 'other';
  const facts = [data.sweep ? data.head.seed : `seed ${data.head.seed}`, `world ${data.head.world}`, `suite ${data.head.suite}`, `${time(data.head.virtual_ns, 3)} of virtual time`,
    `${data.head.events.toLocaleString('en')} events`, data.head.trace_hash ? `trace ${data.head.trace_hash}` : '', data.head.build];
  return `<h1>${escape(data.head.scenario)}</h1><span class="verdict ${css}">${escape(data.head.verdict)}</span>
    <span class="muted">${facts.filter(Boolean).map(escape).join(' · ')}</span><button id="theme" aria-label="light or dark">◐</button>`;
}

const RUN_PAGE = `
<div id="left">
  <section><h2>What happened, node by node</h2>
    <div class="bar" role="toolbar" aria-label="diagram">
      <button id="closer" aria-label="zoom in">+</button><button id="wider" aria-label="zoom out">−</button>
      <button id="even" aria-pressed="true" title="the same room for each event, or for each second">even steps</button>
      <select id="way" aria-label="which traffic"><option value="all">all traffic</option><option value="pipe">pipes</option><option value="datagram">datagrams</option><option value="control">dials and ends</option></select>
      <input type="search" id="search" placeholder="peer, stream, work…" aria-label="labels that contain">
      <button id="cause" aria-pressed="false" hidden>only what led to it</button>
      <button id="verdict">to the end</button></div>
    <div class="bar nodes" id="nodes" aria-label="nodes"></div>
    <div id="scroll" tabindex="0" aria-label="space-time diagram"><div id="lanes"></div><div id="space"><svg id="draw"></svg></div></div>
    <div class="legend"><span style="color:var(--datagram)"><i></i>datagram</span><span style="color:var(--pipe)"><i></i>pipe</span>
      <span style="color:var(--bad)"><i style="border-top-style:dashed"></i>never arrived</span><span><i style="border-top:9px solid var(--band)"></i>fault</span>
      <span><i style="border-top:9px solid var(--down)"></i>down</span><span style="color:var(--lit)" id="litword" hidden><i></i>led to the failure</span><span class="warn" id="hidden"></span></div>
    <p class="muted" id="omitted"></p></section>
  <section><h2>Latency, by when it was sent</h2><div class="wide" id="latency"></div></section>
  <section id="forked" hidden><h2>When it became inevitable</h2><p class="muted" id="forksaid"></p><div class="wide" id="forks"></div></section>
</div>
<div id="side">
  <section><h2>Step through</h2>
    <div class="bar"><button id="first" aria-label="first event">|◀</button><button id="back" aria-label="one event back">◀</button><button id="play" aria-label="play">▶ play</button><button id="on" aria-label="one event on">▶</button><button id="end" aria-label="last event">▶|</button></div>
    <input type="range" id="when" min="0" value="0" aria-label="event"><p class="mono" id="now"></p><div class="wide" id="states"></div></section>
  <section><h2>Details</h2><div id="details" class="muted">Click an event, an arrow or a label.</div></section>
  <section><h2>Checks</h2><div class="wide" id="checks"></div><div id="again"></div></section>
  <section><h2>What went wrong on purpose</h2><div class="wide" id="faults"></div></section>
</div>`;

function table(rows, heads) {
  const cells = (row, tag) => `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>${heads ? cells(heads, 'th') : ''}${rows.map((row) => cells(row, 'td')).join('')}</table>`;
}

/** What each node is after the events up to `last`. */
function states(run, last) {
  const found = run.nodes.map(() => ({ up: false, starts: 0, sessions: new Set(), peers: new Set(), out: 0, in: 0, told: '' }));
  for (let i = 0; i <= last && i < run.list.length; i += 1) {
    const e = run.list[i], state = found[e.node];
    if (!state) continue;
    if (e.kind === 'Boot') Object.assign(state, { up: true, starts: e.number + 1 });
    else if (e.kind === 'Crash') { state.up = false; state.sessions.clear(); state.peers.clear(); }
    else if (e.kind === 'Fill' || e.kind === 'DatagramOut' || e.kind === 'GroupOut') state.out += e.bytes || 0;
    else if (e.kind === 'PipeBytes' || e.kind === 'DatagramIn') state.in += e.bytes || 0;
    else if (e.kind === 'Event' && e.text) {
      const { name, fields } = parts(e.text);
      if (name === 'SessionUp') state.sessions.add(fields.peer);
      else if (name === 'SessionDown') state.sessions.delete(fields.peer);
      else if (name === 'Discovered') state.peers.add(fields.peer);
      else if (name === 'Lost' || name === 'Expired') state.peers.delete(fields.peer);
      state.told = words(e.text);
    }
  }
  return found;
}

function showStates(run, last) {
  const rows = states(run, last).map((state, n) => {
    const life = state.up ? `<span class="good">up</span>${state.starts > 1 ? `, start ${state.starts}` : ''}` : '<span class="bad">down</span>';
    return [`<b>${escape(run.nodes[n])}</b><br>${life}`,
      `sessions: ${escape([...state.sessions].join(', ')) || 'none'}<br>in ${size(state.in)}, out ${size(state.out)}<br><span class="muted">${escape(state.told)}</span>`];
  });
  $('states').innerHTML = table(rows.slice(0, 200));
  const e = run.list[last];
  $('now').textContent = e ? `#${e.id}  ${time(e.at)}  ${label(e, run.nodes)}` : '';
}

function details(run, diagram, i) {
  const e = run.list[i], name = (n) => escape(run.nodes[n] ?? '');
  const rows = [['event', `#${e.id}`], ['when', `${e.at.toLocaleString('en')} ns`], ['what', e.kind], ['node', name(e.node)], ['peer', name(e.peer)],
    ['number', e.number], ['bytes', e.bytes ?? ''], ['says', escape(e.text ?? '')], ['digest', `<code>${e.digest}</code>`]].filter(([, value]) => value !== '');
  const arrows = (diagram.of.get(i) || []).map((arrow) => {
    const other = arrow.from === i ? arrow.to : arrow.from;
    if (other === null) return '<p class="bad">never arrived</p>';
    const o = run.list[other], took = Math.abs(o.at - e.at) / 1e6;
    const notes = [arrow.twice ? 'a second copy' : '', arrow.damaged ? 'damaged on the way' : ''].filter(Boolean).join(', ');
    return `<p><button data-go="${other}">${arrow.from === i ? 'arrived' : 'sent'} ${time(o.at)}</button> ${took.toFixed(3)} ms apart ${notes}</p>`;
  }).slice(0, 20);
  $('details').className = '';
  $('details').innerHTML = table(rows) + arrows.join('');
}

function latency(run, onSelect) {
  const points = run.arrows.filter((arrow) => arrow.to !== null && arrow.way !== 'control');
  if (!points.length) { $('latency').innerHTML = '<p class="muted">Nothing arrived.</p>'; return; }
  const stride = Math.ceil(points.length / 3000), took = (arrow) => Math.max(1e3, run.list[arrow.to].at - run.list[arrow.from].at);
  const W = Math.max(320, $('latency').clientWidth || 600), H = 190, L = 56, B = 22;
  const t0 = run.list[0].at, t1 = Math.max(t0 + 1, run.list.at(-1).at);
  const logs = points.map((arrow) => Math.log10(took(arrow))), low = Math.floor(Math.min(...[Math.min.apply(null, logs.slice(0, 5e4))])), high = Math.ceil(Math.max.apply(null, logs.slice(0, 5e4)) + 0.001);
  const x = (at) => L + (at - t0) / (t1 - t0) * (W - L - 8), y = (log) => 8 + (high - log) / (high - low) * (H - B - 8);
  const out = [];
  for (const band of run.bands) {
    const from = x(run.list[band.from].at), to = x(run.list[band.to].at);
    out.push(`<rect class="${band.css}" x="${from}" y="8" width="${Math.max(1.5, to - from)}" height="${H - B - 8}"><title>${escape(band.what)}</title></rect>`);
  }
  for (let decade = low; decade <= high; decade += 1)
    out.push(`<line class="axis" x1="${L}" x2="${W - 8}" y1="${y(decade)}" y2="${y(decade)}"/><text class="time" x="${L - 6}" y="${y(decade) + 4}">${10 ** decade >= 1e9 ? `${10 ** (decade - 9)}s` : 10 ** decade >= 1e6 ? `${10 ** (decade - 6)}ms` : `${10 ** (decade - 3)}µs`}</text>`);
  const ticks = W < 500 ? 4 : 8;
  for (let k = 0; k <= ticks; k += 1) out.push(`<text class="time" style="text-anchor:${k === ticks ? 'end' : k ? 'middle' : 'start'}" x="${x(t0 + (t1 - t0) * k / ticks)}" y="${H - 6}">${time(t0 + (t1 - t0) * k / ticks, 1)}</text>`);
  points.forEach((arrow, k) => {
    if (k % stride) return;
    const from = run.list[arrow.from];
    out.push(`<circle class="point" data-i="${arrow.from}" r="2.2" cx="${x(from.at)}" cy="${y(logs[k])}" fill="var(--${arrow.way})"><title>${escape(run.nodes[from.node] ?? '')} ${(took(arrow) / 1e6).toFixed(2)} ms</title></circle>`);
  });
  $('latency').innerHTML = `<svg id="latencies" width="${W}" height="${H}">${out.join('')}</svg>`;
  $('latencies').addEventListener('click', (click) => { const hit = click.target.closest('[data-i]'); if (hit) onSelect(Number(hit.dataset.i)); });
}

/** What share of the forks of a run fails, by the time from which on chance was drawn anew. */
function forks(run, data) {
  const { points, ended_ns: ended, escapable_until_ns: escapable, inevitable_from_ns: inevitable } = data;
  $('forked').hidden = false;
  $('forksaid').textContent = inevitable === null ? 'It could be escaped until it happened.'
    : escapable === null ? 'Inevitable from the start: it is not chance that brings it about.'
      : `Inevitable since some time between ${time(escapable)} and ${time(inevitable)}. Of ${data.forks} forks at each point, those that fail alike are red, those that fail otherwise yellow.`;
  const W = Math.max(320, $('forks').clientWidth || 600), H = 150, L = 56, B = 22, end = Math.max(1, ended);
  const x = (at) => L + at / end * (W - L - 8), y = (share) => 8 + (1 - share) * (H - B - 8);
  const share = (point, count) => count / Math.max(1, point.same + point.other + point.held);
  const area = (of, css) => `<path class="${css}" d="M${x(points[0].at_ns)} ${y(0)} ${points.map((p) => `L${x(p.at_ns)} ${y(of(p))}`).join(' ')} L${x(points.at(-1).at_ns)} ${y(0)} Z"/>`;
  const out = [area((p) => share(p, p.same + p.other), 'other'), area((p) => share(p, p.same), 'same')];
  for (const band of run.bands) {
    const from = x(run.list[band.from].at), to = x(run.list[band.to].at);
    out.push(`<rect class="${band.css}" x="${from}" y="8" width="${Math.max(1.5, to - from)}" height="${H - B - 8}"><title>${escape(band.what)}</title></rect>`);
  }
  for (const [at, word] of [[1, 'all'], [0.5, 'half'], [0, 'none']])
    out.push(`<line class="axis" x1="${L}" x2="${W - 8}" y1="${y(at)}" y2="${y(at)}"/><text class="time" x="${L - 6}" y="${y(at) + 4}">${word}</text>`);
  const ticks = W < 500 ? 4 : 8;
  for (let k = 0; k <= ticks; k += 1) out.push(`<text class="time" style="text-anchor:${k === ticks ? 'end' : k ? 'middle' : 'start'}" x="${x(end * k / ticks)}" y="${H - 6}">${time(end * k / ticks, 1)}</text>`);
  if (inevitable !== null) out.push(`<line class="since" x1="${x(inevitable)}" x2="${x(inevitable)}" y1="8" y2="${H - B}"/>`);
  for (const p of points) out.push(`<circle class="point" r="2.5" cx="${x(p.at_ns)}" cy="${y(share(p, p.same + p.other))}"><title>${time(p.at_ns)}: ${p.same} alike, ${p.other} otherwise, ${p.held} hold</title></circle>`);
  $('forks').innerHTML = `<svg id="forkchart" width="${W}" height="${H}">${out.join('')}</svg>`;
}

function checks(data) {
  const css = { held: 'good', failed: 'bad' };
  const ranked = [...data.checks].sort((a, b) => (b.verdict === 'failed') - (a.verdict === 'failed'));
  $('checks').innerHTML = table(ranked.map((check) => [`<b class="${css[check.verdict] || 'muted'}">${escape(check.verdict)}</b>`,
    `${escape(check.name)}<br><span class="muted">${escape(check.detail)}</span>`]));
  $('again').innerHTML = data.commands.length ? `<pre>${data.commands.map(escape).join('\n')}</pre>` : '';
  const faults = Object.entries(data.faults);
  $('faults').innerHTML = faults.length ? table(faults.map(([name, count]) => [escape(name), count.toLocaleString('en')])) : '<span class="muted">Nothing.</span>';
}

function runPage(data) {
  $('main').innerHTML = RUN_PAGE;
  const list = events(data.trace), nodes = data.nodes, slice = new Set(data.slice || []);
  const failed = data.checks.find((check) => check.verdict === 'failed');
  const run = { list, nodes, slice, arrows: pair(list, nodes), bands: bands(list, nodes),
    violation: failed && list.length ? list.length - 1 : null, broken: failed ? `${failed.name}: ${failed.detail}` : '' };
  let cursor = 0, timer = null;
  const select = (i) => { step(i); details(run, diagram, i); };
  const diagram = new Diagram(run, select);
  const step = (i) => {
    cursor = Math.max(0, Math.min(list.length - 1, i));
    $('when').value = cursor;
    diagram.cursor = cursor;
    diagram.show(cursor);
    showStates(run, cursor);
  };
  const stop = () => { clearInterval(timer); timer = null; $('play').textContent = '▶ play'; };
  const play = () => {
    if (timer) { stop(); return; }
    $('play').textContent = '‖ pause';
    timer = setInterval(() => { if (cursor >= list.length - 1) stop(); else step(cursor + Math.max(1, Math.round(list.length / 2000))); }, 60);
  };
  const press = (id, act) => $(id).addEventListener('click', act);
  const again = (change) => { const middle = diagram.selected ?? diagram.seek($('scroll').scrollTop); change(); diagram.layout(); if (list.length) diagram.show(Math.min(middle, list.length - 1)); };
  const zoom = (factor) => again(() => { diagram.zoom = Math.min(64, Math.max(1 / 64, diagram.zoom * factor)); });
  press('closer', () => zoom(2)); press('wider', () => zoom(0.5));
  press('even', () => again(() => { diagram.even = !diagram.even; $('even').setAttribute('aria-pressed', diagram.even); $('even').textContent = diagram.even ? 'even steps' : 'true time'; }));
  press('cause', () => again(() => { diagram.onlySlice = !diagram.onlySlice; $('cause').setAttribute('aria-pressed', diagram.onlySlice); }));
  press('verdict', () => step(list.length - 1)); press('first', () => step(0)); press('end', () => step(list.length - 1));
  press('back', () => step(cursor - 1)); press('on', () => step(cursor + 1)); press('play', play);
  $('way').addEventListener('change', () => again(() => { diagram.way = $('way').value; }));
  $('search').addEventListener('input', () => again(() => { diagram.search = $('search').value.toLowerCase(); }));
  $('when').max = Math.max(0, list.length - 1);
  $('when').addEventListener('input', () => step(Number($('when').value)));
  $('details').addEventListener('click', (click) => { const go = click.target.closest('[data-go]'); if (go) select(Number(go.dataset.go)); });
  $('cause').hidden = $('litword').hidden = slice.size === 0;
  $('nodes').innerHTML = nodes.map((name, n) => `<button data-node="${n}" aria-pressed="${diagram.shown.has(n)}">${escape(name)}</button>`).join('');
  $('nodes').addEventListener('click', (click) => {
    const button = click.target.closest('[data-node]');
    if (!button) return;
    const node = Number(button.dataset.node);
    again(() => { if (!diagram.shown.delete(node)) diagram.shown.add(node); });
    button.setAttribute('aria-pressed', diagram.shown.has(node));
  });
  document.addEventListener('keydown', (key) => {
    if (key.target.matches('input, select, textarea')) return;
    const act = { ArrowRight: () => step(cursor + 1), ArrowLeft: () => step(cursor - 1), ' ': play, '+': () => zoom(2), '-': () => zoom(0.5) }[key.key];
    if (act && !(key.key === ' ' && key.target.matches('button'))) { key.preventDefault(); act(); }
  });
  const { before, after } = data.omitted;
  $('omitted').textContent = before + after ? `${before.toLocaleString('en')} events before and ${after.toLocaleString('en')} after these are not in this page: choose others with --from and --until.` : '';
  checks(data);
  diagram.layout();
  latency(run, select);
  if (data.forks && list.length) forks(run, data.forks);
  if (list.length) { if (run.violation !== null) step(list.length - 1); else step(0); }
}
