// Drives the key service with the client that Unkey publishes on npm.
//
//   UNKEY_ROOT_KEY=... UNKEY_READER_KEY=... \
//     node tests/outside/unkey_drive.mjs ADDRESS DIRECTORY_OF_NODE_MODULES
//
// The second root key may read keys and nothing else.
// Every answer is one that the client has types for, or the script ends with an error. What the
// server does not have yet is told, a line each: `not served: NAME`.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [address, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { Unkey } = require('@unkey/api');
const errors = require('@unkey/api/models/errors');

const rootKey = process.env.UNKEY_ROOT_KEY;
const client = (key) => new Unkey({ rootKey: key, serverURL: address, timeoutMs: 20_000 });
const unkey = client(rootKey);

// Calls an operation that may not be served yet.
async function soon(name, call) {
  try {
    return await call();
  } catch (error) {
    // An operation that never answers 404 has no type for it.
    const type = error.statusCode === 404 ? JSON.parse(error.body).error.type : '';
    if (!type.endsWith('/path_not_found')) throw error;
    console.log(`not served: ${name}`);
    return undefined;
  }
}

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

// Changing a key.
const update = (change) =>
  soon('keys.updateKey', () => unkey.keys.updateKey({ keyId: third.keyId, ...change }));
if (await update({ name: 'Renamed', meta: null, enabled: false })) {
  const changed = (await unkey.keys.getKey({ keyId: third.keyId })).data;
  assert.equal(changed.name, 'Renamed');
  assert.equal(changed.meta, undefined);
  assert.equal(await code(third.key), 'DISABLED');
  await update({ enabled: true, name: null, credits: { remaining: 5 }, ratelimits: [] });
  assert.equal(await code(third.key), 'VALID');
}
const credits = await soon('keys.updateCredits', () =>
  unkey.keys.updateCredits({ keyId: third.keyId, operation: 'set', value: 7 }),
);
if (credits) assert.equal(credits.data.remaining, 7);

// Lists.
const listed = await soon('apis.listKeys', async () => {
  const ids = [];
  const pages = await unkey.apis.listKeys({ apiId, limit: 2 });
  for await (const page of pages) ids.push(...page.result.data.map((key) => key.keyId));
  return ids;
});
if (listed) assert.ok([bare, third].every((key) => listed.includes(key.keyId)), `${listed}`);

// Identities.
const externalId = `globex-${Date.now()}`;
const identity = await soon('identities.createIdentity', () =>
  unkey.identities.createIdentity({
    externalId,
    meta: { plan: 'free' },
    ratelimits: [{ name: 'requests', limit: 10, duration: 60_000, autoApply: true }],
  }),
);
if (identity) {
  const { identityId } = identity.data;
  await fails('ConflictErrorResponse', 409, () => unkey.identities.createIdentity({ externalId }));
  const found = await soon('identities.getIdentity', () => unkey.identities.getIdentity({ identity: externalId }));
  if (found) assert.equal(found.data.id, identityId);
  const changed = await soon('identities.updateIdentity', () =>
    unkey.identities.updateIdentity({ identity: externalId, meta: { plan: 'pro' }, ratelimits: [] }),
  );
  if (changed) assert.deepEqual(changed.data.meta, { plan: 'pro' });
  const all = await soon('identities.listIdentities', async () => {
    const ids = [];
    const pages = await unkey.identities.listIdentities({ limit: 1 });
    for await (const page of pages) ids.push(...page.result.data.map((one) => one.id));
    return ids;
  });
  if (all) assert.ok(all.includes(identityId));
  await soon('identities.deleteIdentity', () => unkey.identities.deleteIdentity({ identity: externalId }));
}

// Permissions and roles.
const slug = `reports.${Date.now()}`;
const permission = await soon('permissions.createPermission', () =>
  unkey.permissions.createPermission({ name: slug, slug, description: 'to read reports' }),
);
const role = await soon('permissions.createRole', () =>
  unkey.permissions.createRole({ name: `reader-${slug}`, description: 'reads' }),
);
if (permission && role) {
  await fails('ConflictErrorResponse', 409, () => unkey.permissions.createPermission({ name: slug, slug }));
  const got = await soon('permissions.getPermission', () => unkey.permissions.getPermission({ permission: slug }));
  if (got) assert.equal(got.data.slug, slug);
  await soon('permissions.setRolePermissions', () =>
    unkey.permissions.setRolePermissions({ roleId: role.data.roleId, permissions: [slug] }),
  );
  const ofRole = await soon('permissions.getRole', () => unkey.permissions.getRole({ role: role.data.roleId }));
  if (ofRole) assert.equal(ofRole.data.id, role.data.roleId);
  await soon('keys.addRoles', () => unkey.keys.addRoles({ keyId: third.keyId, roles: [`reader-${slug}`] }));
  await soon('permissions.listPermissions', () => unkey.permissions.listPermissions({ limit: 10 }));
  await soon('permissions.listRoles', () => unkey.permissions.listRoles({ limit: 10 }));
}
const added = await soon('keys.addPermissions', () =>
  unkey.keys.addPermissions({ keyId: third.keyId, permissions: ['orders.refund'] }),
);
if (added) {
  assert.equal(await code(third.key, { permissions: 'orders.refund' }), 'VALID');
  await soon('keys.removePermissions', () =>
    unkey.keys.removePermissions({ keyId: third.keyId, permissions: ['orders.refund'] }),
  );
}
await soon('keys.setPermissions', () => unkey.keys.setPermissions({ keyId: third.keyId, permissions: [] }));
await soon('keys.setRoles', () => unkey.keys.setRoles({ keyId: third.keyId, roles: [] }));

// Limits by themselves.
const limited = await soon('ratelimit.limit', () =>
  unkey.ratelimit.limit({ namespace: 'emails', identifier: 'acme', limit: 1, duration: 60_000 }),
);
if (limited) assert.equal(limited.data.success, true);

// The end.
await unkey.keys.deleteKey({ keyId: third.keyId });
assert.equal(await code(third.key), 'NOT_FOUND');
await unkey.apis.deleteApi({ apiId });
assert.equal(await code(bare.key), 'NOT_FOUND');
console.log('done');
