// The page without this is whole but for the table of files: theme, numbers beside marks, table.
'use strict';
(() => {
  const byId = (id) => document.getElementById(id);

  // ---- Theme: the system's, until the button is used ----
  const root = document.documentElement, themeButton = byId('theme');
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches);
  const nameTheme = () => { themeButton.textContent = isDark() ? 'Light theme' : 'Dark theme'; };
  const storage = (use) => { try { return use(localStorage); } catch { return null; } };  // a file may not have any
  const kept = storage((s) => s.getItem('pith-bench-theme'));
  if (kept === 'dark' || kept === 'light') root.dataset.theme = kept;
  themeButton.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    storage((s) => s.setItem('pith-bench-theme', root.dataset.theme));
    nameTheme();
  });
  dark.addEventListener('change', nameTheme);
  nameTheme();
  themeButton.hidden = false;

  // ---- Numbers beside the mark that the pointer or the focus is on; arrow keys go from mark to mark ----
  const tip = byId('tip');
  const markOf = (event) => (event.target instanceof Element ? event.target.closest('.mark') : null);
  let tipped = null;
  const hideTip = () => { tip.hidden = true; tipped = null; };
  const showTip = (mark) => {
    tipped = mark;
    tip.textContent = mark.getAttribute('aria-label');
    tip.hidden = false;
    const shape = (mark.querySelector('.bar, .point, .dot') || mark).getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const above = shape.top - size.height - 8;
    const left = Math.min(Math.max(8, shape.left + shape.width / 2 - size.width / 2), innerWidth - size.width - 8);
    tip.style.transform = `translate(${Math.max(8, left)}px, ${above >= 4 ? above : shape.bottom + 8}px)`;
  };
  for (const [enter, leave] of [['pointerover', 'pointerout'], ['focusin', 'focusout']]) {
    document.addEventListener(enter, (event) => { const mark = markOf(event); if (mark) showTip(mark); });
    document.addEventListener(leave, (event) => { if (markOf(event)) hideTip(); });
  }
  document.addEventListener('scroll', () => { if (tipped) showTip(tipped); }, {passive: true, capture: true});
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') hideTip();
    const mark = markOf(event);
    if (!mark) return;
    const marks = [...mark.closest('svg').querySelectorAll('.mark')], at = marks.indexOf(mark);
    const steps = {ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: marks.length - 1};
    const next = marks[steps[event.key]];
    if (!(event.key in steps)) return;
    event.preventDefault();
    if (!next) return;
    mark.setAttribute('tabindex', '-1');
    next.setAttribute('tabindex', '0');
    next.focus();
  });

  // ---- The table ----
  const kPageRows = 50;
  const data = JSON.parse(byId('data').textContent);
  const rows = [];
  for (const [path, type, bytes, slice, results] of data.files) {
    const file = {path: slice ? `${path} (first ${slice})` : path, type: data.types[type], bytes};
    if (typeof results === 'string') {
      rows.push({...file, codec: '', error: results});
      continue;
    }
    for (const [codec, size, compress, decompress, spread, spreadBack, memory, memoryBack] of results) {
      const row = {...file, codecIndex: String(codec), codec: data.codecs[codec][0], ours: data.codecs[codec][1] === 1};
      if (typeof size === 'string') row.error = size;
      else {
        Object.assign(row, {
          size, spread, spreadBack, share: bytes > 0 ? size / bytes : NaN, compress: compress > 0 ? bytes / compress : NaN,
          decompress: decompress > 0 ? bytes / decompress : NaN, memory: 1000 * Math.max(memory, memoryBack),
        });
      }
      rows.push(row);
    }
  }

  // Numbers as in the rest of the page: three digits, decimal units.
  const threeDigits = (value) => {
    if (value === 0) return '0';
    const decimals = 2 - Math.floor(Math.log10(value));
    return value.toFixed(Math.min(9, Math.max(0, value * 10 ** decimals >= 999.5 ? decimals - 1 : decimals)));
  };
  const bytesText = (value) => {
    if (value < 999.5) return `${value.toFixed(0)} ${Math.round(value) === 1 ? 'byte' : 'bytes'}`;
    const units = ['KB', 'MB', 'GB', 'TB', 'PB', 'EB'];
    let unit = 0;
    for (value /= 1000; value >= 999.5 && unit < units.length - 1; value /= 1000) ++unit;
    return `${threeDigits(value)} ${units[unit]}`;
  };
  const orNone = (value, text) => (Number.isFinite(value) ? text(value) : '\u2013');
  const whole = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

  const body = byId('rows'), heads = [...document.querySelectorAll('#table th')];
  const text = byId('filter-text'), type = byId('filter-type'), codec = byId('filter-codec'), failed = byId('filter-failed');
  const count = byId('count'), previous = byId('previous'), next = byId('next');
  const state = {key: '', sign: 1, page: 0};
  let shown = rows;

  const collator = new Intl.Collator('en', {numeric: true});
  const textRanks = {};  // comparing words is slow, so each word is ranked once
  const rankOf = (key) => (textRanks[key] ??= new Map(
      [...new Set(rows.map((row) => row[key]))].sort(collator.compare).map((word, rank) => [word, rank])));

  const element = (name, content, css) => {
    const made = document.createElement(name);
    if (css) made.className = css;
    if (content !== undefined) made.textContent = content;
    return made;
  };
  const speedCell = (speed, spread) => {
    const cell = element('td', orNone(speed, (value) => `${bytesText(value)}/s`), 'n');
    if (spread > 0) cell.append(element('span', `\u00b1${spread} %`, 'spread'));
    return cell;
  };
  const rowElement = (row) => {
    const line = element('tr', undefined, row.error === undefined ? '' : 'failed');
    const path = element('td');
    path.title = row.path;
    path.append(element('bdi', row.path));
    line.append(path, element('td', row.type), element('td', whole(row.bytes), 'n'), element('td', row.codec, row.ours ? 'ours' : ''));
    if (row.error !== undefined) {
      const message = element('td', `\u26a0 failed: ${row.error}`, 'message');
      message.colSpan = 5;
      line.append(message);
    } else {
      line.append(element('td', whole(row.size), 'n'), element('td', orNone(row.share, (value) => `${threeDigits(100 * value)} %`), 'n'),
          speedCell(row.compress, row.spread), speedCell(row.decompress, row.spreadBack),
          element('td', orNone(row.memory || NaN, bytesText), 'n'));
    }
    return line;
  };
  const draw = () => {
    const pages = Math.max(1, Math.ceil(shown.length / kPageRows));
    state.page = Math.min(state.page, pages - 1);
    const from = state.page * kPageRows, part = shown.slice(from, from + kPageRows);
    body.replaceChildren(...part.map(rowElement));
    const failures = shown.reduce((n, row) => n + (row.error === undefined ? 0 : 1), 0);
    count.textContent = shown.length === 0 ? 'No rows' :
        `Rows ${whole(from + 1)}\u2013${whole(from + part.length)} of ${whole(shown.length)}${failures ? `, ${whole(failures)} failed` : ''}`;
    previous.disabled = state.page === 0;
    next.disabled = state.page === pages - 1;
  };
  const update = () => {
    const part = text.value.trim().toLowerCase();
    shown = rows.filter((row) => (!type.value || row.type === type.value) && (!codec.value || row.codecIndex === codec.value) &&
        (!failed.checked || row.error !== undefined) &&
        (!part || `${row.path}\n${row.codec}\n${row.error || ''}`.toLowerCase().includes(part)));
    const {key, sign} = state;
    if (key) {
      const ranks = ['path', 'type', 'codec'].includes(key) ? rankOf(key) : null;
      const value = (row) => (ranks ? ranks.get(row[key]) : row[key]);
      // What has no number stays at the end, whichever way the others are sorted.
      const missing = (number) => (Number.isFinite(number) ? 0 : 1);
      shown.sort((a, b) => {
        const x = value(a), y = value(b);
        return missing(x) - missing(y) || (missing(x) ? 0 : sign * (x - y));
      });
    }
    state.page = 0;
    draw();
  };
  for (const head of heads) {
    head.querySelector('button').addEventListener('click', (event) => {
      const {key} = event.currentTarget.dataset;
      state.sign = state.key === key ? -state.sign : 1;
      state.key = key;
      for (const other of heads) other.setAttribute('aria-sort', 'none');
      head.setAttribute('aria-sort', state.sign > 0 ? 'ascending' : 'descending');
      update();
    });
  }
  for (const input of [text, type, codec, failed]) input.addEventListener('input', update);
  byId('filters').addEventListener('submit', (event) => event.preventDefault());
  const turn = (step) => {
    state.page += step;
    draw();
    byId('table').scrollIntoView({block: 'nearest'});
  };
  previous.addEventListener('click', () => turn(-1));
  next.addEventListener('click', () => turn(1));

  const types = new Set(rows.map((row) => row.type));
  type.append(...data.types.filter((name) => types.has(name)).map((name) => new Option(name, name)));
  codec.append(...data.codecs.map(([name], index) => new Option(name, String(index))));
  byId('browser').hidden = false;
  update();
})();
