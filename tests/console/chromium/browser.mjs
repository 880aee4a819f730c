// What both scripts do with the browser.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.MODULES, 'index.js'));
const { chromium } = require('playwright-core');
const axe = require('axe-core');

export const { ADDRESS, KEY, SHOTS } = process.env;

const ours = [ADDRESS, process.env.ADDRESS_2, 'blob:'].filter(Boolean);

export function must(holds, told) {
  if (!holds) throw new Error(told);
}

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
      '--disable-background-networking', '--disable-component-update',
    ],
  });
}

// Opens a page that complains of what no page of ours may do.
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') wrong.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!ours.some((it) => url.startsWith(it))) wrong.push(`elsewhere: ${url}`);
  });
  return { page, context, wrong };
}

export async function signIn(page, address = ADDRESS, key = KEY) {
  await page.goto(`${address}/`);
  await page.getByLabel('Account key').fill(key);
  await page.getByRole('button', { name: 'Sign in with the key' }).click();
  await page.getByRole('heading', { name: 'Racks', level: 1 }).waitFor();
}

// Takes a picture, and looks for what keeps somebody from using the page.
export async function look(page, name) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
  const scripted = await page.evaluate('typeof window') === 'object';
  must(scripted, 'the page can be looked at');
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, {
    resultTypes: ['violations'],
  }));
  const serious = violations.filter((it) => it.impact === 'serious' || it.impact === 'critical');
  const told = serious.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join('\n  ')}`);
  must(serious.length === 0, `${name} has faults that keep people out:\n${told.join('\n')}`);
}
