// The harness itself: needs a browser and no Forerunner, so that a broken harness
// is told from a broken page.

import assert from 'node:assert/strict';
import { readFile, readdir, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { serve, startGroup, withBrowser } from './harness.mjs';

const TEST_MS_MAX = 60_000;
const options = { timeout: TEST_MS_MAX };

const PAGE = `<!doctype html><title>A page</title>
  <button onclick="this.textContent = 'Acknowledged'">Acknowledge</button>`;

async function withPage(body) {
  const server = await serve((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(PAGE);
  });
  try {
    return await body(server.url);
  } finally {
    await server.close();
  }
}

test('a page opens, and a tap changes it', options, () =>
  withPage((url) =>
    withBrowser(async (open) => {
      const page = await open(url);
      await page.getByRole('button', { name: 'Acknowledge' }).click();
      await page.getByText('Acknowledged', { exact: true }).waitFor();
      assert.equal(await page.title(), 'A page');
    }),
  ),
);

test('a failed test keeps a picture of each page and what the program printed', options, () =>
  withPage(async (url) => {
    const failed = withBrowser(
      async (open) => {
        await open(url);
        await open(url);
        throw new Error('as meant');
      },
      () => 'printed',
    );
    const error = await failed.then(assert.fail, (error) => error);
    const [, folder] = error.message.match(/^as meant\nkept: (.+)$/);
    assert.deepEqual(await readdir(folder), ['demo.txt', 'page-0.png', 'page-1.png']);
    await rm(folder, { recursive: true });
  }),
);

test('what a program started is gone after the program was stopped', options, async () => {
  // The grandchild ignores what Ctrl-C sends, as a hung MDT would.
  const grandchild = `process.on('SIGINT', () => {}); console.log('pid', process.pid); setInterval(() => {}, 1000);`;
  const child = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { stdio: 'inherit' });`;
  const group = startGroup(process.execPath, ['-e', child]);
  const pid = await printedPid(group);
  await group.stop();
  assert.notEqual(group.ended(), null);
  // Killed is not yet gone; if it never is, the test's timeout says so.
  while (!(await isGone(pid)));
});

test('a program that is not there is said so', options, async () => {
  const group = startGroup('/no/such/program', []);
  await group.stop();
  assert.match(group.ended(), /ENOENT/);
});

async function printedPid(group) {
  for (;;) {
    const match = group.output().match(/pid (\d+)\n/);
    if (match) return Number(match[1]);
    assert.equal(group.ended(), null, group.output());
    await new Promise(setImmediate);
  }
}

// A killed process that nobody has waited for yet still answers to signal 0 where
// init is slow to reap; its state tells.
async function isGone(pid) {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return state === null || / [ZX] /.test(state);
}
