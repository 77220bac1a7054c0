// Every path of the page, clicked through: the arguments are the addresses of two running backend examples, whose tenants are of
// the editions CIAM and EIAM.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { out, walkAll, withPage } from './chromium.mjs';

const [ciam, eiam] = process.argv.slice(2);
let address = ciam;
let page;

const stage = wanted => page.locator('#stage', { hasText: new RegExp('^' + wanted.replace(/[()]/g, '\\$&') + '$') }).waitFor();
const error = wanted => page.locator('#error', { hasText: new RegExp('^' + wanted) }).waitFor();
const click = id => page.locator('#' + id).click();
const shot = name => page.screenshot({ path: join(out, name + '.png'), fullPage: true });
let newcomer = 0;

// What is hidden has labels, too.
const field = label => page.getByLabel(label, { exact: true }).locator('visible=true');
const accounts = () => page.evaluate(() => fetch('/dev/accounts').then(answer => answer.json()));

async function begin(way) {
  await stage('unauthenticated');
  await page.locator('#way').selectOption(way);
}
async function logIn(who, unbound = 'bind', way = 'wechat_mini_program') {
  await begin(way);
  await page.locator('#who').selectOption({ label: who });
  await page.locator('#unbound').selectOption(unbound);
  await click('login');
}
async function byPassword(account, password, way = 'password') {
  await begin(way);
  await field('Account').fill(account);
  await field('Its password').fill(password);
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
async function code({ wrong = false, newPassword = '' } = {}) {
  await pass();
  if (newcomer++ === 0) await shot('captcha');
  await click('solve');
  await page.locator('#log li').first().filter({ hasText: '/api/send-code → 200' }).waitFor();
  if (wrong) {
    await field('Code').fill('000000x');
    await click('submit');
    await error('ask_again');
  }
  await click('look');
  await page.waitForFunction(() => document.getElementById('code').value.length === 6);
  if (newPassword) await field('Your new password').fill(newPassword);
  await click('submit');
}
// A registration gives no identity token.
async function firstToken() {
  await stage('authenticated');
  await click('me');
  await error('renew_id_token');
  await click('renew');
  await page.locator('#log li').first().filter({ hasText: '/api/renew → 200' }).waitFor();
}
async function changePassword(oldPassword, newPassword) {
  await field('Old password').fill(oldPassword);
  await field('New password').fill(newPassword);
  await click('change');
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
    await field('Password').fill('wrong');
    await click('by-password');
    await error('ask_again');
    await stage('pending_bind');
    await shot('pending-bind');
    await field('Password').fill('correct horse');
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
    await field('E-mail address').fill('hanmeimei@example.com');
    await click('by-email');
    await stage('verify_email (bind)');
    await click('back');
    await stage('pending_bind');
    await field('Mobile number').fill('15201657312');
    await click('by-phone');
    await stage('verify_phone (bind)');
    // A wrong captcha first.
    await click('captcha');
    await page.locator('#slider').waitFor();
    await click('solve');
    await error('new_captcha');
    await code({ wrong: true });
    await finish('hanmeimei');
  },
  async 'by e-mail'() {
    await logIn('A newcomer');
    await field('E-mail address').fill('hanmeimei@example.com');
    await click('by-email');
    await stage('verify_email (bind)');
    await code();
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
    await field('Mobile number').fill('18600186000');
    await click('by-phone');
    await stage('verify_phone (bind_or_register)');
    await code();
    await finish('user-');
  },
  async 'registered by e-mail'() {
    await logIn('A newcomer', 'register');
    await field('E-mail address').fill('somebody.new@example.com');
    await click('by-email');
    await stage('verify_email (bind_or_register)');
    await code();
    await finish('user-');
  },
  async 'a second factor by SMS, to the number that the account has'() {
    await logIn('Chen Jie (bound, asked for a second factor)');
    await stage('mfa_required');
    await field('Mobile number').fill('');
    await click('by-phone');
    await stage('verify_phone (second_factor)');
    await code();
    await finish('chenjie');
  },
  async 'a second factor by e-mail'() {
    await logIn('Chen Jie (bound, asked for a second factor)');
    await stage('mfa_required');
    await field('E-mail address').fill('chenjie@example.com');
    await click('by-email');
    await stage('verify_email (second_factor)');
    await code();
    await finish('chenjie');
  },
  async 'an unknown outcome, retried, then begun again'() {
    await logIn('A newcomer');
    await stage('pending_bind');
    await field('Password').fill('correct horse');
    await click('lose');
    await error('settle');
    await stage('unresolved');
    await click('retry-anyway');
    await stage('pending_bind');
    await field('Password').fill('correct horse');
    await click('by-password');
    await error('start_over');
    await stage('unauthenticated');
    await logIn('A newcomer');
    await field('Password').fill('correct horse');
    await click('lose');
    await stage('unresolved');
    await click('start-over');
    await stage('unauthenticated');
  },
  async 'by password, wrong at first'() {
    await byPassword('hanmeimei', 'wrong');
    await error('ask_again');
    await page.locator('#error', { hasText: 'Attempts left: 4.' }).waitFor();
    await stage('unauthenticated');
    await byPassword('hanmeimei', 'correct horse');
    await finish('hanmeimei');
  },
  async 'by number and password'() {
    await byPassword('15201657312', 'correct horse', 'identifier');
    await finish('hanmeimei');
  },
  async 'by a code by SMS'() {
    await begin('phone');
    await field('Number for the code').fill('15201657312');
    await click('login');
    await stage('verify_phone (login)');
    await click('back');
    await begin('phone');
    await click('login');
    await stage('verify_phone (login)');
    await code({ wrong: true });
    await finish('hanmeimei');
  },
  async 'by a code by e-mail'() {
    await begin('email');
    await field('Address for the code').fill('hanmeimei@example.com');
    await click('login');
    await stage('verify_email (login)');
    await code();
    await finish('hanmeimei');
  },
  async 'by the number that WeChat or the carrier knows'() {
    for (const way of ['wechat_mini_program_mobile', 'carrier']) {
      await begin(way);
      await click('login');
      await finish('hanmeimei');
    }
  },
  async 'by each app, bound'() {
    for (const way of ['wechat_app', 'alipay_app', 'qq', 'weibo', 'apple', 'alipay_mini_program']) {
      await logIn('Li Lei (bound)', 'bind', way);
      await finish('lilei');
    }
  },
  async 'by an app, to be bound: no number is authorised there'() {
    await logIn('A newcomer', 'bind', 'qq');
    await stage('pending_bind');
    assert.equal(await page.locator('#w-authorised_number').isVisible(), false);
    await field('Password').fill('correct horse');
    await click('by-password');
    await finish('hanmeimei');
    await logIn('A newcomer', 'register', 'weibo');
    await stage('pending_register');
    await field('Mobile number').fill('15201657312');
    await click('by-phone');
    await stage('verify_phone (bind_or_register)');
    await code();
    await finish('hanmeimei');
  },
  async 'by an Alipay mini program, with the number that Alipay knows'() {
    await logIn('A newcomer', 'bind', 'alipay_mini_program');
    await stage('pending_bind');
    await click('authorise');
    await finish('hanmeimei');
  },
  async 'registered with a user name that is taken at first'() {
    await begin('register');
    await field('Wanted user name').fill('hanmeimei');
    await field('Name').fill('Another Han');
    await field('Password of the account').fill('my first one');
    await click('login');
    await stage('registration');
    await field('Mobile number').fill('18700187000');
    await click('by-phone');
    await stage('verify_phone (register)');
    await code();
    await error('ask_again');
    await shot('user-name-taken');
    await field('Wanted user name').fill('another-han');
    await click('by-attributes');
    await page.locator('#log li').first().filter({ hasText: '/api/attributes → 200' }).waitFor();
    await stage('verify_phone (register)');
    await click('submit');
    await firstToken();
    await finish('another-han');
    await byPassword('another-han', 'my first one');
    await finish('another-han');
  },
  async 'registered by e-mail, after going back'() {
    await begin('register');
    await field('Wanted user name').fill('');
    await click('login');
    await stage('registration');
    await click('back');
    await begin('register');
    await click('login');
    await stage('registration');
    await field('E-mail address').fill('newcomer@example.com');
    await click('by-email');
    await stage('verify_email (register)');
    await code();
    await firstToken();
    await finish('newcomer@example.com');
  },
  async 'a password that expires soon, kept, then changed'() {
    await accounts();
    await byPassword('sunli', 'nearly expired');
    await stage('password_expiring');
    await page.locator('#policy-1', { hasText: 'Characters: 8 to 18.' }).waitFor();
    // CIAM does not document the way by a code.
    assert.equal(await page.locator('#w-phone').isVisible(), false);
    await shot('password-expiring');
    await click('keep');
    await finish('sunli');
    await byPassword('sunli', 'nearly expired');
    await stage('password_expiring');
    await changePassword('nearly expired', 'quite fresh');
    await finish('sunli');
    await byPassword('sunli', 'quite fresh');
    await finish('sunli');
  },
  async 'an expired password, the old one wrong and the new one too short at first'() {
    await byPassword('wangwei', 'long expired');
    await stage('password_expired');
    assert.equal(await page.locator('#keep').isVisible(), false);
    await changePassword('not this', 'quite fresh');
    await error('ask_again');
    await changePassword('long expired', 'short');
    await error('ask_again');
    await stage('password_expired');
    await changePassword('long expired', 'quite fresh');
    await finish('wangwei');
  },
  async 'bound, with an expired password and a second factor'() {
    await logIn('A newcomer');
    await stage('pending_bind');
    await field('User name').fill('zhaomin');
    await field('Password').fill('expired, too');
    await click('by-password');
    await stage('mfa_required');
    await field('Mobile number').fill('');
    await click('by-phone');
    await stage('verify_phone (second_factor)');
    await code();
    await stage('password_expired');
    await changePassword('expired, too', 'quite fresh');
    await finish('zhaomin');
    // What the page fills in by itself, for the paths that come.
    await page.reload();
  },
  async 'a forgotten password, by SMS and by e-mail'() {
    await begin('reset_password');
    await click('login');
    await stage('password_reset');
    await field('Mobile number').fill('13900139000');
    await click('by-phone');
    await stage('verify_phone (reset_password)');
    await code({ newPassword: 'remembered' });
    await page.locator('#hint', { hasText: 'The password is changed.' }).waitFor();
    await byPassword('sunli', 'remembered');
    await finish('sunli');
    await begin('reset_password');
    await click('login');
    await stage('password_reset');
    await field('E-mail address').fill('sunli@example.com');
    await click('by-email');
    await stage('verify_email (reset_password)');
    await click('back');
    await stage('password_reset');
    await click('by-email');
    await stage('verify_email (reset_password)');
    await code({ newPassword: 'short' });
    await error('ask_again');
    await field('Your new password').fill('by heart now');
    await click('submit');
    await byPassword('sunli', 'by heart now');
    await finish('sunli');
  },
  async 'by keyboard alone'() {
    await accounts();
    await page.reload();
    await stage('unauthenticated');
    const keys = async (...presses) => { for (const key of presses) await page.keyboard.press(key); };
    const focused = id => page.waitForFunction(id => document.activeElement?.id === id, id);
    await keys('Tab', 'Tab');
    await focused('way');
    await page.keyboard.type('User name and password');
    await page.waitForFunction(() => document.getElementById('way').value === 'password');
    await keys('Tab');
    await page.keyboard.type('zhaomin');
    await keys('Tab');
    await page.keyboard.type('expired, too');
    await keys('Enter');
    await stage('mfa_required');
    await focused('phone');
    await keys('Enter');
    await stage('verify_phone (second_factor)');
    await focused('captcha');
    await keys('Enter');
    await focused('x');
    const token = await page.locator('#puzzle').getAttribute('data-token');
    const { x } = await (await fetch(`${address}/dev/captcha-x?token=${token}`)).json();
    for (let at = 0; at < Math.round(x); at++) await keys('ArrowRight');
    await keys('Enter');
    await focused('code');
    const { code } = await (await fetch(`${address}/dev/last-code?to=13500135000`)).json();
    await page.keyboard.type(code);
    await keys('Enter');
    await stage('password_expired');
    await focused('old-password');
    await page.keyboard.type('expired, too');
    await keys('Tab');
    await page.keyboard.type('typed by hand');
    await keys('Enter');
    await stage('authenticated');
    await focused('me');
    await keys('Enter');
    await page.locator('#user dd', { hasText: 'zhaomin' }).first().waitFor();
    await keys('Tab', 'Tab', 'Enter');
    await stage('unauthenticated');
  },
  async 'every field has a name, in the dark and in Chinese, too'() {
    const unnamed = await page.evaluate(() => [...document.querySelectorAll('input, select')].filter(field => !field.labels.length).map(field => field.id));
    assert.deepEqual(unnamed, []);
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.notEqual(await background(), light);
    await click('language');
    await page.locator('#way').selectOption({ label: '用户名和密码' });
    await page.getByLabel('账号', { exact: true }).locator('visible=true').fill('sunli');
    await page.getByLabel('登录密码').fill('nearly expired');
    await click('login');
    await stage('password_expiring');
    await page.locator('#hint', { hasText: '密码即将过期' }).waitFor();
    await shot('dark-and-chinese');
    await click('keep');
    await stage('authenticated');
    await click('logout');
    await click('language');
    await page.emulateMedia({ colorScheme: 'light' });
  },
  async 'in EIAM: an expired password, changed by a code to the number of the account'() {
    address = eiam;
    await page.goto(address);
    await byPassword('wangwei', 'long expired');
    await stage('password_expired');
    await field('Mobile number').fill('');
    await click('by-phone');
    await stage('verify_phone (change_password)');
    await page.locator('#policy-2', { hasText: 'Characters: 8 to 18.' }).waitFor();
    await code({ newPassword: 'quite fresh' });
    await finish('wangwei');
    await byPassword('sunli', 'nearly expired');
    await stage('password_expiring');
    await field('E-mail address').fill('sunli@example.com');
    await click('by-email');
    await stage('verify_email (change_password)');
    await click('back');
    await stage('password_expired');
    await click('by-email');
    await code({ newPassword: 'quite fresh' });
    await finish('sunli');
  },
  async 'in EIAM: a registration is not documented'() {
    await begin('register');
    await click('login');
    await stage('registration');
    assert.equal(await page.locator('#w-phone').isVisible(), false);
    await click('back');
    await stage('unauthenticated');
  },
};

await withPage({ viewport: { width: 1100, height: 900 } }, async (opened, complaints) => {
  page = opened;
  await page.goto(address);
  await walkAll(paths, page, complaints, 'failed.png', () => page.locator('#log li').allTextContents());
});
