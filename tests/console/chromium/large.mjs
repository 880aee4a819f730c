// A page of 200 racks and one of 1,000 instances: how long it takes until they are there.
import { ADDRESS, KEY, launch, look, must, open, signIn } from './browser.mjs';

const { ADDRESS_2, KEY_2 } = process.env;
const browser = await launch();

async function measure(name, [address, key], path, selector, count) {
  const { page, context, wrong } = await open(browser);
  await signIn(page, address, key);
  // The first look at a rack may take longer than a page waits for it.
  await page.goto(address + path);
  await page.waitForFunction(
    ([selector, count]) => document.querySelectorAll(selector).length === count,
    [selector, count],
    { timeout: 60_000 },
  );
  const spans = [];
  for (let n = 0; n < 5; n += 1) {
    await page.goto(address + path);
    const span = await page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd);
    must(await page.locator(selector).count() === count, `${name}: ${count} are there`);
    spans.push(Math.round(span));
  }
  console.log(`${name}: ${spans.join(', ')} ms`);
  // The machine may be busy with something else once in a while.
  must(Math.min(...spans) < 1000, `${name} takes ${spans.join(', ')} ms`);
  await look(page, name);
  must(wrong.length === 0, wrong.join('\n'));
  await context.close();
}

await measure('racks-200', [ADDRESS, KEY], '/', 'tbody tr', 200);
await measure('instances-1000', [ADDRESS_2, KEY_2], '/rack/acme/prod', 'li.cell', 1000);
await browser.close();
