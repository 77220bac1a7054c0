// The pictures of the README: the arguments are the address of a running backend example, and the folder that they go to.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { require, withPage } from './chromium.mjs';
import { pageOf } from './weixin.mjs';

const [address, folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const miniProgram = pageOf(resolve('examples/mini_program'), require);

for (const [name, locale, colorScheme] of [['light', 'en-US', 'light'], ['dark', 'zh-CN', 'dark']]) {
  const shot = (page, of) => page.screenshot({ path: join(folder, `${of}-${name}.png`), fullPage: true });

  // A stage in the backend's page, and the calls that led there beside it.
  await withPage({ viewport: { width: 880, height: 200 }, locale, colorScheme }, async page => {
    await page.goto(address);
    await page.locator('#way').selectOption('password');
    await page.locator('#login-name').fill('sunli');
    await page.locator('#login-password').fill('nearly expired');
    await page.locator('#login').click();
    await page.locator('#old-password').fill('nearly expired');
    await page.locator('#changed-password').fill('short');
    await page.locator('#change').click();
    await page.locator('#error').waitFor();
    // The accounts of the emulated tenant would be most of the picture.
    await page.locator('#accounts').evaluate(list => {
      list.previousElementSibling.remove();
      list.remove();
    });
    await shot(page, 'backend');
  });

  // A captcha in the mini program.
  await withPage({ viewport: { width: 375, height: 200 }, locale, colorScheme }, async page => {
    const at = stage => page.waitForFunction(stage => {
      const { login } = window.page.data;
      return login.stage === stage && !login.busy;
    }, stage);
    await page.route('**/mini-program', route => route.fulfill({ contentType: 'text/html', body: miniProgram }));
    await page.goto(`${address}/mini-program`);
    await page.locator('button').first().click();
    await at('pending_bind');
    await page.locator('.method').nth(1).click();
    await page.locator('input').fill('15201657312');
    await page.locator('button').last().click();
    await at('verify_phone');
    await page.locator('slider input').fill('40');
    await page.waitForFunction(() => [...document.querySelectorAll('image > img')].every(picture => picture.naturalWidth));
    await shot(page, 'mini-program');
  });
}
