// Added to a page by its test: uses the page as a person would and writes down what it saw.
(async () => {
  const seen = {};
  const settle = () => new Promise((done) => setTimeout(done, 60));
  const all = (query) => [...document.querySelectorAll(query)];
  const overlaps = (query) => {
    const boxes = all(query).filter((text) => text.textContent).map((text) => [text.getBoundingClientRect(), text.textContent]);
    const hits = [];
    boxes.forEach(([a, first], i) => boxes.slice(i + 1).forEach(([b, second]) => {
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2) hits.push(`${first} | ${second}`);
    }));
    return hits;
  };
  try {
    await settle();
    seen.tooWide = document.documentElement.scrollWidth - window.innerWidth;
    seen.title = document.querySelector('h1').textContent;
    seen.verdict = document.querySelector('.verdict').textContent;
    seen.failures = all('.failure').length;
    seen.commands = all('pre').map((pre) => pre.textContent);
    seen.strips = all('.strip svg').length;
    seen.points = all('#points circle').length;
    seen.mapOverlaps = overlaps('#map text');
    if (document.getElementById('scroll')) {
      const scroll = document.getElementById('scroll'), click = async (id) => { document.getElementById(id).click(); await settle(); };
      seen.nodes = all('#lanes span').map((span) => span.textContent);
      seen.overlaps = [];
      seen.arrows = seen.lost = seen.labels = seen.bands = seen.down = 0;
      for (let top = 0; top < scroll.scrollHeight; top += scroll.clientHeight) {
        scroll.scrollTop = top;
        scroll.dispatchEvent(new Event('scroll'));
        await settle();
        seen.overlaps.push(...overlaps('#draw text.label, #draw text.time'), ...overlaps('#lanes span'));
        for (const [key, query] of [['arrows', 'line.arrow'], ['lost', 'line.lost'], ['labels', 'text.label'], ['bands', 'rect.band'], ['down', 'rect.down']]) seen[key] += all(`#draw ${query}`).length;
      }
      await click('verdict');
      seen.violation = all('#draw .violation').length;
      seen.broken = (document.querySelector('#draw text.label.bad') || {}).textContent;
      const arrow = document.querySelector('#draw line.hit');
      arrow.dispatchEvent(new MouseEvent('click', { bubbles: true }));
      await settle();
      seen.details = document.getElementById('details').textContent;
      const go = document.querySelector('#details [data-go]');
      seen.hasOtherEnd = Boolean(go);
      const before = scroll.scrollHeight;
      await click('closer');
      seen.grows = scroll.scrollHeight > before;
      await click('wider'); await click('even');
      seen.even = document.getElementById('even').textContent;
      await click('even'); await click('first');
      seen.firstStates = document.getElementById('states').textContent;
      await click('on');
      seen.now = document.getElementById('now').textContent;
      await click('end');
      seen.lastStates = document.getElementById('states').textContent;
      document.querySelector('[data-node]').click();
      await settle();
      seen.fewerNodes = all('#lanes span').length;
      seen.latencies = all('#latencies circle').length;
      seen.latencyOverlaps = overlaps('#latencies text');
      seen.forkPoints = all('#forkchart circle').length;
      seen.forkSaid = (document.getElementById('forksaid') || {}).textContent;
      seen.forkOverlaps = overlaps('#forkchart text');
      await click('end'); await click('cause');
      seen.lit = all('#draw .lit').length;
      seen.onlyCause = all('#draw text.label').length;
    }
  } catch (error) { seen.error = String(error.stack || error); }
  const told = document.createElement('pre');
  told.id = 'seen';
  told.textContent = JSON.stringify(seen);
  document.body.append(told);
})();
