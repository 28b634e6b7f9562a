// SPDX-License-Identifier: Apache-2.0
// cel.mjs TEXT...: the same expressions in JavaScript's two engines, compiled before, over the same order as objects.
// One line of JSON per expression: the best round of each engine, null where it does not know the expression.
import { parse, plan, celEnv } from '@bufbuild/cel';
import { Environment } from '@marcbachmann/cel-js';

const ROUNDS = 20;
const BATCH = 2000;

const order = {
  id: 42n, status: 'PAID', email: 'jane.doe@example.org', amount: 99.5, customer: { country: 'NZ', age: 33n },
  items: [{ sku: 'A-100', count: 1n }, { sku: 'B-200', count: 2n }, { sku: 'C-300', count: 3n },
    { sku: 'D-400', count: 4n }],
};
const bindings = { message: order };

function measure(run) {
  let best = Infinity;
  if (run(bindings) !== true) return null;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = process.hrtime.bigint();
    for (let i = 0; i < BATCH; i++) run(bindings);
    best = Math.min(best, Number(process.hrtime.bigint() - begin) / BATCH);
  }
  return best;
}

function attempt(make) {
  try {
    return measure(make());
  } catch {
    return null;
  }
}

const environment = new Environment().registerVariable('message', 'map');
for (const text of process.argv.slice(2)) {
  const bufbuild = attempt(() => plan(celEnv(), parse(text)));
  const marcbachmann = attempt(() => environment.parse(text));
  console.log(JSON.stringify({ bufbuild, marcbachmann }));
}
