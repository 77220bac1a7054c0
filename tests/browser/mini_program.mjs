// Every path of the mini program, tapped through: the arguments are the addresses of two running backend examples, whose
// tenants are of the editions CIAM and EIAM.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { out, require, walkAll, withPage } from './chromium.mjs';
import { pageOf } from './weixin.mjs';

const folder = resolve('examples/mini_program');
const texts = createRequire(import.meta.url)(join(folder, 'utils/texts.js'));
const [ciam, eiam] = process.argv.slice(2);
let page;
let address = ciam;
const dev = async (path, query = {}) => (await fetch(`${address}/dev/${path}?${new URLSearchParams(query)}`)).json();
const en = pair => pair[0];

// A user opens the mini program: somebody new each time.
let newcomers = 0;
async function open({ user = `openid-newcomer-${process.pid}-${newcomers++}`, unbound = 'bind' } = {}) {
  await page.goto(`${address}/mini-program`);
  await page.evaluate(who => Object.assign(getApp().platform, who), { user, unbound });
}
const at = stage => page.locator('.stage', { hasText: new RegExp(`^${en(texts.stages[stage])}$`) }).waitFor();
const told = text => page.locator('.problem', { hasText: text }).waitFor();
const problem = what => told(en(texts.problems[what] ?? texts.own[what]));
const tap = name => page.locator('button', { hasText: new RegExp(`^${en(texts.buttons[name])}$`) }).click();
const type = (field, value) => page.getByPlaceholder(en(texts.fields[field]), { exact: true }).fill(value);
const pick = method => page.locator('.method', { hasText: new RegExp(`^${en(texts.ways[method])}$`) }).click();
const goOn = () => page.locator('button', { hasText: new RegExp(`^${en(texts.buttons.go_on)}$`) }).last().click();
const calls = () => page.evaluate(() => window.calls.filter(call => call.startsWith('/api/')));
const called = async expected => {
  await idle();
  assert.deepEqual(await calls(), expected);
};
const idle = () => page.waitForFunction(() => !window.page.data.login.busy);

async function fill(method, values) {
  await pick(method);
  for (const [field, value] of Object.entries(values)) await type(field, value);
  await goOn();
  await idle();
}
async function wechat(who) {
  await open(who);
  await tap('wechat');
  await idle();
}
async function puzzle(off = 0) {
  await page.locator('slider input').waitFor();
  const { x } = await dev('captcha-x', { token: await page.evaluate(() => window.page.data.login.captcha.token) });
  await page.locator('slider input').fill(String(x + off));
  await tap('captcha');
  await idle();
}
async function code(to, { newPassword, wrong = false } = {}) {
  await puzzle();
  if (newPassword) await type('new_password', newPassword);
  if (wrong) {
    await type('code', '000000x');
    await goOnWithCode();
    assert.ok(await page.locator('.problem').isVisible());
  }
  await type('code', (await dev('last-code', { to })).code);
  await goOnWithCode();
}
const goOnWithCode = async () => {
  await page.locator('button.go', { hasText: en(texts.buttons.go_on) }).click();
  await idle();
};
// The next codes of wx.login are spent ones.
const spendCodes = count => page.evaluate(count => {
  const { platform } = getApp();
  const real = platform.loginCode;
  platform.loginCode = async () => (count-- > 0 ? 'spent' : real.call(platform));
}, count);
const sheetGives = detail => page.evaluate(detail => { window.sheet = detail; }, detail);
const isUser = async name => {
  await at('authenticated');
  await page.locator('.user', { hasText: name }).waitFor();
  assert.equal(await page.locator('.problem').count(), 0);
};

const paths = {
  async 'logged in at once'() {
    await wechat({ user: 'openid-lilei' });
    await isUser('Li Lei');
    await called(['/api/login 200', '/api/me 200']);
    await tap('logout');
    await at('unauthenticated');
  },
  async 'a spent code of wx.login costs the user nothing, once'() {
    await open({ user: 'openid-lilei' });
    await spendCodes(1);
    await tap('wechat');
    await isUser('Li Lei');
    await called(['/api/login 400', '/api/login 200', '/api/me 200']);
    await tap('logout');
    await page.evaluate(() => { window.calls.length = 0; });
    await spendCodes(2);
    await tap('wechat');
    await problem('fresh_platform_code');
    await called(['/api/login 400', '/api/login 400']);
  },
  async 'two taps are one'() {
    await open({ user: 'openid-lilei' });
    await page.evaluate(() => Promise.all([window.page.wechat(), window.page.wechat()]));
    await isUser('Li Lei');
    await called(['/api/login 200', '/api/me 200']);
  },
  async 'denied by policy'() {
    await wechat({ user: 'openid-zhouyang' });
    await problem('start_over');
    await at('unauthenticated');
  },
  async 'by the number of WeChat, declined at first'() {
    await open();
    await sheetGives({ errMsg: 'getPhoneNumber:fail user deny' });
    await tap('number');
    await problem('number_declined');
    await sheetGives({ errMsg: 'getPhoneNumber:ok', code: 'of-wechat' });
    await tap('number');
    await isUser('Han Meimei');
  },
  async 'bound by the phone button, whose code is spent at first'() {
    await wechat();
    await at('pending_bind');
    await page.evaluate(() => {
      const { platform } = getApp();
      window.phoneCode = platform.phoneCode;
      platform.phoneCode = async () => 'spent';
    });
    await tap('number');
    await problem('fresh_platform_code');
    await at('pending_bind');
    await page.evaluate(() => { getApp().platform.phoneCode = window.phoneCode; });
    await tap('number');
    await isUser('Han Meimei');
  },
  async 'bound by password, wrong at first'() {
    await wechat();
    await at('pending_bind');
    await fill('password', { user_name: 'hanmeimei', password: 'wrong' });
    await told('Remaining attempts: 4');
    await at('pending_bind');
    await fill('password', { password: 'correct horse' });
    await isUser('Han Meimei');
  },
  async 'bound by SMS, with a wrong captcha and a wrong code, after going back from e-mail'() {
    await wechat();
    await fill('email', { email: 'hanmeimei@example.com' });
    await at('verify_email');
    await tap('back');
    await at('pending_bind');
    await fill('phone', { phone: '15201657312' });
    await at('verify_phone');
    await puzzle(-60);
    await problem('new_captcha');
    await code('15201657312', { wrong: true });
    await isUser('Han Meimei');
  },
  async 'a captcha on a narrow screen'() {
    const { width, height } = page.viewportSize();
    await page.setViewportSize({ width: 320, height });
    await wechat();
    await fill('phone', { phone: '15201657312' });
    const [picture, card] = await Promise.all(['.picture', '.card'].map(part => page.locator(part).boundingBox()));
    assert.ok(picture.x + picture.width < card.x + card.width, JSON.stringify([picture, card]));
    // The piece covers the gap: it is as far from the left of the picture as the tenant says, in the picture's scale.
    const { x } = await dev('captcha-x', { token: await page.evaluate(() => window.page.data.login.captcha.token) });
    await page.locator('slider input').fill(String(x));
    const piece = await page.locator('.piece').boundingBox();
    assert.ok(Math.abs(piece.x - picture.x - x * picture.width / 310) < 1, JSON.stringify([piece, picture, x]));
    await code('15201657312');
    await isUser('Han Meimei');
    await page.setViewportSize({ width, height });
  },
  async 'bound by e-mail, with a second code'() {
    await wechat();
    await fill('email', { email: 'hanmeimei@example.com' });
    await at('verify_email');
    await puzzle();
    await tap('again');
    await code('hanmeimei@example.com');
    await isUser('Han Meimei');
  },
  async 'registered by SMS in the login'() {
    await wechat({ unbound: 'register' });
    await at('pending_register');
    await fill('phone', { phone: '18600186001' });
    await code('18600186001');
    await isUser('user-');
  },
  async 'a second factor, to the number of the account'() {
    await wechat({ user: 'openid-chenjie' });
    await at('mfa_required');
    await fill('phone', {});
    await at('verify_phone');
    await code('13800138000');
    await isUser('Chen Jie');
  },
  async 'an unknown outcome, retried with a dead state token, then begun again'() {
    await wechat();
    await dev('lose-answer');
    await fill('password', { user_name: 'hanmeimei', password: 'correct horse' });
    await problem('settle');
    await at('unresolved');
    await page.evaluate(() => window.page.login.choose('phone', { phone: '15201657312' }));
    await problem('settle');
    assert.equal((await calls()).at(-1), '/api/choose 409');
    await at('unresolved');
    await tap('retry_anyway');
    await at('pending_bind');
    await fill('password', { user_name: 'hanmeimei', password: 'correct horse' });
    await problem('start_over');
    await at('unauthenticated');
    await wechat();
    await dev('lose-answer');
    await fill('password', { user_name: 'hanmeimei', password: 'correct horse' });
    await at('unresolved');
    await tap('begin_again');
    await at('unauthenticated');
  },
  async 'a handle opens for no other device'() {
    await wechat();
    await page.evaluate(() => wx.removeStorageSync('device-id'));
    await fill('password', { user_name: 'hanmeimei', password: 'correct horse' });
    await problem('start_over');
    await at('unauthenticated');
    await called(['/api/login 200', '/api/choose 401']);
  },
  async 'by password, until it is locked'() {
    await open();
    for (let left = 4; left > 0; left--) {
      await fill('password', { user_name: 'zhaomin', password: 'wrong' });
      await told(`Remaining attempts: ${left}`);
    }
    await fill('password', { user_name: 'zhaomin', password: 'wrong' });
    await fill('password', { user_name: 'zhaomin', password: 'expired, too' });
    await told('locked');
    assert.equal((await calls()).at(-1), '/api/login 429');
  },
  async 'by a code by SMS and by e-mail'() {
    for (const [method, to] of [['phone', '15201657312'], ['email', 'hanmeimei@example.com']]) {
      await open();
      await fill(method, { [method]: to });
      await at(`verify_${method}`);
      await code(to);
      await isUser('Han Meimei');
    }
  },
  async 'registered, with a user name that is taken at first, and no identity token'() {
    await open();
    await fill('register', { user_name: 'hanmeimei', name: 'Third Han', new_password: 'my first one' });
    await at('registration');
    await fill('phone', { phone: '18700187001' });
    await puzzle();
    await type('code', (await dev('last-code', { to: '18700187001' })).code);
    await goOnWithCode();
    await told(/./);
    await at('verify_phone');
    await fill('attributes', { user_name: 'third-han', name: 'Third Han', new_password: 'my first one' });
    await page.evaluate(() => { window.calls.length = 0; });
    await goOnWithCode();
    await isUser('Third Han');
    await called(['/api/submit 200', '/api/me 401', '/api/renew 200', '/api/me 200']);
  },
  async 'a password that expires soon, kept, then changed'() {
    await dev('accounts');
    await open();
    await fill('password', { user_name: 'sunli', password: 'nearly expired' });
    await at('password_expiring');
    await page.locator('.note', { hasText: '8–18' }).waitFor();
    await fill('keep_password', {});
    await isUser('Sun Li');
    await open();
    await fill('password', { user_name: 'sunli', password: 'nearly expired' });
    await fill('change_password', { old_password: 'nearly expired', new_password: 'quite fresh' });
    await isUser('Sun Li');
  },
  async 'an expired password, the new one too short at first'() {
    await open();
    await fill('password', { user_name: 'wangwei', password: 'long expired' });
    await at('password_expired');
    await fill('change_password', { old_password: 'long expired', new_password: 'short' });
    await told(/./);
    await at('password_expired');
    await fill('change_password', { old_password: 'long expired', new_password: 'quite fresh' });
    await isUser('Wang Wei');
  },
  async 'a forgotten password'() {
    await open();
    await fill('reset_password', {});
    await at('password_reset');
    await fill('phone', { phone: '13900139000' });
    await code('13900139000', { newPassword: 'remembered' });
    await at('unauthenticated');
    await page.locator('.note', { hasText: en(texts.notes.password_reset) }).waitFor();
    await fill('password', { user_name: 'sunli', password: 'remembered' });
    await isUser('Sun Li');
    await dev('accounts');
  },
  async 'no connection, and a proxy that responds instead'() {
    await wechat();
    const api = '**/api/**';
    await page.route(api, route => route.abort());
    await fill('password', { user_name: 'hanmeimei', password: 'correct horse' });
    await problem('no_response');
    await page.unroute(api);
    await page.route(api, route => route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad Gateway</h1>' }));
    await goOn();
    await problem('no_response');
    await at('pending_bind');
    await page.unroute(api);
    await goOn();
    await isUser('Han Meimei');
  },
  async 'what the page never sends'() {
    await open();
    await page.evaluate(() => window.page.login.begin('by-owl'));
    await problem('bad_request');
    await wechat();
    await fill('phone', { phone: '15201657312' });
    await page.evaluate(() => window.page.login.choose('password', {}));
    await problem('wrong_stage');
    await at('verify_phone');
  },
  async 'what the emulated tenant does not do'() {
    for (const [status, what] of [[403, 'choose_another_method'], [503, 'try_later']]) {
      await wechat();
      const error = { what, message: '', code: null, attempts_left: null, wait: 7 };
      const json = { stage: 'pending_bind', ways: ['password'], handle: 'x', expires_in: 600, error };
      await page.route('**/api/choose', route => route.fulfill({ status, json }));
      await fill('email', { email: 'hanmeimei@example.com' });
      await problem(what);
      await told(`${en(texts.notes.seconds)} 7`);
      await at('pending_bind');
      await page.unroute('**/api/choose');
    }
  },
  async 'in Chinese'() {
    await open();
    await page.evaluate(() => {
      getApp().platform.language = 'zh';
      window.page.onLoad({});
    });
    await page.locator('.stage', { hasText: '登录' }).waitFor();
    for (const part of Object.values(texts)) {
      for (const [name, pair] of Object.entries(part)) assert.ok(pair.length === 2 && pair.every(Boolean), name);
    }
  },
  async 'in EIAM: an expired password, changed by a code to the number of the account'() {
    address = eiam;
    await dev('accounts');
    await open();
    await fill('password', { user_name: 'wangwei', password: 'long expired' });
    await at('password_expired');
    await fill('phone', {});
    await at('verify_phone');
    await code('13600136000', { newPassword: 'quite fresh' });
    await isUser('Wang Wei');
  },
  async 'in EIAM: a method that the edition does not have'() {
    await open();
    await page.evaluate(() => window.page.login.begin('apple', { code: 'any' }));
    await problem('tell_operator');
    address = ciam;
  },
};

await withPage({ viewport: { width: 375, height: 667 } }, async (opened, complaints) => {
  page = opened;
  // The framework warns of a value that a component cannot take. That a call failed, the browser only mentions.
  page.on('console', message => {
    const isWarning = ['error', 'warning'].includes(message.type()) && !message.text().startsWith('Failed to load resource');
    if (isWarning) complaints.push(message.text());
  });
  const html = pageOf(folder, require);
  await page.route('**/mini-program', route => route.fulfill({ contentType: 'text/html', body: html }));
  const shown = async () => [await calls(), await page.locator('page').innerText()];
  await walkAll(paths, page, complaints, 'mini-program-failed.png', shown);
});
