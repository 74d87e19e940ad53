// Numbers and words as people read them.

const whole = new Intl.NumberFormat("en");
export const count = (n) => whole.format(n ?? 0);

const NOUNS = {
  mail: ["mail", "mails"], event: ["event", "events"], contact: ["contact", "contacts"],
  note: ["note", "notes"], document: ["document", "documents"], item: ["item", "items"], source: ["source", "sources"],
};
/** "1 mail", "1,204 mails" */
export function many(n, noun) {
  const [one, several] = NOUNS[noun] ?? [noun, `${noun}s`];
  return `${count(n)} ${n === 1 ? one : several}`;
}
export const plural = (noun) => NOUNS[noun]?.[1] ?? noun;

export function bytes(n) {
  if (!n) return "0 bytes";
  const unit = Math.min(4, Math.floor(Math.log10(n) / 3));
  const value = n / 1000 ** unit;
  return `${unit === 0 ? value : value.toPrecision(3)} ${["bytes", "kB", "MB", "GB", "TB"][unit]}`;
}

export function milliseconds(ms) {
  if (ms == null) return "";
  if (ms < 1) return "< 1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function duration(seconds) {
  if (seconds == null) return "";
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** The words of a query that are worth marking in a snippet. */
export function terms(query) {
  return query.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2);
}

/** Splits text into [plain, marked, plain, …] at the given words. */
export function marked(text, words) {
  if (!words.length) return [text];
  const pattern = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  return text.split(new RegExp(`((?<![\\p{L}\\p{N}])(?:${pattern})[\\p{L}\\p{N}]*)`, "giu"));
}

/** Cuts text at byte offsets of its UTF-8 form: [before, within, between, within, …, after]. */
export function cutAtMany(text, ranges) {
  const all = new TextEncoder().encode(text);
  const ends = [0, ...ranges.flat(), all.length];
  return ends.slice(1).map((end, i) => new TextDecoder().decode(all.subarray(ends[i], end)));
}
export const cutAtBytes = (text, start, end) => cutAtMany(text, [[start, end]]);
