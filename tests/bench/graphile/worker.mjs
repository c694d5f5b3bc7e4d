// graphile-worker with a task that does nothing: jobs a second from the queue to completion.
//
// usage: node worker.mjs PACKAGES DATABASE_URL JOBS [CONCURRENCY]   (no CONCURRENCY: its own default)
// The jobs are put in before the clock starts; it stops when the pool has shut down, so that the last completions are
// in the database.
import { createRequire } from "node:module";
import { join } from "node:path";

const [packages, connectionString, jobCount, concurrency] = process.argv.slice(2);
const { Logger, makeWorkerUtils, run } = createRequire(join(packages, "node_modules/x.js"))("graphile-worker");
const jobs = Number(jobCount);
const batch = 1000;

const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ connectionString, logger });
await utils.migrate();
for (let added = 0; added < jobs; added += batch) {
  const size = Math.min(batch, jobs - added);
  await utils.addJobs(Array.from({ length: size }, (_, i) => ({ identifier: "nothing", payload: { i: added + i } })));
}
await utils.release();

let seen = 0;
let allSeen;
const done = new Promise((resolve) => (allSeen = resolve));
const options = {
  connectionString,
  logger,
  noHandleSignals: true,
  taskList: {
    nothing: async () => {
      if (++seen === jobs) allSeen();
    },
  },
};
if (concurrency) options.concurrency = Number(concurrency);
const begin = process.hrtime.bigint();
const runner = await run(options);
await done;
await runner.stop();
console.log((jobs / (Number(process.hrtime.bigint() - begin) / 1e9)).toFixed(0));
