// The yardstick that others wrote: better-auth with its plugin for API keys, behind node:http.
//
// `verifyApiKey` has no route of its own, so whoever wants it over HTTP writes one, as here, with
// as little as possible around it. BENCH_DATABASE: a file, or a URL of PostgreSQL. BENCH_SYNC:
// what SQLite is to wait for, NORMAL or FULL. BENCH_KEYS: how many keys are made.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { BENCH_DATABASE, BENCH_KEYS, BENCH_MODULES, BENCH_PORT, BENCH_SECRET, BENCH_SYNC } =
  process.env;
const require = createRequire(`${BENCH_MODULES}/`);
// What is only exported to `import` is asked for by a file there.
const load = (name) => import(pathToFileURL(`${BENCH_MODULES}/node_modules/${name}`));
const { betterAuth } = await load("better-auth/dist/index.mjs");
const { getMigrations } = await load("better-auth/dist/db/get-migration.mjs");
const { apiKey } = await load("@better-auth/api-key/dist/index.mjs");

const PERMISSIONS = { documents: ["read", "write"] };
const DAY = 24 * 60 * 60;
const LIMIT = { rateLimitEnabled: true, rateLimitMax: 1_000_000_000, rateLimitTimeWindow: 60_000 };

function database() {
  if (BENCH_DATABASE.startsWith("postgres")) {
    const { Pool } = require("pg");
    return new Pool({ connectionString: BENCH_DATABASE, max: 16 });
  }
  const file = new (require("better-sqlite3"))(BENCH_DATABASE);
  file.pragma("journal_mode = WAL");
  file.pragma(`synchronous = ${BENCH_SYNC}`);
  return file;
}

const options = {
  database: database(),
  secret: BENCH_SECRET,
  baseURL: `http://127.0.0.1:${BENCH_PORT}`,
  logger: { disabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ rateLimit: { enabled: true } })],
};
const auth = betterAuth(options);
await (await getMigrations(options)).runMigrations();
const { adapter } = await auth.$context;

async function user() {
  const found = await adapter.findOne({ model: "user", where: [{ field: "name", value: "bench" }] });
  if (found) return found;
  const now = new Date();
  const made = await adapter.create({
    model: "user",
    data: { name: "bench", email: "bench@example.com", emailVerified: true, createdAt: now, updatedAt: now },
  });
  for (let n = 0; n < Number(BENCH_KEYS); n += 1) {
    const digits = `1${String(n).padStart(15, "0")}`;
    await adapter.create({ model: "apikey", data: row(digits, made.id, now), forceAllowId: true });
  }
  return made;
}

/** A key as the plugin stores it, with a secret that the load generator knows. */
function row(digits, referenceId, now) {
  const secret = `sk_live_000000${digits}`;
  return {
    id: `key_${digits}`,
    configId: "default",
    name: `customer ${digits}`,
    start: secret.slice(0, 6),
    prefix: "sk_live_",
    key: createHash("sha256").update(secret).digest("base64url"),
    referenceId,
    enabled: true,
    ...LIMIT,
    requestCount: 0,
    permissions: JSON.stringify(PERMISSIONS),
    createdAt: now,
    updatedAt: now,
  };
}

const { id: userId } = await user();

async function verify({ key, permissions }) {
  return auth.api.verifyApiKey({ body: { key, permissions } });
}

/** What stands in for a reroll: another key, and a day for the old one, which is the shortest. */
async function replace({ keyId }) {
  const made = await auth.api.createApiKey({
    body: { userId, name: "customer", prefix: "sk_live_", permissions: PERMISSIONS, ...LIMIT },
  });
  await auth.api.updateApiKey({ body: { keyId, userId, expiresIn: DAY } });
  return { keyId: made.id, key: made.key };
}

const operations = { "/verify": verify, "/replace": replace };

createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    let status = 200;
    let answer;
    try {
      answer = await operations[request.url](JSON.parse(Buffer.concat(parts)));
    } catch (error) {
      status = 500;
      answer = { error: String(error) };
    }
    const bytes = Buffer.from(JSON.stringify(answer));
    response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
    response.end(bytes);
  });
}).listen(Number(BENCH_PORT), "127.0.0.1");
