// What may be printed. Names and texts come from other people, and a terminal obeys what it is shown: everything that is not our own
// wording passes through here first. It knows nothing of where a text comes from or goes to.

/** Controls except the line feed (a terminal may obey them), line and paragraph separators, the marks that turn writing around so
 *  that a text reads otherwise than it is, and halves of surrogate pairs. */
const UNSAFE = /[^\P{Cc}\n]|[\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]|\p{Cs}/gu;

/** A text of many lines, with every unsafe character made visible and harmless. Line feeds stay. */
export function safeText(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll('\t', '    ').replace(UNSAFE, visible);
}

/** A name or anything else that must stay on one line: as safeText(), and line feeds become visible. */
export function safeLine(text: string): string {
  return safeText(text).replaceAll('\n', visible);
}

/** One line of JSON for programs: exact, yet harmless when a person lets it run over a terminal. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The Unicode picture of a C0 control or DEL, the replacement character for the others. */
function visible(unit: string): string {
  const code = unit.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}
