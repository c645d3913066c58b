// The colours of the conversation; none where the person has said so (no-color.org).

const plain = Boolean(process.env['NO_COLOR']);

/** As properties of Ink's Text. */
export const COLOUR = {
  own: plain ? {} : { color: 'green' },
  other: plain ? {} : { color: 'cyan' },
  warning: plain ? {} : { color: 'yellow' },
  failure: plain ? {} : { color: 'red' },
} as const;
