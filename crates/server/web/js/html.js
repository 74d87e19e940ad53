// Preact bound to htm: components are written as tagged templates, without a compiler.
//
// vendor/ holds Preact 11.2.0 and its hooks (MIT) and htm 3.1.1 (Apache-2.0) as published on npm; in hooks.mjs the
// import of "preact" became "./preact.mjs", because an import map would need an inline script.
import { h, render } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";

export const html = htm.bind(h);
export { render };
export { useState, useEffect, useRef, useMemo, useCallback, useLayoutEffect } from "../vendor/hooks.mjs";
