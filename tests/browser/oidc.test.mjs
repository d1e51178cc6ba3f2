// Signing in by an agency's own provider: npm's oidc-provider, a real one, on this machine.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import Provider from 'oidc-provider';
import { serve, startCenter, startLaptop, withAuthenticator, withBrowser } from './harness.mjs';

const TEST_MS_MAX = 120_000;
const SECRET = 'a secret of this test';
process.env.FORERUNNER_TEST_CLIENT_SECRET = SECRET;

/** Who has a login at the agency. Eve says of herself that Ana's address is hers. */
const PEOPLE = {
  ana: { email: 'ana@city.example', email_verified: true },
  eve: { email: 'ana@city.example', email_verified: false },
  stranger: { email: 'stranger@city.example', email_verified: true },
  diaz: { badge: '101' },
};

async function withProvider(body) {
  let handle = null;
  let caught = null;
  const site = await serve((request, response) => {
    const set = response.setHeader.bind(response);
    response.setHeader = (name, value) => {
      if (!caught || name.toLowerCase() !== 'location' || !value.includes('/sign-in/oidc/back?')) return set(name, value);
      caught(value);
      return set(name, '/caught');
    };
    handle(request, response);
  });
  const issuer = site.url.replace(/\/$/, '');
  /** From now on the provider leads nobody back; it gives where it would have. */
  const catchBack = () => new Promise((resolve) => { caught = resolve; });
  let center = null;
  try {
    center = await startCenter(`
[[sign_in.providers]]
agency = "city-pd"
issuer = "${issuer}"
client_id = "forerunner"
client_secret = { env = "FORERUNNER_TEST_CLIENT_SECRET" }
[sign_in.providers.officers]
claim = "badge"
client_id = "officers"
client_secret = { env = "FORERUNNER_TEST_CLIENT_SECRET" }
redirects = ["http://127.0.0.1/sign-on/back"]
`, { units: ['1A1'], officers: '{ badge = "101", name = "Diaz" }' });
    const provider = new Provider(issuer, {
      clients: [{
        client_id: 'forerunner',
        client_secret: SECRET,
        redirect_uris: [`${center.url}/sign-in/oidc/back`],
      }, {
        client_id: 'officers',
        client_secret: SECRET,
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/sign-on/back'],
      }],
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['badge'] },
      conformIdTokenClaims: false,
      cookies: { keys: ['of this test'] },
      findAccount: (_, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) },
      pkce: { required: () => true },
    });
    handle = provider.callback();
    await withBrowser((page) => body(center, page, catchBack), center.output);
  } finally {
    await center?.stop();
    await site.close();
  }
}

/** Signs in at the provider's own pages, which lead back to the center. */
async function atProvider(page, who, { consents = true } = {}) {
  await page.fill('input[name=login]', who);
  await page.fill('input[name=password]', 'any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  // Asked once for each client.
  if (consents) await page.getByRole('button', { name: 'Continue' }).click();
}

/** The first supervisor, who adds Ana and says how the agency's provider names her. */
async function supervisor(center, page) {
  const sam = await page(`${center.url}/sign-in`);
  await withAuthenticator(sam);
  await sam.goto(center.link);
  await sam.click('#add-passkey');
  await sam.click('#acknowledge');
  await sam.locator('#board').waitFor();
  await sam.goto(`${center.url}/people`);
  await sam.getByLabel('Name, as entries show it').fill('Ana Ruiz');
  await sam.getByRole('button', { name: 'Add, and make a link' }).click();
  const row = sam.locator('tr', { hasText: 'Ana Ruiz' });
  await row.getByLabel("How the agency's sign-in names Ana Ruiz").fill('Ana@City.example');
  await row.locator('form', { has: sam.getByLabel("How the agency's sign-in names Ana Ruiz") })
    .getByRole('button', { name: 'Keep' }).click();
  await sam.waitForURL('**/people');
  return sam;
}

test("an agency's own sign-in opens the account that a supervisor linked, and no other", { timeout: TEST_MS_MAX }, () =>
  withProvider(async (center, page) => {
    const sam = await supervisor(center, page);
    // Nobody's account, and an address that the provider does not vouch for.
    for (const who of ['stranger', 'eve']) {
      const other = await page(`${center.url}/sign-in`);
      await other.getByText('Sign in with City Police').click();
      await atProvider(other, who);
      await other.getByText('Not signed in').first().waitFor();
      await other.goto(center.url);
      await other.waitForURL('**/sign-in?to=/');
    }
    const ana = await page(`${center.url}/premises`);
    await ana.getByText('Sign in with City Police').click();
    await atProvider(ana, 'ana');
    await ana.click('#acknowledge');
    await ana.waitForURL('**/premises');
    await ana.locator('#who-name', { hasText: 'Ana Ruiz' }).waitFor();
    await sam.goto(`${center.url}/people`);
    const rows = sam.locator('.people tbody tr');
    assert.equal(await rows.count(), 2, 'no account is made by a sign-in');
    await rows.filter({ hasText: 'Ana Ruiz' }).getByText('has signed in so').waitFor();
  }));

test("a page that is locked goes on with the agency's own sign-in, and keeps what was typed", { timeout: TEST_MS_MAX }, () =>
  withProvider(async (center, page) => {
    await supervisor(center, page);
    const ana = await page(`${center.url}/search`);
    await ana.getByText('Sign in with City Police').click();
    await atProvider(ana, 'ana');
    await ana.click('#acknowledge');
    await ana.fill('#search input[name=words]', 'half a word');
    await ana.click('#who-name');
    await ana.getByRole('button', { name: 'Lock' }).click();
    const popup = ana.waitForEvent('popup');
    await ana.click('#cover-provider');
    const window = await popup;
    await atProvider(window, 'ana', { consents: false });
    await window.getByText('Unlocked').first().waitFor();
    await window.close();
    await ana.bringToFront();
    await ana.locator('#cover').waitFor({ state: 'hidden', timeout: 30_000 });
    assert.equal(await ana.inputValue('#search input[name=words]'), 'half a word');
  }));

test('what a provider sends back counts in the browser that asked, and there once', { timeout: TEST_MS_MAX }, () =>
  withProvider(async (center, page, catchBack) => {
    await supervisor(center, page);
    const ana = await page(`${center.url}/sign-in`);
    const came = catchBack();
    await ana.getByText('Sign in with City Police').click();
    await atProvider(ana, 'ana');
    const back = await came;
    // Led there by somebody else: login CSRF.
    const other = await page(back);
    await other.getByText('began in another browser').waitFor();
    await ana.goto(back);
    await ana.click('#acknowledge');
    await ana.locator('#board').waitFor();
    await ana.context().clearCookies({ name: '__Host-forerunner' });
    await ana.goto(back);
    await ana.getByText('began in another browser').waitFor();
  }));

test("an officer signs on at a laptop by the agency's own sign-in, and by that alone", { timeout: TEST_MS_MAX }, () =>
  withProvider(async (center, page) => {
    const answer = await fetch(`${center.ready.api}/v1/enrolment-codes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${center.ready.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ agency: 'city-pd', label: 'Laptop 7', mounted: true }),
    });
    assert.equal(answer.status, 201, await answer.clone().text());
    const { ticket } = await answer.json();
    const laptop = await startLaptop(ticket, ['--officer', '101', '--unit', '1A1']);
    try {
      const mdt = await page(laptop.url);
      await mdt.getByText('a badge alone is not taken').waitFor();
      await mdt.getByText('Sign on with your agency').click();
      // From another site: without the cookie of the laptop's page, and then with it.
      await atProvider(mdt, 'diaz');
      await mdt.waitForURL(new URL('/', laptop.url).href);
      await mdt.locator('#header', { hasText: 'Diaz' }).waitFor();
      await mdt.locator('#header', { hasText: 'Online' }).waitFor();
      assert.equal(await mdt.getByText('Sign on with your agency').count(), 0);
    } finally {
      await laptop.stop();
    }
  }));
