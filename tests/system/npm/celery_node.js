// Calls tasks with the package celery-node. Standard input: {broker, backend, protocol,
// calls: [[task, args, kwargs], ...]}; output: for each call what the package makes of
// its result, {value} or {status, error}.
"use strict";
const celery = require("celery-node");

async function outcome(result) {
  try {
    return { value: await result.get(20000, 50) };
  } catch (error) {
    return { status: error.message, error };
  }
}

async function main({ broker, backend, protocol, calls }) {
  const client = celery.createClient(broker, backend);
  client.conf.TASK_PROTOCOL = protocol;
  const results = calls.map(([task, args, kwargs]) =>
    client.createTask(task).applyAsync(args, kwargs));
  console.log(JSON.stringify(await Promise.all(results.map(outcome))));
  await client.disconnect();
}

main(JSON.parse(require("fs").readFileSync(0, "utf-8"))).catch((error) => {
  console.error(error);
  process.exit(1);
});
