// Forerunner and a browser for one test, and nothing left behind by either.
//
//   await withDemo({ args: ['--mdts', '1'] }, async ({ ready, page }) => {
//     const console = await page(ready.console);
//     ...
//   });
//
// A test that fails leaves screenshots of all its pages in a temporary folder,
// and with them what the demo printed; the error says where.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const READY_MS_MAX = 30_000;
const READY_POLL_MS = 25;
const STOP_MS_MAX = 10_000;
const ACTION_MS_MAX = 15_000;
const OUTPUT_CHARS_MAX = 200_000;

const CHROMIUM_ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Runs `body` with a demo of its own (data, port) and a browser; stops both. Pages of the
 * console are the demo's supervisor's, who has signed in by its link.
 */
export async function withDemo({ args = [] }, body) {
  const demo = await startDemo(args);
  try {
    return await withBrowser((page) => body({ ready: demo.ready, demo, page }), demo.output, demo.ready);
  } finally {
    await demo.stop();
  }
}

/**
 * Runs `body` with `page(url)`, which opens a page in a profile of its own, as
 * another person on another machine would. `output` tells what else to keep
 * when `body` fails. `console` and `sign_in`: where pages are that need a session, and the
 * link that gives one.
 */
export async function withBrowser(body, output = () => '', { console: signedIn, sign_in: link } = {}) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: CHROMIUM_ARGS,
  });
  const pages = [];
  // A link is good once: what it gave is each page's.
  let session = null;
  const open = async (url) => {
    const needsSession = link !== undefined && url.startsWith(signedIn);
    if (needsSession) session ??= signIn(browser, link);
    const page = await browser.newPage(needsSession ? { storageState: await session } : {});
    page.setDefaultTimeout(ACTION_MS_MAX);
    pages.push(page);
    await page.goto(url);
    return page;
  };
  try {
    return await body(open);
  } catch (error) {
    error.message += `\nkept: ${await keep(pages, output())}`;
    throw error;
  } finally {
    await browser.close();
  }
}

async function signIn(browser, link) {
  const page = await browser.newPage();
  page.setDefaultTimeout(ACTION_MS_MAX);
  await page.goto(link);
  await page.click('#acknowledge');
  await page.locator('#board').waitFor();
  const state = await page.context().storageState();
  await page.context().close();
  return state;
}

/**
 * A new center as `forerunner init` makes it, served on loopback without TLS (a browser
 * takes no passkey where a certificate is not its system's). `link`: the first supervisor's.
 * `units` and `officers` (in TOML) are the first agency's.
 */
export async function startCenter(sections = '', { units = [], officers = '' } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'forerunner-center-'));
  const [config, readyFile] = [join(folder, 'center.toml'), join(folder, 'ready.json')];
  const remove = () => rm(folder, { recursive: true, force: true });
  let process_ = null;
  const stop = async () => {
    if (process_) await process_.stop();
    await remove();
  };
  try {
    const free = await serve(() => {});
    const port = new URL(free.url).port;
    await free.close();
    const { stdout } = await promisify(execFile)(binary(), [
      'init', '--config', config, '--name', 'Three Rivers RTCC', '--agency', 'city-pd=City Police',
      '--agency', 'so=County Sheriff', '--supervisor', 'Sam Lee',
      '--console', `127.0.0.1:${port}`, '--sync', '127.0.0.1:0',
    ]);
    const link = stdout.match(/https:(\/\/localhost:\S+\/enrol#\S+)/)?.[1];
    if (!link) throw new Error(`init made no link:\n${stdout}`);
    const text = await readFile(config, 'utf8');
    // The first agency's.
    const manned = text
      .replace('units = []', `units = ${JSON.stringify(units)}`)
      .replace('officers = []', `officers = [${officers}]`);
    await writeFile(config, `console_tls = false\n${manned}${sections}`);
    process_ = startGroup(binary(), ['serve', '--config', config, '--ready-file', readyFile]);
    const ready = await readReadyFile(readyFile, process_);
    return { ready, url: `http://localhost:${port}`, link: `http:${link}`, stop, output: process_.output };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `forerunner mdt`: a laptop, enrolled by this ticket. `url`: its page, for its officer. */
export async function startLaptop(ticket, args) {
  const folder = await mkdtemp(join(tmpdir(), 'forerunner-laptop-'));
  const fixed = ['--data', join(folder, 'laptop'), '--port', '0', '--ticket', ticket, '--demo-pin', '482916'];
  const process_ = startGroup(binary(), ['mdt', ...fixed, ...args]);
  const stop = async () => {
    await process_.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const deadline = Date.now() + READY_MS_MAX;
  while (Date.now() < deadline && !process_.ended()) {
    const url = process_.output().match(/http:\/\/127\.0\.0\.1:\d+\/\?key=\S+/)?.[0];
    if (url) return { url, stop };
    await pause(READY_POLL_MS);
  }
  await stop();
  throw new Error(`the laptop did not come up\n${process_.output()}`);
}

function binary() {
  const path = process.env.FORERUNNER_BIN;
  if (!path) {
    throw new Error('FORERUNNER_BIN does not name the binary; `cargo xtask test browser` sets it');
  }
  return path;
}

/**
 * Gives a page Chromium's virtual authenticator: a passkey in the machine, opened by a
 * finger that is always there. The one returned is told whether the finger fits.
 */
export async function withAuthenticator(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true,
      hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  return {
    verifies: (isUserVerified) => devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
    passkeys: async () => (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
  };
}

/** Starts `forerunner demo` and waits until it says that all is up. */
export async function startDemo(args = []) {
  const folder = await mkdtemp(join(tmpdir(), 'forerunner-demo-'));
  const readyFile = join(folder, 'ready.json');
  const fixed = ['--data', join(folder, 'data'), '--fresh', '--port', '0', '--ready-file', readyFile];
  const process_ = startGroup(binary(), ['demo', ...fixed, ...args]);
  const stop = async () => {
    await process_.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const ready = await readReadyFile(readyFile, process_);
    return { ready, stop, kill: process_.kill, output: process_.output };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * A program in a process group of its own, so that what it starts (the MDTs) can
 * be ended with it even when it dies without doing so itself.
 */
export function startGroup(binary, args) {
  const child = spawn(binary, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const take = (chunk) => {
    text = (text + chunk).slice(-OUTPUT_CHARS_MAX);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  let failure = null;
  child.on('error', (error) => {
    failure = error;
  });
  const exited = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch (error) {
      // ESRCH: the whole group is gone. A child that never started has no pid.
      if (error.code !== 'ESRCH' && child.pid !== undefined) throw error;
    }
  };
  const killGroup = () => signal('SIGKILL');
  process.once('exit', killGroup);
  return {
    pid: child.pid,
    output: () => text,
    /** Why it is no longer running, or null while it is. */
    ended: () =>
      failure?.message ??
      (child.exitCode === null && child.signalCode === null
        ? null
        : `it ended (${child.signalCode ?? child.exitCode})`),
    kill: async () => {
      killGroup();
      await exited;
    },
    /** As Ctrl-C does; then whatever is left of the group is killed. */
    stop: async () => {
      signal('SIGINT');
      const timer = new AbortController();
      const late = pause(STOP_MS_MAX, null, { signal: timer.signal }).catch(() => {});
      await Promise.race([exited, late]);
      timer.abort();
      killGroup();
      await exited;
      process.removeListener('exit', killGroup);
    },
  };
}

// Polled: a watch would have to be set on the folder, and tells nothing of a
// program that ends early. Whoever writes the file may not have finished: a part
// of JSON is no JSON.
async function readReadyFile(file, process_) {
  const deadline = Date.now() + READY_MS_MAX;
  while (Date.now() < deadline) {
    const text = await readFile(file, 'utf8').catch(() => '');
    try {
      return JSON.parse(text);
    } catch {
      const ended = process_.ended();
      if (ended) throw new Error(`the demo did not come up: ${ended}\n${process_.output()}`);
    }
    await pause(READY_POLL_MS);
  }
  throw new Error(`the demo was not up after ${READY_MS_MAX} ms\n${process_.output()}`);
}

async function keep(pages, output) {
  const folder = await mkdtemp(join(tmpdir(), 'forerunner-failed-'));
  for (const [index, page] of pages.entries()) {
    // A page that has crashed has no picture; the others still have.
    await page.screenshot({ path: join(folder, `page-${index}.png`), fullPage: true }).catch(() => {});
  }
  if (output) await writeFile(join(folder, 'demo.txt'), output);
  return folder;
}

/** A small HTTP server on loopback for a test; returns its address and `close`. */
export async function serve(handler) {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}
