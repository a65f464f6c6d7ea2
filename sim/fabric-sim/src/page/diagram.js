// The space-time diagram: lanes are nodes, time goes down. Only what the window shows is drawn.

const GUTTER = 74, LABEL_ROW = 17, ELEMENTS_MAX = 4000, LABEL_SLIP_MAX = 120;
const LABELLED = new Set(['Event', 'FaultBegins', 'FaultEnds', 'Crash', 'Boot', 'PipeClosed', 'Injected', 'Reseed']);
const ROUTINE = new Set(['Timeout', 'Store', 'Stored', 'Command', 'PipeOpened', 'Discarded']);
const HEIGHT_MAX = 12e6;

class Diagram {
  constructor(run, onSelect) {
    Object.assign(this, { run, onSelect, zoom: 1, even: true, way: 'all', search: '', onlySlice: false, selected: null, cursor: null });
    const counts = run.nodes.map(() => 0);
    for (const e of run.list) if (e.node >= 0) counts[e.node] += 1;
    const busiest = counts.map((n, i) => [n, i]).sort((a, b) => b[0] - a[0]).slice(0, 12).map(([, i]) => i);
    this.shown = new Set(run.nodes.length > 24 ? busiest : run.nodes.map((_, i) => i));
    this.of = new Map();
    for (const arrow of run.arrows) for (const i of [arrow.from, arrow.to])
      if (i !== null) (this.of.get(i) || this.of.set(i, []).get(i)).push(arrow);
    $('scroll').addEventListener('scroll', () => this.draw());
    new ResizeObserver(() => this.layout()).observe($('scroll'));
    $('draw').addEventListener('click', (click) => {
      const hit = click.target.closest('[data-i]');
      if (hit) this.onSelect(Number(hit.dataset.i));
    });
  }

  isShown(e) {
    if (e.node >= 0 && !this.shown.has(e.node)) return false;
    if (e.peer >= 0 && !this.shown.has(e.peer)) return false;
    if (this.onlySlice && !this.run.slice.has(e.id) && !e.kind.startsWith('Fault') && e.kind !== 'Crash') return false;
    if (this.way !== 'all' && !LABELLED.has(e.kind)) {
      const arrows = this.of.get(e.i) || [];
      if (!arrows.some((arrow) => arrow.way === this.way)) return false;
    }
    return !this.search || LABELLED.has(e.kind) === false || (e.text || e.kind).toLowerCase().includes(this.search);
  }

  weight(e) {
    if (LABELLED.has(e.kind)) return LABEL_ROW;
    if (e.kind === 'PipeBytes' && !this.of.has(e.i)) return 0.4 * this.zoom;
    return (ROUTINE.has(e.kind) ? 1.5 : 4) * this.zoom;
  }

  /** Where each event lies; what is not shown lies where the one before it does. */
  layout() {
    const list = this.run.list, y = this.y = new Float64Array(list.length);
    let top = 14, before = null;
    const rate = (list.length ? list.at(-1).at - list[0].at : 1) / (Math.max(1200, list.length * 1.2) * this.zoom);
    this.visible = [];
    for (const e of list) {
      const isShown = this.isShown(e);
      if (isShown) this.visible.push(e.i);
      if (!this.even) y[e.i] = 14 + (e.at - list[0].at) / rate;
      else {
        if (isShown) {
          const gap = before === null ? 0 : e.at - before;
          top += (gap > 1e8 ? Math.min(34, 6 + 4 * Math.log2(gap / 1e8)) : 0) + this.weight(e);
          before = e.at;
        }
        y[e.i] = top;
      }
    }
    const width = $('scroll').clientWidth;
    this.right = Math.min(360, Math.max(120, width * 0.34));
    const lanes = [...this.shown].sort((a, b) => a - b);
    const step = Math.max(26, (width - GUTTER - this.right - 20) / Math.max(1, lanes.length));
    this.x = new Map(lanes.map((node, place) => [node, GUTTER + step * (place + 0.5)]));
    this.width = Math.max(width, GUTTER + step * lanes.length + this.right);
    this.height = Math.min(HEIGHT_MAX, (y.length ? y[y.length - 1] : 0) + 60);
    $('space').style.cssText = `height:${this.height}px;width:${this.width}px`;
    $('lanes').style.width = `${this.width}px`;
    $('lanes').innerHTML = lanes.map((node) => {
      const name = escape(this.run.nodes[node]);
      return `<span style="left:${this.x.get(node)}px;max-width:${step - 4}px" title="${name}">${name}</span>`;
    }).join('');
    this.draw();
  }

  seek(y) {
    const { y: ys } = this;
    let low = 0, high = ys.length;
    while (low < high) { const middle = (low + high) >> 1; if (ys[middle] < y) low = middle + 1; else high = middle; }
    return low;
  }

  lit(i) { return this.run.slice.has(this.run.list[i].id) ? ' lit' : ''; }

  draw() {
    const scroll = $('scroll'), view = scroll.clientHeight - 26, top = Math.max(0, scroll.scrollTop - 40), bottom = scroll.scrollTop + view + 40;
    const out = [], first = this.seek(top), last = this.seek(bottom);
    const at = (i) => this.y[i] - top;
    for (const [node, x] of this.x)
      out.push(`<line class="lane" data-lane="${node}" x1="${x}" x2="${x}" y1="0" y2="${bottom - top}"/>`);
    this.drawBands(out, at, top, bottom);
    this.drawArrows(out, at, first, last);
    const floor = this.drawEvents(out, at, first, last, bottom - top);
    if (this.run.violation !== null && this.y.length) {
      const y = at(this.run.violation) + 12, place = Math.max(y + 16, floor + LABEL_ROW);
      out.push(`<line class="violation" x1="${GUTTER - 6}" x2="${this.width - this.right}" y1="${y}" y2="${y}"/>`,
        `<text class="label bad" data-i="${this.run.violation}" x="${this.width - this.right}" y="${place}">${escape(this.fit(`✗ ${this.run.broken}`))}</text>`);
    }
    if (this.cursor !== null) {
      const y = at(this.cursor);
      out.push(`<line class="cursor" x1="${GUTTER - 6}" x2="${this.width}" y1="${y}" y2="${y}"/>`);
    }
    const svg = $('draw');
    svg.setAttribute('width', this.width);
    svg.setAttribute('height', bottom - top);
    svg.style.top = `${top}px`;
    svg.innerHTML = out.join('');
  }

  drawBands(out, at, top, bottom) {
    for (const band of this.run.bands) {
      if (this.y[band.to] < top || this.y[band.from] > bottom) continue;
      const nodes = band.nodes.length ? band.nodes : [...this.x.keys()];
      const height = Math.max(2, this.y[band.to] - this.y[band.from]);
      for (const node of nodes) if (this.x.has(node)) {
        const half = band.css === 'down' ? 4 : 11;
        out.push(`<rect class="${band.css}" x="${this.x.get(node) - half}" width="${half * 2}" y="${at(band.from)}" height="${height}"><title>${escape(band.what)}</title></rect>`);
      }
    }
  }

  drawArrows(out, at, first, last) {
    const { list, arrows } = this.run;
    let drawn = 0;
    for (const arrow of arrows) {
      if (arrow.from > last || drawn > ELEMENTS_MAX) break;
      const from = list[arrow.from], to = arrow.to === null ? null : list[arrow.to];
      if ((to ? arrow.to : arrow.from) < first) continue;
      const source = from.kind === 'Injected' ? from.peer : from.node, target = to ? to.node : from.kind === 'Injected' ? from.node : from.peer;
      if (!this.x.has(source) || !this.x.has(target) || !this.isShown(from) || (to && !this.isShown(to))) continue;
      drawn += 1;
      const x1 = this.x.get(source), y1 = at(arrow.from);
      let x2 = this.x.get(target), y2 = to ? at(arrow.to) : y1 + 8;
      if (!to) x2 = x1 + (x2 - x1) * 0.55;
      const lit = this.lit(arrow.from) && (!to || this.lit(arrow.to)) ? ' lit' : '';
      const tip = to ? `<path class="arrow ${arrow.way}${lit}" d="${head(x1, y1, x2, y2)}"/>` : `<text class="x" x="${x2 - 3.5}" y="${y2 + 4}">×</text>`;
      out.push(`<line class="arrow ${arrow.way}${arrow.lost ? ' lost' : ''}${lit}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>${tip}`,
        `<line class="hit" data-i="${arrow.from}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`);
    }
  }

  drawEvents(out, at, first, last, height) {
    const { list } = this.run;
    let lastTime = -Infinity, lastText = '', floor = -Infinity, hidden = 0, drawn = 0;
    for (const i of this.visible) {
      if (i < first) continue;
      if (i > last || drawn > ELEMENTS_MAX) break;
      drawn += 1;
      const e = list[i], y = at(i), isLabelled = LABELLED.has(e.kind);
      if (y - lastTime >= 24 && y > 8 && y < height && time(e.at) !== lastText) {
        lastText = time(e.at);
        out.push(`<text class="time" x="${GUTTER - 12}" y="${y + 4}">${lastText}</text>`);
        lastTime = y;
      }
      const x = this.x.get(e.node) ?? GUTTER - 4;
      const css = e.kind.startsWith('Fault') || e.kind === 'Crash' || e.kind === 'Injected' ? ' fault' : e.kind === 'SegmentLost' || e.kind === 'Discarded' ? ' bad' : isLabelled ? '' : ' tick';
      if (e.kind === 'SegmentLost') out.push(`<text class="x" x="${x - 3.5}" y="${y + 4}">×</text>`);
      else out.push(`<circle class="dot${css}${this.lit(i)}" cx="${x}" cy="${y}" r="${isLabelled ? 3.2 : 1.8}"/>`);
      out.push(`<circle class="hit" data-i="${i}" cx="${x}" cy="${y}" r="7"/>`);
      if (i === this.selected) out.push(`<circle class="ring" cx="${x}" cy="${y}" r="7"/>`);
      if (!isLabelled) continue;
      const place = Math.max(y, floor + LABEL_ROW - 2);
      if (place - y > LABEL_SLIP_MAX) { hidden += 1; continue; }
      floor = place;
      const lx = this.width - this.right;
      out.push(`<path class="leader" d="M${x + 4} ${y}L${lx - 4} ${place}"/>`,
        `<text class="label${css}${this.lit(i)}" data-i="${i}" x="${lx}" y="${place + 4}">${escape(this.fit(label(e, this.run.nodes)))}</text>`);
    }
    $('hidden').textContent = hidden ? `${hidden} labels do not fit here: zoom in` : '';
    return floor;
  }

  fit(text) { const room = Math.floor((this.right - 8) / 7.1); return text.length > room ? `${text.slice(0, room - 1)}…` : text; }

  show(i) {
    this.selected = i;
    const y = this.y[i], scroll = $('scroll');
    if (y < scroll.scrollTop + 20 || y > scroll.scrollTop + scroll.clientHeight - 60) scroll.scrollTop = Math.max(0, y - scroll.clientHeight / 2);
    this.draw();
  }
}

function head(x1, y1, x2, y2) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1, ux = (x2 - x1) / length, uy = (y2 - y1) / length;
  const point = (side) => `${x2 - 6 * ux - side * 3 * uy} ${y2 - 6 * uy + side * 3 * ux}`;
  return `M${point(1)}L${x2} ${y2}L${point(-1)}`;
}

function label(e, nodes) {
  const who = e.node >= 0 ? `${nodes[e.node]} ` : '';
  switch (e.kind) {
    case 'Event': return `${who}${words(e.text || '')}`;
    case 'FaultBegins': return `fault: ${e.text || ''}`;
    case 'FaultEnds': return `ends: ${e.text || ''}`;
    case 'Crash': return `${who}loses its memory`;
    case 'Boot': return `${who}boots${e.number ? `, start ${e.number + 1}` : ''}`;
    case 'PipeClosed': return `${who}pipe ${e.number} closed: ${e.text || ''}`;
    case 'Injected': return `attacker sends to ${who.trim()} as ${e.peer >= 0 ? nodes[e.peer] : 'somebody'}`;
    default: return `${who}${e.kind}`;
  }
}
