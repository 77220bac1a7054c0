// Headless Chromium with a profile of its own, which is gone afterwards.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

// Where the packages are installed, and what a run leaves.
export const out = resolve('target/browser');
export const require = createRequire(join(out, 'x.js'));

// Gives a page to `act`, and what it complained of.
export async function withPage(options, act) {
  const { chromium } = require('playwright-core');
  const profile = mkdtempSync(join(out, 'profile-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-lcd-text', '--hide-scrollbars'],
    locale: 'en-US',
    ...options,
  });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const complaints = [];
    page.on('pageerror', error => complaints.push(String(error)));
    await act(page, complaints);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

// Walks each path, which the page must not complain of. If one fails, says what `shown` gives, and keeps a picture.
export async function walkAll(paths, page, complaints, picture, shown) {
  let current = '';
  try {
    for (const [name, walk] of Object.entries(paths)) {
      current = name;
      await walk();
      console.log('ok:', name);
    }
    assert.deepEqual(complaints, []);
  } catch (problem) {
    console.error('failed:', current, complaints, await shown());
    await page.screenshot({ path: join(out, picture), fullPage: true });
    throw problem;
  }
}
