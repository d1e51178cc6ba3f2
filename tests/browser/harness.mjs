// Forerunner and a browser for one test, and nothing left behind by either.
//
//   await withDemo({ args: ['--mdts', '1'] }, async ({ ready, page }) => {
//     const console = await page(ready.console);
//     ...
//   });
//
// A test that fails leaves screenshots of all its pages in a temporary folder,
// and with them what the demo printed; the error says where.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
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

/** Runs `body` with a demo of its own (data, port) and a browser; stops both. */
export async function withDemo({ args = [] }, body) {
  const demo = await startDemo(args);
  try {
    return await withBrowser((page) => body({ ready: demo.ready, demo, page }), demo.output);
  } finally {
    await demo.stop();
  }
}

/**
 * Runs `body` with `page(url)`, which opens a page in a profile of its own, as
 * another person on another machine would. `output` tells what else to keep
 * when `body` fails.
 */
export async function withBrowser(body, output = () => '') {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: CHROMIUM_ARGS,
  });
  const pages = [];
  const open = async (url) => {
    const page = await browser.newPage();
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

/** Starts `forerunner demo` and waits until it says that all is up. */
export async function startDemo(args = []) {
  const binary = process.env.FORERUNNER_BIN;
  if (!binary) {
    throw new Error('FORERUNNER_BIN does not name the binary; `cargo xtask test browser` sets it');
  }
  const folder = await mkdtemp(join(tmpdir(), 'forerunner-demo-'));
  const readyFile = join(folder, 'ready.json');
  const fixed = ['--data', join(folder, 'data'), '--fresh', '--port', '0', '--ready-file', readyFile];
  const process_ = startGroup(binary, ['demo', ...fixed, ...args]);
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
