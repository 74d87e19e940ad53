// Large numbers, as a plan has them.
import { count } from "./format.js";

const PREFIXES = [[1e15, "Q"], [1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
const digits = (n, most = 3) => Number(n.toPrecision(most)).toString();

/** 405 B, 15.6 T */
export function short(n) {
  if (n == null || !Number.isFinite(n)) return "–";
  const [size, name] = PREFIXES.find(([size]) => Math.abs(n) >= size * 0.9995) ?? [1, ""];
  const text = n >= 1e18 ? n.toExponential(2) : digits(n / size);
  return name && n < 1e18 ? `${text} ${name}` : text;
}
export const whole = (n) => (n >= 1e7 ? short(n) : count(Math.round(n)));
/** 72 million dollars as $72 M */
export const dollars = (n) => (n < 1000 ? `$${n < 10 ? n.toFixed(2) : Math.round(n)}` : `$${short(n)}`);
export const cents = (n) => `$${n.toFixed(2)}`;
/** 3.8 × 10²⁵ */
export function power(n) {
  const [mantissa, exponent] = n.toExponential(1).split("e");
  const raised = [...String(Number(exponent))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit] ?? "⁻").join("");
  return `${mantissa} × 10${raised}`;
}
export const span = (n) => (n >= 100 ? count(Math.round(n)) : n >= 10 ? String(Math.round(n)) : digits(n, 2));
export const seconds = (s) => `${digits(s)} s`;
export function days(n) {
  if (n >= 1.95) return [span(n), "days"];
  return n * 24 >= 1.95 ? [span(n * 24), "hours"] : [span(n * 1440), "minutes"];
}
/** kWh as kWh, MWh or GWh. */
export function energy(kwh) {
  const [size, unit] = kwh >= 1e6 ? [1e6, "GWh"] : kwh >= 1e3 ? [1e3, "MWh"] : [1, "kWh"];
  return [digits(kwh / size), unit];
}
export const tonnes = (kg) => (kg >= 1000 ? [short(kg / 1000), "t CO₂e"] : [digits(kg), "kg CO₂e"]);
export const times = (n) => `${n >= 10 ? short(n) : digits(n, 2)}×`;
export const percent = (n) => `${n.toFixed(1)} %`;

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
export const monthName = (date) => `${MONTHS[Number(date.slice(5)) - 1]} ${date.slice(0, 4)}`;

/** A layout in few words: what splits the model, then the rest. */
export function layoutWords(layout) {
  const split = ["tp", "pp", "vpp", "cp", "ep", "dp"].filter((name) => layout[name] > 1).map((name) => `${name} ${layout[name]}`);
  const rest = [`micro-batch ${layout.micro_batch}`, layout.recompute === "none" ? "nothing recomputed" : `${layout.recompute} recomputation`, `zero ${layout.zero}`];
  return [split.join(" · ") || "one chip", rest.join(", ")];
}
