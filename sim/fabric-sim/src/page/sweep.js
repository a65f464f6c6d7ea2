// A sweep: distinct failures and how to have them again, and which drawn values they go with.

const SWEEP_PAGE = `
<div id="left">
  <section><h2>Distinct failures</h2><div class="wide" id="failures"></div></section>
  <section><h2>Drawn values against failures</h2>
    <p class="muted">One row a value that seeds drew. Each box is a tenth of its range: how many runs fell in it, and red what part of them failed. Those that tell most come first.</p>
    <div class="strip" id="strips"></div></section>
  <section id="mapbox"><h2>Two of them together</h2><div class="bar"><select id="ax" aria-label="across"></select><span>against</span><select id="ay" aria-label="upwards"></select></div><div class="wide" id="map"></div></section>
</div>
<div id="side">
  <section><h2>Seeds</h2><div class="wide" id="totals"></div></section>
  <section><h2>What was reached</h2><div class="wide" id="probes"></div></section>
</div>`;

/** `12.5ms`, `3 %` or `7` as a number of the least unit; null for what is none. */
function measure(text) {
  const hit = String(text).match(/^"?(-?[\d.]+)\s*([a-zA-Z%µ/]*)"?$/);
  if (!hit) return null;
  const scale = { ns: 1, us: 1e3, 'µs': 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12, KiB: 1024, MiB: 1048576, GiB: 1073741824, 'kbit/s': 1e3, 'Mbit/s': 1e6, 'Gbit/s': 1e9 }[hit[2]] || 1;
  return Number(hit[1]) * scale;
}

/** Values that were drawn in most runs and differ, the most telling first. */
function drawnValues(lines) {
  const found = new Map();
  lines.forEach((line, run) => {
    for (const [name, told] of Object.entries(line.drawn || {})) {
      const value = measure(told), text = told.replace(/"/g, '').replace(/(\.\d\d)\d+/, '$1');
      if (value === null) continue;
      if (!found.has(name)) found.set(name, { name, at: [], low: [value, text], high: [value, text] });
      const axis = found.get(name);
      axis.at.push([run, value]);
      if (value < axis.low[0]) axis.low = [value, text];
      if (value > axis.high[0]) axis.high = [value, text];
    }
  });
  const axes = [...found.values()].filter((axis) => axis.low[0] < axis.high[0]);
  for (const axis of axes) {
    axis.bins = Array.from({ length: 10 }, () => ({ runs: 0, failed: 0 }));
    axis.place = (value) => (value - axis.low[0]) / (axis.high[0] - axis.low[0]);
    for (const [run, value] of axis.at) {
      const bin = axis.bins[Math.min(9, Math.floor(axis.place(value) * 10))];
      bin.runs += 1;
      bin.failed += lines[run].failures ? 1 : 0;
    }
    const mean = (of) => of.reduce((sum, value) => sum + value, 0) / Math.max(1, of.length);
    const split = (failed) => axis.at.filter(([run]) => Boolean(lines[run].failures) === failed).map(([, value]) => axis.place(value));
    axis.tells = split(true).length ? Math.abs(mean(split(true)) - mean(split(false))) : 0;
  }
  return axes.sort((a, b) => b.tells - a.tells);
}

function strip(axis) {
  const most = Math.max(...axis.bins.map((bin) => bin.runs), 1);
  const boxes = axis.bins.map((bin, k) => {
    const height = 26 * bin.runs / most, red = bin.runs ? height * bin.failed / bin.runs : 0;
    return `<rect class="cell missing" x="${k * 10 + 0.5}" width="9" y="${28 - height}" height="${height}"><title>${bin.failed} of ${bin.runs} failed</title></rect>
      <rect class="cell failed" x="${k * 10 + 0.5}" width="9" y="${28 - red}" height="${red}"/>`;
  });
  return `<span title="${escape(axis.name)}"><code>${escape(axis.name)}</code><br><span class="muted">${escape(axis.low[1])} … ${escape(axis.high[1])}</span></span>
    <svg viewBox="0 0 100 28" preserveAspectRatio="none" width="100%" height="34" role="img" aria-label="${escape(axis.name)}">${boxes.join('')}</svg>`;
}

function drawMap(lines, axes) {
  const axis = (id) => axes[Number($(id).value)];
  const across = axis('ax'), up = axis('ay'), W = Math.max(300, Math.min(720, $('map').clientWidth || 600)), H = 320, L = 70, B = 26;
  const values = new Map(across.at), out = [];
  const x = (value) => L + across.place(value) * (W - L - 14), y = (value) => 10 + (1 - up.place(value)) * (H - B - 18);
  out.push(`<line class="axis" x1="${L}" x2="${W - 8}" y1="${H - B}" y2="${H - B}"/><line class="axis" x1="${L}" x2="${L}" y1="8" y2="${H - B}"/>`,
    `<text class="time" style="text-anchor:start" x="${L}" y="${H - 8}">${escape(across.low[1])}</text><text class="time" x="${W - 8}" y="${H - 8}">${escape(across.high[1])}</text>`,
    `<text class="time" x="${L - 6}" y="${H - B}">${escape(up.low[1])}</text><text class="time" x="${L - 6}" y="20">${escape(up.high[1])}</text>`);
  const points = up.at.filter(([run]) => values.has(run)).sort(([a], [b]) => Boolean(lines[a].failures) - Boolean(lines[b].failures));
  const stride = Math.ceil(points.length / 4000);
  points.forEach(([run, value], k) => {
    const line = lines[run];
    if (line.failures || k % stride === 0)
      out.push(`<circle class="point ${line.failures ? 'failed' : 'pass'}" r="${line.failures ? 4 : 2.5}" cx="${x(values.get(run))}" cy="${y(value)}"><title>seed ${line.seed}: ${escape(line.failures ? line.failures[0].check : 'passed')}</title></circle>`);
  });
  $('map').innerHTML = `<svg id="points" width="${W}" height="${H}">${out.join('')}</svg>`;
}

function sweepPage(data) {
  const { lines, distinct, scenario, probes } = data.sweep;
  $('main').innerHTML = SWEEP_PAGE;
  $('failures').innerHTML = distinct.length ? distinct.map((failure) => `<div class="failure"><b class="bad">${escape(failure.check)}</b> ${escape(failure.place)}
    <span class="muted">${failure.seeds} of ${lines.length} runs</span><br>${escape(failure.detail)}<pre>${failure.commands.map(escape).join('\n')}</pre></div>`).join('') : '<p class="good">None.</p>';
  const count = (verdict) => lines.filter((line) => line.verdict === verdict).length;
  $('totals').innerHTML = table(['pass', 'fail', 'nondeterministic', 'nothing-ran'].filter(count).map((verdict) => [verdict, count(verdict).toLocaleString('en')])
    .concat([['events', lines.reduce((sum, line) => sum + line.events, 0).toLocaleString('en')], ['scenario', escape(scenario)]]));
  const reached = Object.entries(probes);
  $('probes').innerHTML = reached.length ? table(reached.map(([name, seeds]) => [escape(name), seeds ? `${seeds.toLocaleString('en')} runs` : '<b class="warn">never</b>'])) : '<span class="muted">No probes in these results.</span>';
  const axes = drawnValues(lines);
  $('strips').innerHTML = axes.length ? axes.slice(0, 30).map(strip).join('') : '<span class="muted">Nothing was drawn.</span>';
  $('mapbox').hidden = axes.length < 2;
  if (axes.length < 2) return;
  const options = axes.map((axis, k) => `<option value="${k}">${escape(axis.name)}</option>`).join('');
  $('ax').innerHTML = $('ay').innerHTML = options;
  $('ay').value = '1';
  for (const id of ['ax', 'ay']) $(id).addEventListener('change', () => drawMap(lines, axes));
  drawMap(lines, axes);
}
