// Calls tasks with the package node-celery. Standard input: {broker, backend,
// calls: [[task, args, kwargs, options], ...]}; output: for each call the message with
// its result, as the package's event "ready" has it.
"use strict";
const celery = require("node-celery");

const { broker, backend, calls } = JSON.parse(require("fs").readFileSync(0, "utf-8"));
const client = celery.createClient({
  CELERY_BROKER_URL: broker,
  CELERY_RESULT_BACKEND: backend,
  // The package's own reading of a URL knows no virtual host.
  CELERY_BROKER_OPTIONS: { url: broker, heartbeat: 580 },
});
client.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
client.on("connect", async () => {
  const results = calls.map(([task, args, kwargs, options]) => {
    const result = client.createTask(task).call(args, kwargs, options);
    return new Promise((resolve) => result.on("ready", resolve));
  });
  console.log(JSON.stringify(await Promise.all(results)));
  process.exit(0);
});
