// How people sign in, lock, unlock and are let in: a new center as `forerunner init` makes
// it, a real browser, and Chromium's virtual authenticator.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startCenter, withAuthenticator, withBrowser } from './harness.mjs';

const TEST_MS_MAX = 120_000;

async function withCenter(body) {
  const center = await startCenter();
  try {
    await withBrowser((page) => body(center, page), center.output);
  } finally {
    await center.stop();
  }
}

/** Opens a link to enrol, adds a passkey and acknowledges the notice. */
async function enrol(page, link, label) {
  const opened = await page(new URL(link).origin + '/sign-in');
  const violations = [];
  opened.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) violations.push(message.text());
  });
  const key = await withAuthenticator(opened);
  await opened.goto(link);
  assert.equal(new URL(opened.url()).hash, '', 'the secret does not stay in the address');
  await opened.fill('#passkey-label', label);
  await opened.click('#add-passkey');
  await opened.getByText('subject to audit').waitFor();
  await opened.click('#acknowledge');
  await opened.locator('#board').waitFor();
  return { page: opened, key, violations };
}

async function report(center, number) {
  const answer = await fetch(`${center.ready.api}/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${center.ready.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ agency: 'city-pd', number, nature: 'TRBL W/SUBJ', location: '100 N TEST ST,CDR' }),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  return (await answer.json()).id;
}

const mark = (page) => page.evaluate(() => { window.notReloaded = true; });
const assertNotReloaded = async (page) => assert.ok(await page.evaluate(() => window.notReloaded === true));

test('a supervisor adds a passkey by the link of init, and signs in with it again', { timeout: TEST_MS_MAX }, () =>
  withCenter(async (center, page) => {
    const { page: sam, key, violations } = await enrol(page, center.link, 'Desk key');
    await sam.locator('#who-name', { hasText: 'Sam Lee' }).waitFor();
    const [made] = await key.passkeys();
    assert.equal(made.rpId, 'localhost');
    assert.ok(made.isResidentCredential);
    const [cookie] = await sam.context().cookies();
    assert.deepEqual(
      [cookie.name, cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path],
      ['__Host-forerunner', true, true, 'Lax', '/'],
    );
    await sam.click('#who-name');
    await sam.getByRole('button', { name: 'Sign out' }).click();
    await sam.goto(`${center.url}/premises`);
    await sam.waitForURL('**/sign-in?to=/premises');
    // A finger that does not fit opens nothing.
    await key.verifies(false);
    await sam.click('#with-passkey');
    await sam.locator('#door-answer .bad').waitFor();
    await key.verifies(true);
    await sam.click('#with-passkey');
    await sam.click('#acknowledge');
    await sam.waitForURL('**/premises');
    const [fresh] = await sam.context().cookies();
    assert.notEqual(fresh.value, cookie.value);
    // The link was good once.
    const other = await page(center.link);
    await withAuthenticator(other);
    await other.click('#add-passkey');
    await other.getByText('This link was used already').waitFor();
    assert.deepEqual(violations, []);
  }));

test('a locked page hides what it shows and keeps what was typed, and goes on with the passkey', { timeout: TEST_MS_MAX }, () =>
  withCenter(async (center, page) => {
    const { page: sam, violations } = await enrol(page, center.link, 'Desk key');
    const id = await report(center, 'L-1');
    await sam.goto(`${center.url}/calls/${id}`);
    await sam.getByText('Live', { exact: true }).waitFor();
    await mark(sam);
    await sam.fill('#say-text', 'half a sentence');
    await sam.click('#who-name');
    await sam.getByRole('button', { name: 'Lock' }).click();
    await sam.getByText('What you typed is still here.').waitFor();
    assert.equal(await sam.locator('#say-text').isVisible(), false);
    assert.equal(await sam.getByText('100 N TEST ST').first().isVisible(), false);
    assert.equal(await sam.title(), 'Locked');
    // Nothing comes to it while it is locked.
    await report(center, 'L-2');
    const behind = await sam.evaluate(() => fetch('/hot-list').then((answer) => answer.status));
    assert.equal(behind, 401);
    await sam.getByRole('button', { name: 'Unlock with your passkey' }).click();
    await sam.locator('#cover').waitFor({ state: 'hidden' });
    assert.equal(await sam.inputValue('#say-text'), 'half a sentence');
    await assertNotReloaded(sam);
    await sam.getByText('Live', { exact: true }).waitFor();
    await sam.click('#say-note');
    await sam.locator('#notes').getByText('half a sentence').waitFor();
    await sam.locator('#notes').getByText('Sam Lee').first().waitFor();
    await assertNotReloaded(sam);
    assert.deepEqual(violations, []);
  }));

test('a supervisor lets an analyst in and out, and the page is covered at once', { timeout: TEST_MS_MAX }, () =>
  withCenter(async (center, page) => {
    const { page: sam } = await enrol(page, center.link, 'Desk key');
    await sam.click('#who-name');
    await sam.click('#to-people');
    await sam.getByLabel('Name, as entries show it').fill('Ana Ruiz');
    await sam.getByLabel('Certifications, one a line').fill('CJIS 2099-03-31');
    await sam.getByRole('button', { name: 'Add, and make a link' }).click();
    const link = await sam.locator('#made code').innerText();
    const { page: ana } = await enrol(page, link, 'Phone');
    await ana.locator('#who-name', { hasText: 'Ana Ruiz' }).click();
    await ana.locator('#who-role', { hasText: 'analyst' }).waitFor();
    assert.equal(await ana.locator('#to-people').isVisible(), false);
    await mark(ana);
    await sam.goto(`${center.url}/people`);
    await sam.getByLabel('Why Ana Ruiz is disabled').fill('Left the agency');
    await sam.locator('tr', { hasText: 'Ana Ruiz' }).getByRole('button', { name: 'Disable' }).click();
    await sam.getByText('by Sam Lee: Left the agency').waitFor();
    await ana.getByText('Your session is over').waitFor();
    assert.equal(await ana.locator('#board').isVisible(), false);
    await assertNotReloaded(ana);
    await ana.getByRole('button', { name: 'Sign in with your passkey' }).click();
    await ana.locator('#cover-answer .bad').waitFor();
  }));

test('a supervisor holds a document, and nobody purges it meanwhile', { timeout: TEST_MS_MAX }, () =>
  withCenter(async (center, page) => {
    const { page: sam, violations } = await enrol(page, center.link, 'Desk key');
    const id = await report(center, 'R-1');
    await sam.click('#who-name');
    await sam.click('#to-retention');
    await sam.getByRole('heading', { name: 'Retention' }).waitFor();
    const say = async (why, button) => {
      const form = sam.locator('form', { has: sam.getByLabel('Document') });
      await form.getByLabel('Document').fill(`${id}/call`);
      await form.getByLabel('Reason').fill(why);
      await form.getByRole('button', { name: button }).click();
    };
    await say('case 26-CF-9', 'Hold');
    await sam.getByText('case 26-CF-9').waitFor();
    await say('too early', 'Purge');
    await sam.getByRole('alert').getByText('It is on hold').waitFor();
    const held = sam.locator('tr', { hasText: 'case 26-CF-9' });
    await held.getByLabel('Reason').fill('dismissed');
    await held.getByRole('button', { name: 'End the hold' }).click();
    await sam.getByText('Nothing is on hold.').waitFor();
    await say('too early', 'Purge');
    await sam.getByRole('alert').getByText('still open').waitFor();
    assert.deepEqual(violations, []);
  }));

test("the demo's link is good once, and another browser's cookie with it is not", { timeout: TEST_MS_MAX }, async () => {
  const { withDemo } = await import('./harness.mjs');
  await withDemo({ args: ['--mdts', '0', '--speed', '0.1'] }, async ({ ready, page }) => {
    const board = await page(ready.console);
    await board.locator('#who-name', { hasText: 'Morgan Ellis' }).waitFor();
    await withBrowser(async (fresh) => {
      const again = await fresh(ready.sign_in);
      await again.getByText('This link was used already').waitFor();
      await again.goto(ready.console);
      await again.waitForURL('**/sign-in?to=/');
      // Copied into another browser, it is worth nothing, there and here.
      const [cookie] = await board.context().cookies();
      const headers = { cookie: `${cookie.name}=${cookie.value}`, 'user-agent': 'Mozilla/5.0 (Windows NT 10.0) Firefox/140.0' };
      const stolen = await fetch(ready.api, { headers, redirect: 'manual' });
      assert.equal(stolen.status, 401);
      await board.getByText('Your session is over').waitFor({ timeout: 30_000 });
      const token = await readFile(join(ready.data, 'center/keys/api-token'), 'utf8');
      assert.equal(token.trim(), ready.token);
    });
  });
});
