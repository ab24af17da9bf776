// page_browser_test.mjs PAGES MODULES CHROMIUM: drives a browser over the pages that sample_page wrote into PAGES, with
// playwright-core from MODULES. Prints "passed: ...", "failed: ..." or "skipped: ..." for each check, as ./dev reads it;
// pictures of two of them in both themes and widths lie beside the pages afterwards, to be looked at.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const [pages, modules, chromium] = process.argv.slice(2).map((path) => resolve(path));
const playwright = createRequire(`${modules}/`)('playwright-core');
const kPages = ['sample', 'failing', 'hostile', 'one_file', 'nothing', 'many'];
const kPictures = ['sample', 'failing'];
const kWidths = [390, 1280];
const kMostBytes = 1_500_000;

let browser;
try {
  // Without a sandbox, as root cannot have one; the pages are ours.
  browser = await playwright.chromium.launch({executablePath: chromium, args: ['--no-sandbox']});
} catch (error) {
  console.log(`skipped: ${chromium} does not start: ${String(error.message).split('\n')[0]}`);
  process.exit(0);
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}
function expectEqual(found, expected, what) {
  expect(JSON.stringify(found) === JSON.stringify(expected), `${what}: found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
}

// Opens a page, gives it to `check`, and holds against it what it said or asked for.
async function withPage(name, options, check) {
  const {width = 1280, scheme = 'light', ...others} = options;
  const context = await browser.newContext({viewport: {width, height: 900}, colorScheme: scheme, ...others});
  const page = await context.newPage();
  const complaints = [];
  const address = pathToFileURL(`${pages}/${name}.html`).href;
  page.on('console', (message) => complaints.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (url.split('#')[0] !== address && !url.startsWith('data:')) complaints.push(`request: ${url}`);
  });
  try {
    await page.goto(address);
    await check(page);
    expectEqual(complaints, [], 'complaints');
  } finally {
    await context.close();
  }
}

async function test(name, run) {
  try {
    await run();
    console.log(`passed: ${name}`);
  } catch (error) {
    console.log(`failed: ${name}: ${String(error.message).split('\n').slice(0, 3).join(' ')}`);
  }
}

// ---- What is looked at inside the browser ----

// Contrasts below what WCAG 2.2 asks of text (AA), of every text that can be seen, SVG included.
function lowContrasts() {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  let n = 0;
  const judge = (element, colour, text) => {
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const value = ratio(rgba(colour), ground(element));
    ++n;
    if (value < least) found.push(`${value.toFixed(2)} < ${least}: ${text.trim().slice(0, 40)}`);
  };
  for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode();) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('script, noscript, :disabled')) continue;
    const style = getComputedStyle(element);
    judge(element, element.closest('svg') ? style.fill : style.color, walker.currentNode.data);
  }
  for (const input of document.querySelectorAll('input[placeholder]')) {
    if (input.checkVisibility()) judge(input, getComputedStyle(input, '::placeholder').color, input.placeholder);
  }
  // What carries numbers must stand out from its ground: 3 to 1.
  for (const shape of document.querySelectorAll('.bar:not(.hatched), .point, .dot, .line')) {
    if (!shape.checkVisibility()) continue;
    const style = getComputedStyle(shape);
    const value = ratio(rgba(shape.matches('.bar') ? style.fill : style.stroke), ground(shape));
    ++n;
    if (value < 3) found.push(`${value.toFixed(2)} < 3: ${shape.getAttribute('class')}`);
  }
  return {found: [...new Set(found)], n};
}

// What stands out over the right edge, other than inside of what scrolls by itself.
function overflows() {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const element of document.body.querySelectorAll('*')) {
    if (!element.checkVisibility() || element.closest('.scroll > *, .quiet, .skip, .defs, #tip')) continue;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && box.right > innerWidth + 0.5) found.push(`${element.tagName} ${element.className} ${box.right}`);
  }
  return found;
}

// Charts: marks without a shape, texts outside of their chart or over other ones.
function chartFaults() {
  const found = [];
  let n = 0;
  for (const svg of document.querySelectorAll('svg[role="group"]')) {
    if (!svg.checkVisibility()) continue;
    ++n;
    const name = svg.getAttribute('aria-label'), chart = svg.getBoundingClientRect();
    const marks = [...svg.querySelectorAll('.mark')];
    if (marks.length === 0) found.push(`${name}: no marks`);
    for (const mark of marks) {
      const box = mark.querySelector('.bar, .point, .dot').getBoundingClientRect();
      if (!(box.width > 0 && box.height > 0)) found.push(`${name}: empty mark ${mark.getAttribute('aria-label')}`);
      if (box.right > chart.right + 1 || box.left < chart.left - 1 || box.bottom > chart.bottom + 1 || box.top < chart.top - 1) {
        found.push(`${name}: mark outside ${mark.getAttribute('aria-label')}`);
      }
      if (!mark.getAttribute('aria-label')) found.push(`${name}: a mark without a name`);
    }
    if (svg.querySelectorAll('.mark[tabindex="0"]').length !== 1) found.push(`${name}: not one mark in the tab order`);
    const texts = [...svg.querySelectorAll('text')].map((text) => ({text: text.textContent, box: text.getBoundingClientRect()}));
    texts.forEach(({text, box}, i) => {
      if (box.left < chart.left - 1 || box.right > chart.right + 1 || box.top < chart.top - 1 || box.bottom > chart.bottom + 1) {
        found.push(`${name}: text outside: ${text}`);
      }
      for (const other of texts.slice(0, i)) {
        const width = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const height = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (width > 2 && height > 3) found.push(`${name}: ${text} over ${other.text}`);
      }
    });
  }
  return {found, n};
}

function structureFaults() {
  const found = [];
  const count = (selector, expected) => {
    const n = document.querySelectorAll(selector).length;
    if (n !== expected) found.push(`${n} of ${selector}`);
  };
  count('h1', 1);
  count('body > header', 1);
  count('body > main', 1);
  count('body > footer', 1);
  count('nav[aria-label]', 1);
  count('table:not(:has(caption))', 0);
  count('th:not([scope])', 0);
  count('svg:not([aria-label]):not([aria-hidden])', 0);
  let level = 1;
  for (const heading of document.querySelectorAll('h1, h2, h3')) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) found.push(`h${own} after h${level}: ${heading.textContent}`);
    level = own;
  }
  for (const input of document.querySelectorAll('input, select')) {
    if (input.labels.length !== 1) found.push(`${input.id} without a label`);
  }
  for (const link of document.querySelectorAll('a')) {
    if (!document.querySelector(link.getAttribute('href'))) found.push(`${link.getAttribute('href')} leads nowhere`);
  }
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  if (new Set(ids).size !== ids.length) found.push('an id twice');
  return found;
}

// ---- Every page, in both themes and widths ----

for (const name of kPages) {
  for (const width of kWidths) {
    // Without transitions: colours are looked at right after the theme has changed.
    await test(`${name}, ${width} px, both themes`, () => withPage(name, {width, reducedMotion: 'reduce'}, async (page) => {
      expectEqual(await page.evaluate(overflows), [], 'what is too wide');
      const charts = await page.evaluate(chartFaults);
      expectEqual(charts.found, [], 'charts');
      expect(name === 'nothing' ? charts.n === 0 : charts.n >= 4, `${charts.n} charts`);
      expectEqual(await page.evaluate(structureFaults), [], 'structure');
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({colorScheme});
        const contrasts = await page.evaluate(lowContrasts);
        expectEqual(contrasts.found, [], `contrasts, ${colorScheme}`);
        expect(contrasts.n > 20, `only ${contrasts.n} texts were judged`);
        if (kPictures.includes(name)) await page.screenshot({path: `${pages}/${name}_${width}_${colorScheme}.png`, fullPage: true});
      }
      expectEqual(await page.evaluate(() => window.hostile), undefined, 'a script in a name ran');
    }));
  }
}

// ---- The table ----

const column = (page, number) => page.$$eval(`#rows tr:not(.failed) td:nth-child(${number})`, (cells) => cells.map((cell) => cell.textContent));
const numbers = async (page, number) => (await column(page, number)).map((text) => Number.parseFloat(text.replaceAll(',', '')));
const isSorted = (values, sign) => values.every((value, i) => i === 0 || sign * (value - values[i - 1]) >= 0);
const count = (page) => page.textContent('#count');

await test('the table sorts by a click, and the other way by another', () => withPage('failing', {}, async (page) => {
  const head = page.locator('#table th', {hasText: 'Archive'});
  expectEqual(await head.getAttribute('aria-sort'), 'none', 'aria-sort before');
  for (const [direction, sign] of [['ascending', 1], ['descending', -1]]) {
    await head.locator('button').click();
    expectEqual(await head.getAttribute('aria-sort'), direction, 'aria-sort');
    const values = await numbers(page, 5);
    expect(values.length > 40 && isSorted(values, sign), `${direction}: ${values}`);
    expect(new Set(values).size > 10, 'all the same');
  }
  await page.locator('#table th button', {hasText: 'Memory'}).click();
  expectEqual(await head.getAttribute('aria-sort'), 'none', 'aria-sort of another column');
  // What failed has no number and stays at the end both ways.
  for (let clicks = 0; clicks < 2; ++clicks) {
    await page.locator('#table th button', {hasText: 'Memory'}).click();
    expectEqual(await page.locator('#rows tr.failed').count(), 0, 'failures on the first page');
  }
}));

await test('the table sorts from the keyboard, words too', () => withPage('sample', {}, async (page) => {
  await page.focus('#table th button[data-key="codec"]');
  await page.keyboard.press('Enter');
  const words = await column(page, 4);
  const sorted = [...words].sort();
  expect(words.length === 50 && words[0] === 'brotli -11' && words[49] === 'bzip2 -9', `first page: ${words[0]} to ${words[49]}`);
  expectEqual(words, sorted, 'order');
  await page.keyboard.press('Space');
  expectEqual((await column(page, 4))[0], 'zstd -19', 'the other way');
  await page.keyboard.press('Tab');
  expectEqual(await page.evaluate(() => document.activeElement.dataset.key), 'size', 'focus');
  expect(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle) !== 'none', 'focus cannot be seen');
}));

await test('the table filters by type, codec, text and failure', () => withPage('failing', {}, async (page) => {
  expectEqual(await count(page), 'Rows 1\u201350 of 433, 51 failed', 'all');
  await page.selectOption('#filter-type', 'JSON');
  expectEqual([...new Set(await column(page, 2))], ['JSON'], 'types');
  await page.selectOption('#filter-codec', {label: 'xz -9e'});
  expectEqual([...new Set(await column(page, 4))], ['xz -9e'], 'codecs');
  expectEqual(await count(page), 'Rows 1\u20136 of 6', 'JSON by xz');
  await page.fill('#filter-text', 'BIG_2');
  expectEqual(await count(page), 'Rows 1\u20134 of 4', 'and the text');
  await page.fill('#filter-text', 'nothing has this name');
  expectEqual(await count(page), 'No rows', 'no rows');
  await page.fill('#filter-text', '');
  await page.selectOption('#filter-type', '');
  await page.check('#filter-failed');
  expectEqual(await count(page), 'Rows 1\u20131 of 1, 1 failed', 'failures of xz');
  expectEqual(await page.textContent('#rows .failed .message'), '\u26a0 failed: decompress: byte 17 differs', 'message');
  const ground = (selector) => page.$eval(selector, (element) => getComputedStyle(element).backgroundColor);
  expect(await ground('#rows .failed td') !== await ground('.scroll'), 'a failure looks like the others');
}));

await test('the table turns its pages', () => withPage('many', {}, async (page) => {
  expectEqual(await count(page), 'Rows 1\u201350 of 12,000, 13 failed', 'first page');
  expect(await page.isDisabled('#previous'), 'there is something before the first page');
  await page.click('#next');
  expectEqual(await count(page), 'Rows 51\u2013100 of 12,000, 13 failed', 'second page');
  await page.click('#previous');
  expectEqual(await count(page), 'Rows 1\u201350 of 12,000, 13 failed', 'back');
  await page.fill('#filter-text', 'file_number_999.');
  expectEqual(await count(page), 'Rows 1\u201312 of 12', 'one file');
  expect(await page.isDisabled('#next'), 'there is something after the last page');
}));

await test('the numbers of the table are those of the page', () => withPage('one_file', {}, async (page) => {
  const shown = await page.$$eval('#codecs tbody td', (cells) => cells.map((cell) => cell.textContent));
  const row = await page.$$eval('#rows td', (cells) => cells.map((cell) => cell.firstChild.textContent));
  expectEqual(row.slice(5, 8), [shown[0], shown[3], shown[4]], 'share and speeds');
}));

// ---- Marks, theme, print, no script ----

await test('marks show their numbers on hover and to the keyboard', () => withPage('sample', {}, async (page) => {
  const tip = page.locator('#tip'), marks = page.locator('#types svg >> nth=0 >> .mark');
  expect(!await tip.isVisible(), 'a tip at the start');
  await marks.nth(0).hover();
  expect(await tip.isVisible(), 'no tip on hover');
  expectEqual(await tip.textContent(), await marks.nth(0).getAttribute('aria-label'), 'tip');
  expect(/^pith -6, all files\n16\.\d % of the original by sums\n/.test(await tip.textContent()), await tip.textContent());
  await page.mouse.move(0, 0);
  expect(!await tip.isVisible(), 'the tip stays');
  await marks.nth(0).focus();
  expect(await tip.isVisible(), 'no tip on focus');
  await page.keyboard.press('ArrowDown');
  expectEqual(await tip.textContent(), await marks.nth(1).getAttribute('aria-label'), 'tip after an arrow');
  await page.keyboard.press('End');
  expectEqual(await tip.textContent(), await marks.last().getAttribute('aria-label'), 'tip after End');
  const box = await tip.boundingBox();
  expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= 1280 && box.y + box.height <= 900, 'the tip is out of sight');
  expectEqual(await page.locator('#types svg >> nth=0 >> .mark[tabindex="0"]').count(), 1, 'marks in the tab order');
  await page.keyboard.press('Escape');
  expect(!await tip.isVisible(), 'Escape leaves the tip');
  // The next chart is one step of the tab key away.
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement.closest('figure') === document.querySelectorAll('#types figure')[1]), 'Tab');
}));

await test('the theme follows the system until the button is used, and then the button', () => withPage('sample', {scheme: 'dark'}, async (page) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.emulateMedia({colorScheme: 'light'});
  const light = await ground();
  expect(dark !== light, 'the system does not matter');
  expectEqual(await page.textContent('#theme'), 'Dark theme', 'button');
  await page.click('#theme');
  expectEqual(await ground(), dark, 'after the button');
  expectEqual(await page.textContent('#theme'), 'Light theme', 'button afterwards');
  await page.emulateMedia({colorScheme: 'dark'});
  await page.click('#theme');
  expectEqual(await ground(), light, 'light on a dark system');
  await page.reload();
  expectEqual(await ground(), light, 'after loading again');
}));

await test('the skip link leads to the summary', () => withPage('sample', {}, async (page) => {
  await page.keyboard.press('Tab');
  expectEqual(await page.evaluate(() => document.activeElement.className), 'skip', 'first in the tab order');
  await page.keyboard.press('Enter');
  expect((await page.evaluate(() => location.hash)) === '#summary', 'hash');
}));

await test('the page prints: charts, light, no controls', () => withPage('failing', {scheme: 'dark'}, async (page) => {
  await page.emulateMedia({media: 'print'});
  for (const selector of ['nav', '#theme', '#filters', '#next']) expect(!await page.isVisible(selector), `${selector} is printed`);
  expectEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(255, 255, 255)', 'paper');
  const charts = await page.evaluate(chartFaults);
  expectEqual(charts.found, [], 'charts');
  const pdf = await page.pdf({format: 'A4'});
  expect(pdf.subarray(0, 5).toString() === '%PDF-', 'no PDF');
}));

await test('without JavaScript everything is there but the table, which says so', () => withPage('failing', {javaScriptEnabled: false}, async (page) => {
  expect(await page.isVisible('noscript p'), 'nothing says what is missing');
  expect(!await page.isVisible('#browser') && !await page.isVisible('#theme'), 'controls that do nothing');
  expect(await page.isVisible('#types svg .bar >> nth=0') && await page.isVisible('.failures'), 'charts or failures are missing');
}));

await test('nothing moves for those who asked for less motion', () => withPage('sample', {reducedMotion: 'reduce'}, async (page) => {
  expectEqual(await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior), 'auto', 'scrolling');
  const moving = () => [...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s').length;
  expectEqual(await page.evaluate(moving), 0, 'transitions');
}));

await test('1,000 files by 12 codecs open', () => withPage('many', {}, async (page) => {
  const bytes = readFileSync(`${pages}/many.html`).length;
  await page.reload();
  const ms = await page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd);
  console.log(`  ${bytes} bytes, loaded and drawn in ${Math.round(ms)} ms`);
  expect(bytes < kMostBytes, `${bytes} bytes`);
  expectEqual(await page.locator('#rows tr').count(), 50, 'rows');
}));

await browser.close();
