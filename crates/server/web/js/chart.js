// What drawings share: a width in real pixels, scales, stacked bars with their legend.
import { html, useLayoutEffect, useRef, useState } from "./html.js";

/** A reference to hang on an element, and its width as it changes: text in a drawing then keeps its size. */
export function useWidth(first = 640) {
  const place = useRef(null);
  const [width, setWidth] = useState(first);
  useLayoutEffect(() => {
    if (!place.current) return;
    const look = () => setWidth(Math.max(240, Math.floor(place.current.clientWidth)));
    look();
    const watcher = new ResizeObserver(look);
    watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  return [place, width];
}

/** From values to pixels: linear or by powers. */
export const linear = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);
export function logarithmic(low, high, from, to) {
  const along = linear(Math.log(low), Math.log(high), from, to);
  return (value) => along(Math.log(Math.max(value, low * 1e-3)));
}
/** Powers of ten between two values; with 2 and 5 between them where there would be few. */
export function powersOfTen(low, high) {
  const digits = Math.log10(high / low) < 1.6 ? [1, 2, 5] : [1];
  const out = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) out.push(...digits.map((digit) => Number(`${digit}e${power}`)));
  return out.filter((tick) => tick >= low && tick <= high);
}
/** About `n` round numbers from zero to `high`. */
export function roundTicks(high, n = 3) {
  const raw = high / n;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((digit) => digit * size).find((step) => step >= raw);
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, i) => i * step);
}

/** The points of a line, and of a band between two lines. */
export const line = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
export const band = (upper, lower) => line([...upper, ...[...lower].reverse()]);

/** Parts beside each other, each with its tone (1 to 8); `limit` is a mark on the same scale. */
export function Stack({ parts, scale, limit, label }) {
  const share = (value) => `${(100 * Math.max(0, value)) / scale}%`;
  return html`<div class="stack" role="img" aria-label=${label}>
    ${parts.filter((part) => part.value > 0).map((part) => html`<span class=${`part tone-${part.tone}`} style=${{ width: share(part.value) }} title=${part.title}></span>`)}
    ${limit != null && html`<span class="limit" style=${{ left: share(limit) }}></span>`}
  </div>`;
}

export function Legend({ names }) {
  return html`<ul class="legend">${names.map((name, i) => html`<li><span class=${`swatch tone-${i + 1}`}></span>${name}</li>`)}</ul>`;
}
