// The process that is measured: one entrant, one measurement, one round. Prints one line of JSON, and ends at once;
// whoever started it ends what the entrant left behind.
const { file, name, peer, options, settings } = JSON.parse(process.argv[2]);
const measurement = (await import(`./measurements/${file}.mjs`))[name];

const open = async (task) => {
  const adapter = await import(`./peers/${peer}.mjs`);
  return await adapter.open(task, { kind: "threads", size: settings.workers ?? 2, ...options });
};

try {
  print({ metrics: await measurement(open, settings) });
} catch (error) {
  print({ error: String(error) });
}

function print(outcome) {
  process.stdout.write(`\n@result ${JSON.stringify(outcome)}\n`, () => process.exit());
}
