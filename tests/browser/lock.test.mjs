// The laptop's lock, in a real browser over the real demo.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDemo } from './harness.mjs';

const TEST_MS_MAX = 120_000;
const QUIET = ['--mdts', '1', '--speed', '0.1'];

/** A call with this MDT's unit on it, open on its page, with a caution in it. */
async function onACall({ ready, page }) {
  const mdt = await page(ready.mdts[0]);
  await mdt.getByText('Online — as of').waitFor();
  const unit = await mdt.locator('#header .who b').innerText();
  const answer = await fetch(`${ready.api}/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ agency: 'cedar-pd', number: 'L-1', nature: 'QZNATUREQZ', location: '100 N TEST ST,CDR', units: [unit] }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  const { id } = await answer.json();
  await mdt.locator(`#to-${id}`).click();
  await mdt.locator('#note-text').waitFor();
  await mdt.locator('#summary h1', { hasText: 'QZNATUREQZ' }).waitFor();
  return mdt;
}

const digits = async (mdt, pin) => {
  for (const digit of pin) await mdt.locator(`.key[data-digit="${digit}"]`).click();
  await mdt.click('#pad-enter');
};
const pinOf = (mdt) => mdt.locator('#lock .demo b').innerText();
/** Open is the one state in which there is nothing to see of it. */
const locked = (mdt, as) =>
  mdt.locator(`#lock[data-locked="${as}"]`).waitFor({ state: as === 'open' ? 'attached' : 'visible' });
/** All that the page holds, shown or not. */
const held = (mdt) => mdt.evaluate(() => document.title + document.documentElement.outerHTML);

test('a locked page holds nothing of a packet, keeps what was being written, and the PIN opens it', { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async (demo) => {
    const mdt = await onACall(demo);
    await mdt.fill('#note-text', 'half a sentence');
    await mdt.click('#lock-now');
    await locked(mdt, 'pin');
    await mdt.locator('#summary', { hasText: 'not shown here any more' }).waitFor({ state: 'attached' });
    assert.ok(!(await held(mdt)).includes('QZNATUREQZ'));
    // Nothing under the lock can be reached, by mouse or by keys.
    assert.equal(await mdt.evaluate(() => document.querySelector('.desk').inert), true);
    await digits(mdt, '111222');
    await mdt.getByText('4 more tries before a supervisor is needed').first().waitFor();
    await digits(mdt, await pinOf(mdt));
    await locked(mdt, 'open');
    await mdt.locator('#summary h1', { hasText: 'QZNATUREQZ' }).waitFor();
    assert.equal(await mdt.inputValue('#note-text'), 'half a sentence');
    // A page that is opened while locked shows nothing either.
    await mdt.fill('#note-text', '');
    await mdt.click('#lock-now');
    await locked(mdt, 'pin');
    await mdt.reload();
    await locked(mdt, 'pin');
    assert.ok(!(await held(mdt)).includes('QZNATUREQZ'));
    await digits(mdt, await pinOf(mdt));
    await mdt.locator('#summary h1', { hasText: 'QZNATUREQZ' }).waitFor();
  }));

test('the end of a shift leaves nothing on the page, and the next shift begins from it', { timeout: TEST_MS_MAX }, () =>
  withDemo({ args: QUIET }, async (demo) => {
    const mdt = await onACall(demo);
    await mdt.click('#end-form');
    await mdt.click('#end-send');
    await locked(mdt, 'ended');
    // The page's regions follow one by one.
    await mdt.waitForFunction(() => !(document.title + document.documentElement.outerHTML).includes('QZNATUREQZ'));
    await mdt.getByText('Begin a new shift').click();
    await locked(mdt, 'open');
    await mdt.getByText('Online — as of').waitFor();
  }));
