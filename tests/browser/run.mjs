// Every path of the page, clicked through: the address of a running backend example is the argument.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const out = resolve('target/browser');
const { chromium } = createRequire(join(out, 'x.js'))('playwright-core');
const address = process.argv[2];
const profile = mkdtempSync(join(out, 'profile-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
  viewport: { width: 1100, height: 900 },
});
const page = await context.newPage();
page.setDefaultTimeout(10_000);
const complaints = [];
page.on('pageerror', error => complaints.push(String(error)));

const stage = wanted => page.locator('#stage', { hasText: new RegExp('^' + wanted.replace(/[()]/g, '\\$&') + '$') }).waitFor();
const error = wanted => page.locator('#error', { hasText: new RegExp('^' + wanted) }).waitFor();
const click = id => page.locator('#' + id).click();
const shot = name => page.screenshot({ path: join(out, name + '.png'), fullPage: true });
let newcomer = 0;

async function logIn(who, unbound = 'bind') {
  await stage('unauthenticated');
  await page.getByLabel('Who opens it').selectOption({ label: who });
  await page.getByLabel('Somebody without account').selectOption(unbound);
  await click('login');
}
async function pass() {
  await click('captcha');
  await page.locator('#slider').waitFor();
  // The pictures are real, and as large as they say.
  await page.waitForFunction(() => document.getElementById('picture').naturalWidth === 310 && document.getElementById('piece').naturalWidth === 47);
  const token = await page.locator('#puzzle').getAttribute('data-token');
  const { x } = await (await fetch(`${address}/dev/captcha-x?token=${token}`)).json();
  await page.getByLabel('Move the piece').fill(String(x));
}
async function code(purpose, { wrong = false } = {}) {
  await pass();
  if (newcomer++ === 0) await shot('captcha');
  await click('solve');
  await page.locator('#log li').first().filter({ hasText: '/api/send-code → 200' }).waitFor();
  if (wrong) {
    await page.getByLabel('Code', { exact: true }).fill('000000x');
    await click('submit');
    await error('ask_again');
  }
  await click('look');
  await page.waitForFunction(() => document.getElementById('code').value.length === 6);
  await click('submit');
}
async function finish(user) {
  await stage('authenticated');
  await click('me');
  await page.locator('#user dd', { hasText: user }).first().waitFor();
  await click('renew');
  await page.locator('#log li').first().filter({ hasText: '/api/renew → 200' }).waitFor();
  await click('logout');
}

const paths = {
  async 'a bound user'() {
    await logIn('Li Lei (bound)');
    await stage('authenticated');
    await click('me');
    await page.locator('#user dd', { hasText: 'Li Lei' }).waitFor();
    await shot('authenticated');
    await finish('lilei');
  },
  async 'denied by policy'() {
    await logIn('Zhou Yang (bound, denied by policy)');
    await error('start_over');
  },
  async 'by password, with a wrong try'() {
    await logIn('A newcomer');
    await stage('pending_bind');
    await page.getByLabel('Password', { exact: true }).fill('wrong');
    await click('by-password');
    await error('ask_again');
    await stage('pending_bind');
    await shot('pending-bind');
    await page.getByLabel('Password', { exact: true }).fill('correct horse');
    await click('by-password');
    await finish('hanmeimei');
  },
  async 'by authorised number'() {
    await logIn('A newcomer');
    await stage('pending_bind');
    await click('authorise');
    await finish('hanmeimei');
  },
  async 'by SMS, with a wrong code, after going back from e-mail'() {
    await logIn('A newcomer');
    await page.getByLabel('E-mail address').fill('hanmeimei@example.com');
    await click('by-email');
    await stage('verify_email (bind)');
    await click('back');
    await stage('pending_bind');
    await page.getByLabel('Mobile number').fill('15201657312');
    await click('by-phone');
    await stage('verify_phone (bind)');
    // A wrong captcha first.
    await click('captcha');
    await page.locator('#slider').waitFor();
    await click('solve');
    await error('new_captcha');
    await code('bind', { wrong: true });
    await finish('hanmeimei');
  },
  async 'by e-mail'() {
    await logIn('A newcomer');
    await page.getByLabel('E-mail address').fill('hanmeimei@example.com');
    await click('by-email');
    await stage('verify_email (bind)');
    await code('bind');
    await finish('hanmeimei');
  },
  async 'bound in the register flow, by authorised number'() {
    await logIn('A newcomer', 'register');
    await stage('pending_register');
    await click('authorise');
    await finish('hanmeimei');
  },
  async 'registered by SMS'() {
    await logIn('A newcomer', 'register');
    await stage('pending_register');
    assert.equal(await page.locator('#w-password').isVisible(), false);
    await page.getByLabel('Mobile number').fill('18600186000');
    await click('by-phone');
    await stage('verify_phone (register)');
    await code('register');
    await finish('user-');
  },
  async 'registered by e-mail'() {
    await logIn('A newcomer', 'register');
    await page.getByLabel('E-mail address').fill('somebody.new@example.com');
    await click('by-email');
    await stage('verify_email (register)');
    await code('register');
    await finish('user-');
  },
  async 'a second factor by SMS, to the number that the account has'() {
    await logIn('Chen Jie (bound, asked for a second factor)');
    await stage('mfa_required');
    await page.getByLabel('Mobile number').fill('');
    await click('by-phone');
    await stage('verify_phone (second_factor)');
    await code('second_factor');
    await finish('chenjie');
  },
  async 'a second factor by e-mail'() {
    await logIn('Chen Jie (bound, asked for a second factor)');
    await stage('mfa_required');
    await page.getByLabel('E-mail address').fill('chenjie@example.com');
    await click('by-email');
    await stage('verify_email (second_factor)');
    await code('second_factor');
    await finish('chenjie');
  },
  async 'an unknown outcome, retried, then begun again'() {
    await logIn('A newcomer');
    await stage('pending_bind');
    await page.getByLabel('Password', { exact: true }).fill('correct horse');
    await click('lose');
    await error('settle');
    await stage('unresolved');
    await click('retry-anyway');
    await stage('pending_bind');
    await click('by-password');
    await error('start_over');
    await stage('unauthenticated');
    await logIn('A newcomer');
    await page.getByLabel('Password', { exact: true }).fill('correct horse');
    await click('lose');
    await stage('unresolved');
    await click('start-over');
    await stage('unauthenticated');
  },
};

let failed = false;
try {
  await page.goto(address);
  for (const [name, walk] of Object.entries(paths)) {
    await walk();
    console.log('ok:', name);
  }
  assert.deepEqual(complaints, []);
} catch (problem) {
  failed = true;
  console.error(problem, complaints, await page.locator('#log li').allTextContents());
  await shot('failed');
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
