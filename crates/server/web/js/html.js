// Preact bound to htm: components are written as tagged templates, without a compiler.
import { h, render } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";

export const html = htm.bind(h);
export { render };
export { useState, useEffect, useRef, useMemo, useCallback, useLayoutEffect } from "../vendor/hooks.mjs";
