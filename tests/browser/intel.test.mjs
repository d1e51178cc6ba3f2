// Criminal intelligence on a laptop: shown while there is a link, and nowhere else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve, startCenter, startLaptop, withBrowser } from './harness.mjs';

const TEST_MS_MAX = 120_000;
const SECRET = 'QZGANGQZ';
const OFFICER = '{ badge = "101", name = "Diaz", certifications = { CJIS = "2099-01-01", intel = "2099-01-01" } }';

const switchLink = (mdt, up) =>
  mdt.evaluate((up) => fetch('/link', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ up }),
  }), up);
/** All that the page holds, shown or not. */
const held = (mdt) => mdt.evaluate(() => document.documentElement.outerHTML);

test('intelligence is shown to an officer who asks, and leaves the page with the link', { timeout: TEST_MS_MAX }, async () => {
  const file = await serve((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify([{ title: 'Gang file', member: SECRET }]));
  });
  const center = await startCenter(`
[[sources]]
name = "Gang file"
agency = "city-pd"
asks = "plate"
gives = "rows"
compartment = "intel"
http = { url = "${file.url}?plate={plate}" }
`, { units: ['1A1'], officers: OFFICER });
  const post = async (path, body) => {
    const answer = await fetch(`${center.ready.api}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${center.ready.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 201, await answer.clone().text());
    return answer.json();
  };
  let laptop = null;
  try {
    const { ticket } = await post('/v1/enrolment-codes', { agency: 'city-pd', label: 'Laptop 7' });
    laptop = await startLaptop(ticket, ['--officer', '101', '--unit', '1A1', '--allow-link-switch']);
    await withBrowser(async (page) => {
      const mdt = await page(laptop.url);
      await mdt.getByText('Online — as of').waitFor();
      const { id } = await post('/v1/calls', {
        agency: 'city-pd', number: 'I-1', nature: 'TRAFFIC STOP', location: '1 MAIN ST',
        plates: ['ABC123 WI'], units: ['1A1'],
      });
      await mdt.locator(`#to-${id}`).click();
      await mdt.locator('#sources', { hasText: 'Gang file' }).waitFor();
      const intel = mdt.locator('#intel');
      // The source may still be thinking: the officer asks again.
      for (let tries = 0; tries < 50 && !(await intel.innerText()).includes(SECRET); tries += 1) {
        await intel.getByRole('button', { name: 'Ask the center' }).click();
        await intel.getByText('As the center had it at').waitFor();
      }
      await intel.getByText(SECRET).waitFor();
      assert.ok(!(await mdt.locator('#findings').innerText()).includes(SECRET));
      if (process.env.FORERUNNER_LOOK) await mdt.screenshot({ path: process.env.FORERUNNER_LOOK, fullPage: true });

      await switchLink(mdt, false);
      await intel.getByText('Without a link to the center it cannot be shown').waitFor();
      assert.ok(!(await held(mdt)).includes(SECRET), 'it goes with the link');
      await switchLink(mdt, true);
      await intel.getByRole('button', { name: 'Ask the center' }).waitFor();
      assert.ok(!(await held(mdt)).includes(SECRET), 'it comes to who asks again');
      await intel.getByRole('button', { name: 'Ask the center' }).click();
      await intel.getByText(SECRET).waitFor();
      await mdt.click('#lock-now');
      await mdt.locator('#lock[data-locked="pin"]').waitFor();
      await mdt.waitForFunction((secret) => !document.documentElement.outerHTML.includes(secret), SECRET);
    }, center.output);
  } finally {
    await laptop?.stop();
    await center.stop();
    await file.close();
  }
});
