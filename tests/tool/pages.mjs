// SPDX-License-Identifier: MIT
// pages.mjs — the pages of the command in headless Chromium: no message on the console, no request, hover, zoom and
// keys do what the page says, in light and dark, and printed without controls. See pages.sh.
//   node pages.mjs FOLDER CHROMIUM PLAYWRIGHT
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
const [folder, executablePath, modules] = process.argv.slice(2);
const { chromium } = createRequire(modules + '/')('playwright-core');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });

async function lookAtProfile(page, name) {
  const boxes = page.locator('#graph button'), all = await boxes.count();
  assert(all > 3);
  const before = await page.textContent('#detail');
  await boxes.nth(2).hover();
  assert.notEqual(await page.textContent('#detail'), before);
  await boxes.nth(2).click();
  assert((await page.locator('#graph button.above').count()) > 0, 'a click zooms');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#graph button.above').count(), 0);
  assert.equal(await boxes.count(), all);
  await page.keyboard.press('/');
  await page.keyboard.type('record');
  assert.match(await page.textContent('#found'), /% of all$/);
  await page.keyboard.press('Escape');
  for (const value of await page.$$eval('#type option', options => options.map(o => o.value))) await page.selectOption('#type', value);
  assert.equal(await page.isVisible('#timeline'), name === 'profile');
  if (name === 'profile') {
    const box = await page.locator('#chart').boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + 50);
    const moment = await page.textContent('#moment');
    assert.match(moment, /^After [0-9.]+ s: .* live, .* in pages, .* resident\.$/);
    await page.focus('#chart');
    await page.keyboard.press('ArrowRight');
    assert.notEqual(await page.textContent('#moment'), moment);
  }
}

async function lookAtMap(page) {
  const box = await page.locator('#map').boundingBox(), before = await page.textContent('#range');
  await page.mouse.move(box.x + 10, box.y + 10);
  assert.match(await page.textContent('#detail'), /^0x[0-9a-f]+\. /);
  await page.click('#in');
  await page.focus('#map');
  for (const key of ['+', 'ArrowRight', 'ArrowDown', '-', 'Home']) await page.keyboard.press(key);
  assert.equal(await page.textContent('#range'), before);
  for (const value of await page.$$eval('#mode option', options => options.map(o => o.value))) {
    await page.selectOption('#mode', value);
    assert((await page.textContent('#legend')).length > 10);
  }
}

for (const name of ['profile', 'diff', 'map', 'compare']) {
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: { width: 1200, height: 1000 }, colorScheme });
    const said = [], asked = [];
    page.on('console', message => said.push(message.text()));
    page.on('pageerror', error => said.push(String(error)));
    page.on('request', request => asked.push(request.url()));
    await page.goto('file://' + folder + '/' + name + '.html');
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    assert.equal(paper[0] < 128, colorScheme === 'dark');
    if (name === 'profile' || name === 'diff') await lookAtProfile(page, name);
    if (name === 'map') await lookAtMap(page);
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('.controls:visible').count(), 0, 'controls on paper');
    assert.deepEqual(said, [], name);
    assert.equal(asked.length, 1, 'a page asks for nothing but itself');
    await page.close();
    console.log(name, colorScheme);
  }
}
await browser.close();
