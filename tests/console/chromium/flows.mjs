// Every flow that the pages are for, as a person goes through it.
import { readFile } from 'node:fs/promises';
import { ADDRESS, KEY, launch, look, must, open, signIn } from './browser.mjs';

const browser = await launch();
const { page, context, wrong } = await open(browser, { permissions: ['clipboard-read', 'clipboard-write'] });
const button = (name) => page.getByRole('button', { name });
const link = (name) => page.getByRole('link', { name });
const heading = (name) => page.getByRole('heading', { name, level: 1 }).waitFor();
const state = (name) => page.locator('#live .notice strong', { hasText: name });

async function flow(name, work) {
  try {
    await work();
    console.log(`ok: ${name}`);
  } catch (error) {
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/failed.png`, fullPage: true });
    console.error(`not ok: ${name}, at ${page.url()}\n${error.message}`);
    process.exit(1);
  }
}

async function roll(rack, what) {
  await page.goto(`${ADDRESS}/rack/acme/${rack}`);
  await link(`Roll ${what} key`).click();
  await heading(`Roll the ${what} key of acme/${rack}`);
}

await flow('a wrong key is refused, and said', async () => {
  await page.goto(`${ADDRESS}/account`);
  await look(page, 'sign-in');
  await page.getByLabel('Account key').fill('convox_wrong');
  await button('Sign in with the key').click();
  await page.getByRole('alert').waitFor();
  await look(page, 'sign-in-refused');
  // The browser tells of every answer that is no success.
  wrong.length = 0;
  await page.getByLabel('Account key').fill(KEY);
  await button('Sign in with the key').click();
  await heading('Account');
});

await flow('the keyboard is enough', async () => {
  await page.goto(`${ADDRESS}/`);
  await page.keyboard.press('Tab');
  must(await page.evaluate(() => document.activeElement.textContent) === 'To the content', 'the first stop skips the menu');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  must(await page.evaluate(() => document.activeElement.closest('main') !== null), 'the next is in the content');
  await page.keyboard.press('Enter');
  await heading('acme/legacy');
});

await flow('the racks, and one of them', async () => {
  await page.goto(`${ADDRESS}/`);
  await page.getByText('running').first().waitFor();
  await look(page, 'racks');
  await link('acme/staging').click();
  await heading('acme/staging');
  await page.locator('.cell').nth(2).waitFor();
  await look(page, 'rack');
});

await flow('the SSH key is rolled, and seen to change', async () => {
  await roll('staging', 'SSH');
  await page.getByText('has 2 processes: it may be down').first().waitFor();
  await look(page, 'plan');
  await button('Roll the SSH key now').click();
  await heading('Roll of acme/staging');
  let loads = 0;
  page.on('load', () => { loads += 1; });
  await page.waitForFunction(() => document.querySelector('#live li.cell.old') && document.querySelector('#live li.cell.new'), null, { timeout: 60_000 });
  await look(page, 'roll-live');
  await state('done').waitFor({ timeout: 60_000 });
  await page.waitForFunction(() => !document.querySelector('[hx-trigger]'), null, { timeout: 20_000 });
  must(await page.locator('li.cell.new').count() === 3, 'all three have the new key');
  must(await page.locator('li.cell.old').count() === 0, 'none has the old one');
  must(await page.locator('svg.plot .floor').count() === 1, 'the minimum is drawn');
  must(loads === 0, 'the page was never loaded again');
  await look(page, 'roll-done');
});

await flow('a schedule is kept, and the racks tell what is next', async () => {
  await page.goto(`${ADDRESS}/rack/acme/prod`);
  await page.getByText('Roll it by itself…').first().click();
  await page.locator('#schedule-ssh').fill('every 90 days, Tue 03:00-05:00 Europe/Paris');
  await page.getByRole('button', { name: 'Keep' }).first().click();
  await page.getByText('Rolled by itself next').waitFor();
  await look(page, 'rack-scheduled');
  await page.goto(`${ADDRESS}/`);
  must(/in \d+ days/.test(await page.locator('tr', { hasText: 'acme/prod' }).textContent()), 'the next roll is told');
});

await flow('a roll that goes back says what failed first', async () => {
  await roll('legacy', 'SSH');
  await button('Roll the SSH key now').click();
  await state('rolled back').waitFor({ timeout: 120_000 });
  await page.getByRole('heading', { name: 'What failed first' }).waitFor();
  await look(page, 'roll-back');
});

await flow('a roll is cancelled by the keyboard, while the page changes', async () => {
  await roll('prod', 'SSH');
  await button('Roll the SSH key now').click();
  await page.getByText('Rolling update initiated').waitFor({ timeout: 60_000 });
  await button('Cancel').focus();
  await page.waitForTimeout(2500);
  must(await page.evaluate(() => document.activeElement.id) === 'cancel', 'the focus stays where it was');
  await page.keyboard.press('Enter');
  await state('rolled back').waitFor({ timeout: 120_000 });
});

await flow('the API key is rolled', async () => {
  await roll('staging', 'API');
  await look(page, 'plan-api');
  await button('Roll the API key now').click();
  await state('done').waitFor({ timeout: 120_000 });
  await look(page, 'roll-api');
});

let first;
await flow('a key is made, copied, rerolled, watched and cut', async () => {
  await link('API keys').click();
  await look(page, 'apis');
  await page.getByText('Make an API').click();
  await page.getByLabel('Name').fill('Invoices');
  await page.getByLabel('Prefix of its keys').fill('inv');
  await button('Make the API').click();
  await heading('Keys of Invoices');
  await page.getByText('Make a key').click();
  await page.getByLabel('Name').fill('first');
  await page.getByLabel('Issued to').fill('globex');
  await button('Make the key').click();
  await heading('A new key');
  first = await page.getByLabel('The key, shown this once').inputValue();
  must(first.startsWith('inv_'), first);
  await button('Copy').click();
  await page.getByText('Copied.').waitFor();
  must(await page.evaluate(() => navigator.clipboard.readText()) === first, 'it is in the clipboard');
  await look(page, 'key-new');
  await link('I have it').click();
  await page.getByLabel('1 hour').check();
  await button('Reroll the key').click();
  await heading('A new key');
  await link('I have it').click();
  await look(page, 'key-rotation-new');
  await button('Cut the old key now').click();
  await page.getByText('opens nothing any more').waitFor();
});

await flow('who still uses an old key is seen', async () => {
  await page.goto(`${ADDRESS}/keys`);
  await link('Orders').click();
  await look(page, 'keys');
  await page.getByLabel('Look for').fill('vandelay');
  await button('Search').click();
  await page.locator('tbody th a').first().click();
  await page.locator('svg.plot .line.old').waitFor();
  await page.getByText('service=billing').waitFor();
  await look(page, 'key-rotation');
});

const password = 'correct horse battery';
await flow('the account key is rolled, and a password signs in', async () => {
  await page.goto(`${ADDRESS}/account`);
  await page.getByText('Roll API key…').click();
  await page.getByLabel('24 hours').check();
  await look(page, 'account');
  await button('Roll API key').click();
  await heading('Your new account key');
  const rolled = await page.getByLabel('The key, shown this once').inputValue();
  await link('I have it').click();
  must(!(await page.content()).includes(rolled), 'it is not shown again');
  await page.getByLabel('An account key of yours').fill(rolled);
  await page.getByLabel('New password').fill(password);
  await page.getByLabel('The same again').fill(password);
  await button('Set a password').click();
  await button('Change the password').waitFor();
  await button('Sign out').click();
  await page.getByLabel('Name', { exact: true }).fill('you');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await button('Sign in with the password').click();
  await heading('Racks');
});

await flow('the audit log is filtered and exported', async () => {
  await link('Audit').click();
  await page.getByLabel('What').fill('roll.begin');
  await button('Filter').click();
  must(await page.locator('tbody tr').count() === 4, 'four rolls were begun');
  await look(page, 'audit');
  const [download] = await Promise.all([page.waitForEvent('download'), link('Export').click()]);
  const text = await readFile(await download.path(), 'utf8');
  const lines = text.trim().split('\n').map((line) => JSON.parse(line));
  must(lines.length === 4 && lines.every((it) => it.event === 'roll.begin'), text);
  must(!text.includes(first) && !text.includes(KEY), 'no secret is in it');
});

await flow('in the dark, and on a small screen', async () => {
  for (const [name, options] of [
    ['dark', { colorScheme: 'dark' }],
    ['small', { viewport: { width: 390, height: 844 } }],
  ]) {
    const other = await open(browser, { ...options, storageState: await context.storageState() });
    for (const path of ['/', '/rack/acme/staging', '/rack/acme/staging/roll/ssh', '/keys', '/account', '/audit']) {
      await other.page.goto(ADDRESS + path);
      await look(other.page, `${name}${path.replaceAll('/', '-')}`);
      const wide = await other.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      must(wide <= 0, `${path} is ${wide} px wider than the ${name} screen`);
    }
    must(other.wrong.length === 0, other.wrong.join('\n'));
    await other.context.close();
  }
});

await flow('without a script', async () => {
  const other = await open(browser, { javaScriptEnabled: false });
  await signIn(other.page);
  await other.page.goto(`${ADDRESS}/rack/acme/staging/roll/ssh`);
  await other.page.getByRole('button', { name: 'Roll the SSH key now' }).click();
  // The page loads itself again.
  await other.page.locator('#live .notice strong', { hasText: 'done' }).waitFor({ timeout: 90_000 });
  await other.page.getByRole('button', { name: 'Sign out' }).click();
  await other.page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
  must(other.wrong.length === 0, other.wrong.join('\n'));
  await other.context.close();
});

await flow('a fault would have been found', async () => {
  await page.goto(`${ADDRESS}/`);
  await page.evaluate(() => document.querySelector('main').append(document.createElement('input')));
  const found = await look(page, 'fault').then(() => false, (error) => error.message.includes('label'));
  must(found, 'a field without a label is a fault');
});

await flow('nothing was loaded from elsewhere, and no script failed', async () => {
  must(wrong.length === 0, wrong.join('\n'));
});
await browser.close();
