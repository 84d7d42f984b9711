// JavaScript on V8: node node_jobs.js JOB SIZE SECONDS. SIZE: MiB of the typed array, else thousands of objects.
'use strict';

const BATCH = 100000;

function typedArray(mib) {
  const values = new Float64Array(mib * 131072).fill(1);
  let random = 12345;
  return () => {
    let sum = 0;
    for (let i = 0; i < BATCH; i++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      sum += values[Math.floor((random / 4294967296) * values.length)];
    }
    return sum > 0 ? BATCH : 0;
  };
}

function map(thousands) {
  const count = thousands * 1000;
  const table = new Map();
  for (let i = 0; i < count; i++) table.set('key' + i, { number: i });
  const keys = [...table.keys()];
  return () => {
    let sum = 0;
    for (let i = 0; i < BATCH; i++) sum += table.get(keys[Math.floor(Math.random() * count)]).number;
    return sum >= 0 ? BATCH : 0;
  };
}

// Objects that live for a while: a window of arrays, the oldest dropped.
function churn(thousands) {
  const alive = [];
  return () => {
    const rows = [];
    for (let i = 0; i < 10000; i++) rows.push({ id: i, name: 'n' + i, tags: [i, i + 1] });
    alive.push(rows);
    if (alive.length > thousands / 10) alive.shift();
    return rows.length;
  };
}

const [job, size, seconds] = process.argv.slice(2);
const step = { array: typedArray, map, churn }[job](Number(size));
for (let i = 0; i < 20; i++) step();
console.log('ready');
const start = process.hrtime.bigint();
let operations = 0, elapsed = 0;
do {
  operations += step();
  elapsed = Number(process.hrtime.bigint() - start);
} while (elapsed < Number(seconds) * 1e9);
console.log('value ' + (elapsed / operations).toPrecision(6));
