// A window of fixed height on something longer, which follows the end until the person scrolls up. What it shows is not its concern.

import { Box, type DOMElement, measureElement } from 'ink';
import { type ReactNode, type RefObject, useLayoutEffect, useRef, useState } from 'react';

export interface Scroll {
  /** Lines between the end of the content and the lower edge of the window; 0 follows the end. */
  readonly up: number;
  /** Moves by a window's height less a line, up (1) or down (-1). */
  page(direction: 1 | -1): void;
  toEnd(): void;
  readonly window: RefObject<DOMElement | null>;
  readonly content: RefObject<DOMElement | null>;
}

/**
 * @param last names the last thing in the content: when it changes, the window stays on what the person is reading.
 * @param onTop called when the person has reached the top.
 */
export function useScroll(last: string | undefined, onTop: () => void): Scroll {
  const [up, setUp] = useState(0);
  const window = useRef<DOMElement>(null);
  const content = useRef<DOMElement>(null);
  const before = useRef({ last, height: 0 });
  const room = () => Math.max(0, heightOf(content) - heightOf(window));

  useLayoutEffect(() => {
    const height = heightOf(content);
    const grown = before.current.last === last ? 0 : height - before.current.height;
    before.current = { last, height };
    if (up > 0) setUp(Math.min(room(), up + Math.max(0, grown)));
  }, [last, up]);

  return {
    up,
    window,
    content,
    toEnd: () => setUp(0),
    page: (direction) => {
      const step = Math.max(1, heightOf(window) - 1);
      // The rest of the content is measured only once it is drawn, so the first step up may go too far; the effect mends it.
      const next = Math.max(0, up + direction * step);
      setUp(next);
      if (direction > 0 && next >= room()) onTop();
    },
  };
}

export function Viewport({ scroll, children }: { scroll: Scroll; children: ReactNode }) {
  return (
    <Box ref={scroll.window} flexDirection="column" flexGrow={1} flexShrink={1} flexBasis={0} minHeight={1} overflow="hidden" justifyContent="flex-end">
      <Box ref={scroll.content} flexDirection="column" flexShrink={0} marginBottom={-scroll.up}>
        {children}
      </Box>
    </Box>
  );
}

function heightOf(element: RefObject<DOMElement | null>): number {
  return element.current ? measureElement(element.current).height : 0;
}
