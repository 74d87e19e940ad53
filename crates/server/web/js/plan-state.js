// The plan that is being drawn: plain data with the names of a plan's file (examples/plan), kept while one looks
// elsewhere. What a slider may be set to stands here too.

/** 1, 2, 5, 10… or any other digits, from one power of ten to another. */
const decades = (digits, from, to) => {
  const out = [];
  for (let power = from; power <= to; power++) for (const digit of digits) out.push(Number(`${digit}e${power}`));
  return out;
};
/** Powers of two with one step between: 64, 96, 128. */
const doubles = (from, to) => {
  const out = [];
  for (let n = from; n <= to; n *= 2) out.push(n, ...(n >= 16 && n * 1.5 <= to ? [n * 1.5] : []));
  return out;
};
const range = (from, to, by) => Array.from({ length: Math.round((to - from) / by) + 1 }, (_, i) => Number((from + i * by).toFixed(6)));

const FINE = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8];

export const LADDERS = {
  parameters: decades(FINE, 9, 12).concat(1e13),
  layers: [...range(4, 40, 2), ...range(44, 128, 4), ...range(136, 256, 8)],
  hidden: [...range(1024, 8192, 512), ...range(9216, 16384, 1024), ...range(18432, 49152, 2048)],
  experts: [1, 8, 16, 32, 64, 128, 256, 512, 1024],
  topk: [1, 2, 4, 6, 8, 12, 16, 32],
  tokens: decades(FINE, 9, 14),
  days: [1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 75, 90, 105, 120, 150, 180, 240, 300, 365, 540, 730],
  sequence: doubles(512, 1048576).filter((n) => Math.log2(n) % 1 === 0),
  batch: doubles(16, 65536),
  chips: doubles(1, 1048576),
  chipsPerMonth: [0, ...decades([1, 1.5, 2, 3, 5, 7], 1, 5)],
  hour: range(0.5, 12, 0.25),
  kwh: range(0.02, 0.4, 0.01),
  power: range(0.4, 1, 0.05),
  idle: range(0, 0.5, 0.02),
  host: range(0, 1.2, 0.05),
  pue: range(1, 2, 0.05),
  grid: range(0, 900, 20),
  failure: decades([1, 2, 5], 3, 6),
  restart: [30, 60, 120, 240, 480, 600, 900, 1800, 3600, 7200],
  nic: [1, 3.125, 6.25, 12.5, 25, 50, 100, 200, 400],
  months: range(6, 72, 6),
  runMonths: range(1, 24, 1),
  unique: decades([1, 2, 3, 5, 7], 12, 14),
};

export const PRECISIONS = ["bf16", "fp8", "mxfp8", "nvfp4"];

/** A month as `2023-12`, some months later. */
export function later(month, by) {
  const [year, number] = month.split("-").map(Number);
  const at = year * 12 + number - 1 + by;
  return `${Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, "0")}`;
}
export const monthsBetween = (from, until) => {
  const [a, b] = [from, until].map((month) => month.split("-").map(Number));
  return (b[0] - a[0]) * 12 + b[1] - a[1];
};

/** An example as it is first shown: with what the page needs and the file may leave out. */
export function opened(example) {
  const start = new Date().toISOString().slice(0, 7);
  const timeline = example.timeline ?? { start, until: later(start, 36), chips_per_month: null, run_months: 6, unique_tokens: 15e12, moe_sparsity: 8 };
  return { ...example, timeline, search: { ...example.search, top: 6 } };
}

let kept = null;
/** The plan from before one left this page. */
export const remembered = () => kept;
export const remember = (plan) => { kept = plan; };

/** A number as people write it: 22,000 or 22k or 405 B or $2.50; NaN if it is none. A context's k is 1,024. */
export function numberIn(text, thousand = 1e3) {
  const found = text.replace(/[,\s$]/g, "").match(/^(\d*\.?\d+(?:e[+-]?\d+)?)([kKMBGT]?)/);
  if (!found) return NaN;
  return Number(found[1]) * thousand ** { "": 0, k: 1, K: 1, M: 2, B: 3, G: 3, T: 4 }[found[2]];
}

/** The plan as its file. */
export function asToml(plan) {
  const value = (v) => (Array.isArray(v) ? `[${v.map(value).join(", ")}]` : typeof v === "string" ? JSON.stringify(v) : String(v));
  const table = (fields) => Object.entries(fields).filter(([, v]) => v != null).map(([name, v]) => `${name} = ${value(v)}`).join("\n");
  const { claim, ...tables } = plan;
  const named = Object.entries(tables).filter(([, fields]) => fields).map(([name, fields]) => `[${name}]\n${table(fields)}`);
  return [...named, ...(claim ?? []).map((fields) => `[[claim]]\n${table(fields)}`)].join("\n\n") + "\n";
}
