// What an analyst and an officer see, in a real browser, over the real demo: real
// processes, TLS, encrypted stores. Only the calls are the test's own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDemo } from './harness.mjs';

const TEST_MS_MAX = 120_000;
// Slow enough that the made-up evening stays out of the way.
const QUIET = ['--mdts', '1', '--speed', '0.1'];

/** Tells the center of a call with this MDT's unit on it; returns the call's id. */
async function report(ready, unit, number) {
  const answer = await fetch(`${ready.api}/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      agency: 'cedar-pd',
      number,
      nature: 'TRBL W/SUBJ',
      location: '100 N TEST ST,CDR',
      units: [unit],
    }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  return (await answer.json()).id;
}

/** An MDT page on its call, an analyst's page on the same; both marked, to tell a reload. */
async function both({ ready, page }, number) {
  const mdt = await page(ready.mdts[0]);
  await mdt.getByText('Online — as of').waitFor();
  const unit = await mdt.locator('#header .who b').innerText();
  const id = await report(ready, unit, number);
  const call = mdt.locator(`#to-${id}`);
  await call.waitFor();
  await call.click();
  await mdt.locator('#note-text').waitFor();
  const board = await page(ready.console);
  await board.locator(`#call-${id}`).waitFor();
  const analyst = await page(`${ready.console}/calls/${id}`);
  await mark(mdt);
  await mark(analyst);
  return { id, mdt, analyst, board };
}

const mark = (page) => page.evaluate(() => { window.notReloaded = true; });
const assertNotReloaded = async (page) => assert.ok(await page.evaluate(() => window.notReloaded === true));

const link = (mdt, up) =>
  mdt.evaluate(async (up) => {
    const answer = await fetch('/link', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ up }),
    });
    if (!answer.ok) throw new Error(`/link answered ${answer.status}`);
  }, up);

test("an analyst's note appears on the MDT page without a reload", { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async (demo) => {
    const { mdt, analyst } = await both(demo, 'T-1');
    await analyst.fill('#say-text', 'silver sedan, <b>partial tag</b> ABC');
    await analyst.click('#say-note');
    await mdt.locator('#notes').getByText('silver sedan, <b>partial tag</b> ABC').waitFor();
    await assertNotReloaded(mdt);
    const chip = analyst.locator('#notes article', { hasText: 'silver sedan' }).locator('.receipts');
    await chip.getByText('delivered').first().waitFor();
    await chip.getByText('shown').first().waitFor();
    await assertNotReloaded(analyst);
    assert.equal(await analyst.inputValue('#say-text'), '', 'a note that was taken leaves the box');
  }));

test('a note written with the link cut waits, crosses, and comes back as shown', { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async (demo) => {
    const { mdt, analyst } = await both(demo, 'T-2');
    // The analyst looks elsewhere, so that nothing is shown before it is asked for.
    await analyst.goto(demo.ready.console);
    await link(mdt, false);
    await mdt.getByText('Offline since').waitFor();
    await mdt.fill('#note-text', 'back door is open');
    await mdt.click('#add-note');
    const mine = mdt.locator('#notes article', { hasText: 'back door is open' });
    await mine.getByText('On this device', { exact: true }).waitFor();
    await mdt.getByText('1 entry is not at the center yet').waitFor();
    await link(mdt, true);
    await mine.getByText('at the center', { exact: true }).waitFor();
    assert.equal(await mine.getByText('shown to').count(), 0, 'nobody has opened it yet');
    const id = new URL(mdt.url()).pathname.split('/').pop();
    await analyst.goto(`${demo.ready.console}/calls/${id}`);
    await analyst.locator('#notes').getByText('back door is open').waitFor();
    await mine.getByText(/shown to .*Morgan Ellis/).waitFor();
    await assertNotReloaded(mdt);
  }));

test('a caution sounds for one tap, and the console shows who tapped', { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async (demo) => {
    const { id, mdt, analyst, board } = await both(demo, 'T-3');
    await analyst.fill('#say-text', 'man with a knife inside');
    await analyst.click('#say-caution');
    const caution = mdt.locator('#cautions article', { hasText: 'man with a knife inside' });
    await caution.waitFor();
    await board.locator(`#call-${id}`).getByText('not acknowledged').waitFor();
    await caution.getByRole('button', { name: 'Acknowledge' }).click();
    await caution.getByText('Acknowledged:').waitFor();
    const chips = analyst.locator('#cautions article', { hasText: 'man with a knife inside' }).locator('.receipts');
    await chips.getByText(/ack /).waitFor();
    await board.locator(`#call-${id}`).getByText('not acknowledged').waitFor({ state: 'detached' });
    await assertNotReloaded(analyst);
  }));

// 8 × 8 pixels, one colour.
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mNQaDiAFTEMLQkAOsZYAf+tz8gAAAAASUVORK5CYII=',
  'base64',
);

test('a picture from the MDT is sent when there is a link, and the analyst sees its thumbnail', { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async (demo) => {
    const { mdt, analyst } = await both(demo, 'T-6');
    await link(mdt, false);
    await mdt.getByText('Offline since').waitFor();
    await mdt.setInputFiles('#attach-file', { name: 'door.png', mimeType: 'image/png', buffer: PICTURE });
    const mine = mdt.locator('#notes article', { hasText: 'door.png' });
    await mine.getByText('on this device; 0 of 1 KB are at the center').waitFor();
    await mine.getByText('On this device', { exact: true }).waitFor();
    await link(mdt, true);
    await mine.getByText('on this device, at the center').waitFor();
    const theirs = analyst.locator('#notes article', { hasText: 'door.png' });
    for (const [page, shown] of [[analyst, theirs], [mdt, mine]]) {
      await shown.locator('figure img').waitFor();
      // A page behind another one draws nothing, so it is asked what it has loaded.
      const isLoaded = () => document.querySelector('#notes figure img')?.naturalWidth === 8;
      await page.waitForFunction(isLoaded, undefined, { polling: 100 });
    }
    await assertNotReloaded(mdt);
    await assertNotReloaded(analyst);
  }));

test("an analyst's picture comes to the MDT as a thumbnail, and whole when the officer asks", { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async (demo) => {
    const { mdt, analyst } = await both(demo, 'T-7');
    await analyst.setInputFiles('#attach-file', { name: 'plate.png', mimeType: 'image/png', buffer: PICTURE });
    await analyst.getByText('Attached. Devices of this call').waitFor();
    // The officer looks at this page: a page behind another may rest.
    await mdt.bringToFront();
    const theirs = mdt.locator('#notes article', { hasText: 'plate.png' });
    await theirs.locator('figure img').waitFor();
    await theirs.getByRole('button', { name: 'Fetch the whole' }).click();
    const whole = theirs.getByRole('link', { name: 'Open the whole' });
    await whole.waitFor();
    const bytes = await mdt.evaluate(async (place) => {
      const answer = await fetch(place);
      return [answer.headers.get('content-type'), (await answer.arrayBuffer()).byteLength];
    }, await whole.getAttribute('href'));
    assert.deepEqual(bytes, ['image/png', PICTURE.length]);
    await assertNotReloaded(mdt);
  }));

test('a packet opened with no signal reaches the console', { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async ({ ready, page }) => {
    const mdt = await page(ready.mdts[0]);
    await mdt.getByText('Online — as of').waitFor();
    await link(mdt, false);
    await mdt.getByText('Offline since').waitFor();
    await mdt.click('#open-form');
    await mdt.fill('#open-location', '5TH ST / OAK AV');
    await mdt.fill('#open-text', 'one headlight');
    await mdt.click('#open-send');
    await mdt.locator('#notes').getByText('one headlight').waitFor();
    await link(mdt, true);
    const board = await page(ready.console);
    await board.locator('#board').getByText('5TH ST / OAK AV').waitFor();
  }));

test('the page stays up and usable when the center is gone', { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async (demo) => {
    const { mdt, analyst } = await both(demo, 'T-5');
    await link(mdt, false);
    await mdt.reload();
    await mdt.locator('#note-text').waitFor();
    await mdt.fill('#note-text', 'still writing');
    await mdt.click('#add-note');
    await mdt.locator('#notes').getByText('still writing').waitFor();
    await analyst.getByText('Live').first().waitFor();
    await demo.demo.stop();
    await analyst.getByText(/Not updating/).waitFor();
    await mdt.getByText('The program on this laptop is not answering').waitFor();
  }));
