// Runs the SQL of its standard input in the PostgreSQL database of its argument, and prints the
// rows of the last statement as JSON.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.env.BENCH_MODULES}/`);
const { Client } = require("pg");

const client = new Client({ connectionString: process.argv[2] });
await client.connect();
const done = await client.query(readFileSync(0, "utf8"));
const last = Array.isArray(done) ? done.at(-1) : done;
process.stdout.write(JSON.stringify(last.rows));
await client.end();
