// Drives the key service with the client that Unkey publishes on npm.
//
//   UNKEY_ROOT_KEY=... UNKEY_READER_KEY=... \
//     node tests/outside/unkey_drive.mjs ADDRESS DIRECTORY_OF_NODE_MODULES
//
// The second root key may read keys and nothing else.
// Every answer is one that the client has types for, or the script ends with an error.
// UNKEY_LIMITED_ADDRESS and UNKEY_LIMITED_KEY are of a server that answers two requests a day.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [address, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { Unkey } = require('@unkey/api');
const errors = require('@unkey/api/models/errors');

const rootKey = process.env.UNKEY_ROOT_KEY;
const client = (key) => new Unkey({ rootKey: key, serverURL: address, timeoutMs: 20_000 });
const unkey = client(rootKey);

async function fails(kind, status, call) {
  const error = await call().then(
    () => assert.fail(`no ${kind}`),
    (error) => error,
  );
  assert.ok(error instanceof errors[kind], `${kind}: ${error.stack}`);
  assert.equal(error.statusCode, status);
  return error;
}

const code = async (key, more = {}) => (await unkey.keys.verifyKey({ key, ...more })).data.code;

// APIs.
const { apiId } = (await unkey.apis.createApi({ name: 'orders' })).data;
assert.match(apiId, /^api_/);
assert.deepEqual((await unkey.apis.getApi({ apiId })).data, { id: apiId, name: 'orders' });

// A key with everything.
const made = (
  await unkey.keys.createKey({
    apiId,
    prefix: 'sk_live',
    name: 'Acme',
    externalId: 'acme-1',
    meta: { plan: 'pro', seats: [1, 2] },
    permissions: ['orders.read', 'orders.write'],
    expires: Date.now() + 86_400_000,
    credits: { remaining: 100, refill: { interval: 'monthly', amount: 100, refillDay: 31 } },
    ratelimits: [{ name: 'requests', limit: 50, duration: 60_000, autoApply: true }],
  })
).data;
assert.match(made.key, /^sk_live_/);
const shown = (await unkey.keys.getKey({ keyId: made.keyId })).data;
assert.equal(shown.keyId, made.keyId);
assert.equal(shown.name, 'Acme');
assert.deepEqual(shown.meta, { plan: 'pro', seats: [1, 2] });
assert.deepEqual(shown.permissions, ['orders.read', 'orders.write']);
assert.equal(shown.credits.remaining, 100);
assert.equal(shown.credits.refill.refillDay, 31);
assert.equal(shown.identity.externalId, 'acme-1');
assert.equal(shown.ratelimits[0].name, 'requests');
assert.equal((await unkey.keys.whoami({ key: made.key })).data.keyId, made.keyId);

// Verifying it.
const verified = (
  await unkey.keys.verifyKey({
    key: made.key,
    permissions: 'orders.read AND (orders.write OR orders.delete)',
    credits: { cost: 2 },
    ratelimits: [{ name: 'requests' }],
    tags: ['path=/orders'],
  })
).data;
assert.equal(verified.valid, true);
assert.equal(verified.code, 'VALID');
assert.equal(verified.credits, 98);
assert.equal(verified.ratelimits[0].remaining, 49);
assert.equal(await code(made.key, { permissions: 'orders.delete' }), 'INSUFFICIENT_PERMISSIONS');
assert.equal(await code(made.key, { credits: { cost: 1000 } }), 'USAGE_EXCEEDED');
assert.equal(await code('sk_live_nobody'), 'NOT_FOUND');

// A key with nothing: what is empty is left out, and the client takes that.
const bare = (await unkey.keys.createKey({ apiId })).data;
const bareShown = (await unkey.keys.getKey({ keyId: bare.keyId })).data;
assert.equal(bareShown.name, undefined);
assert.equal(bareShown.credits, undefined);

// Rerolls. At once:
const second = (await unkey.keys.rerollKey({ keyId: made.keyId, expiration: 0 })).data;
assert.match(second.key, /^sk_live_/);
assert.equal(await code(made.key), 'EXPIRED');
assert.equal(await code(second.key), 'VALID');
const kept = (await unkey.keys.getKey({ keyId: second.keyId })).data;
assert.deepEqual(kept.permissions, shown.permissions);
assert.equal(kept.expires, shown.expires);
assert.equal(kept.identity.externalId, 'acme-1');
// With a grace period of an hour, and a 409 for whoever rerolls the old one again:
const third = (await unkey.keys.rerollKey({ keyId: second.keyId, expiration: 3_600_000 })).data;
assert.equal(await code(second.key), 'VALID');
assert.equal(await code(third.key), 'VALID');
const ends = (await unkey.keys.getKey({ keyId: second.keyId })).data.expires;
assert.ok(Math.abs(ends - Date.now() - 3_600_000) < 60_000, `${ends}`);
const conflict = await unkey.keys.rerollKey({ keyId: second.keyId, expiration: 0 }).catch((e) => e);
assert.equal(conflict.constructor.name, 'APIError');
assert.equal(conflict.statusCode, 409);
assert.ok(JSON.parse(conflict.body).error.detail.includes(third.keyId), conflict.body);
// `null` cannot be said with this client's types; the one from PyPI does.

// Errors have types.
const bad = await fails('BadRequestErrorResponse', 400, () => unkey.keys.getKey({ keyId: 'a-b' }));
assert.ok(Array.isArray(bad.error.errors) && bad.error.errors.length > 0);
await fails('UnauthorizedErrorResponse', 401, () => client('root_nobody').keys.getKey({ keyId: made.keyId }));
await fails('NotFoundErrorResponse', 404, () => unkey.keys.getKey({ keyId: 'key_nobody' }));
await fails('NotFoundErrorResponse', 404, () => unkey.apis.getApi({ apiId: 'api_nobody' }));
const reader = client(process.env.UNKEY_READER_KEY).keys;
assert.equal((await reader.getKey({ keyId: third.keyId })).data.keyId, third.keyId);
await fails('ForbiddenErrorResponse', 403, () => reader.rerollKey({ keyId: third.keyId, expiration: 0 }));

// What is not typed for an operation is an error with its status all the same.
const refused = await unkey.keys.createKey({ apiId, recoverable: true }).catch((e) => e);
assert.equal(refused.statusCode, 412);
assert.match(JSON.parse(refused.body).error.type, /precondition_failed$/);
const limited = new Unkey({
  rootKey: process.env.UNKEY_LIMITED_KEY,
  serverURL: process.env.UNKEY_LIMITED_ADDRESS,
});
const asks = () => limited.keys.getKey({ keyId: 'key_nobody' });
await fails('NotFoundErrorResponse', 404, asks);
await fails('NotFoundErrorResponse', 404, asks);
const tooMany = await fails('TooManyRequestsErrorResponse', 429, asks);
assert.equal(tooMany.error.title, 'Too Many Requests');

// Changing a key.
const keyId = third.keyId;
const update = (change) => unkey.keys.updateKey({ keyId, ...change });
await update({ name: 'Renamed', meta: null, enabled: false });
const changed = (await unkey.keys.getKey({ keyId })).data;
assert.equal(changed.name, 'Renamed');
assert.equal(changed.meta, undefined);
assert.equal(await code(third.key), 'DISABLED');
await update({ enabled: true, name: null, credits: { remaining: 5 }, ratelimits: [] });
assert.equal(await code(third.key), 'VALID');
const credits = await unkey.keys.updateCredits({ keyId, operation: 'set', value: 7 });
assert.equal(credits.data.remaining, 7);

// Lists.
const all = async (pages) => {
  const found = [];
  for await (const page of await pages) found.push(...page.result.data);
  return found;
};
const listed = (await all(unkey.apis.listKeys({ apiId, limit: 2 }))).map((key) => key.keyId);
assert.ok([bare, third].every((key) => listed.includes(key.keyId)), `${listed}`);

// Identities.
const externalId = `globex-${Date.now()}`;
const { identityId } = (
  await unkey.identities.createIdentity({
    externalId,
    meta: { plan: 'free' },
    ratelimits: [{ name: 'requests', limit: 10, duration: 60_000, autoApply: true }],
  })
).data;
await fails('ConflictErrorResponse', 409, () => unkey.identities.createIdentity({ externalId }));
const identity = externalId;
assert.equal((await unkey.identities.getIdentity({ identity })).data.id, identityId);
const updated = await unkey.identities.updateIdentity({ identity, meta: { plan: 'pro' }, ratelimits: [] });
assert.deepEqual(updated.data.meta, { plan: 'pro' });
const identities = await all(unkey.identities.listIdentities({ limit: 1 }));
assert.ok(identities.some((one) => one.id === identityId));
await unkey.identities.deleteIdentity({ identity });
await fails('NotFoundErrorResponse', 404, () => unkey.identities.getIdentity({ identity }));

// Permissions and roles.
const slug = `reports.${Date.now()}`;
const name = `reader-${slug}`;
const { permissionId } = (
  await unkey.permissions.createPermission({ name: slug, slug, description: 'to read reports' })
).data;
const { roleId } = (await unkey.permissions.createRole({ name, description: 'reads' })).data;
await fails('ConflictErrorResponse', 409, () => unkey.permissions.createPermission({ name: slug, slug }));
const got = (await unkey.permissions.getPermission({ permission: slug })).data;
assert.deepEqual(got, { id: permissionId, name: slug, slug, description: 'to read reports' });
const given = (await unkey.permissions.setRolePermissions({ roleId, permissions: [slug] })).data;
assert.deepEqual(given.map((one) => one.slug), [slug]);
const role = (await unkey.permissions.getRole({ role: roleId })).data;
assert.deepEqual([role.id, role.name, role.description], [roleId, name, 'reads']);
assert.deepEqual(role.permissions.map((one) => one.slug), [slug]);
const had = (await unkey.keys.addRoles({ keyId, roles: [name] })).data;
assert.deepEqual(had.map((one) => one.name), [name]);
assert.equal(await code(third.key, { permissions: slug }), 'VALID');
assert.ok((await all(unkey.permissions.listPermissions({ limit: 10 }))).some((one) => one.slug === slug));
assert.ok((await all(unkey.permissions.listRoles({ limit: 10 }))).some((one) => one.id === roleId));
await unkey.permissions.deletePermission({ permission: slug });
await fails('NotFoundErrorResponse', 404, () => unkey.permissions.getPermission({ permission: slug }));
assert.equal(await code(third.key, { permissions: slug }), 'INSUFFICIENT_PERMISSIONS');
await unkey.permissions.deleteRole({ role: name });
await fails('NotFoundErrorResponse', 404, () => unkey.permissions.getRole({ role: name }));
const refund = { keyId, permissions: ['orders.refund'] };
assert.ok((await unkey.keys.addPermissions(refund)).data.some((one) => one.slug === 'orders.refund'));
assert.equal(await code(third.key, { permissions: 'orders.refund' }), 'VALID');
await unkey.keys.removePermissions(refund);
assert.equal(await code(third.key, { permissions: 'orders.refund' }), 'INSUFFICIENT_PERMISSIONS');
assert.deepEqual((await unkey.keys.setPermissions({ keyId, permissions: [] })).data, []);
assert.deepEqual((await unkey.keys.setRoles({ keyId, roles: [] })).data, []);

// Limits by themselves.
const limit = async () => {
  const body = { namespace: 'emails', identifier: 'acme', limit: 1, duration: 2_592_000_000 };
  return (await unkey.ratelimit.limit(body)).data.success;
};
assert.deepEqual([await limit(), await limit()], [true, false]);

// How often keys were verified: counted a moment later.
const query = `SELECT outcome, SUM(count) AS n FROM key_verifications_per_month_v1 WHERE key_id = '${keyId}' GROUP BY outcome`;
const isCounted = (row) => row.outcome === 'INSUFFICIENT_PERMISSIONS' && row.n >= 2;
for (let tries = 0; ; tries += 1) {
  const rows = (await unkey.analytics.getVerifications({ query })).data;
  if (rows.some(isCounted)) break;
  assert.ok(tries < 200, JSON.stringify(rows));
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const noView = () => unkey.analytics.getVerifications({ query: 'SELECT * FROM keys' });
await fails('BadRequestErrorResponse', 400, noView);

// The end.
await unkey.keys.deleteKey({ keyId });
assert.equal(await code(third.key), 'NOT_FOUND');
await unkey.apis.deleteApi({ apiId });
assert.equal(await code(bare.key), 'NOT_FOUND');
console.log('done');
