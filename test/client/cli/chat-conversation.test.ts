// What a screen keeps of a conversation, event by event.

import { describe, expect, it } from 'vitest';
import { afterEvent, afterNewest, merge, NOTHING } from '../../../client/cli/chat/conversation.js';
import type { MessageView } from '../../../client/client.js';
import { BOB, CAROL, MemoryClient } from '../../support/memory-client.js';

describe('what the screen keeps', () => {
  it('is in order and knows each message once, by the latest word on it', () => {
    const client = new MemoryClient();
    const [a, b, c] = ['a', 'b', 'c'].map((text) => client.receive(BOB, text));
    if (!a || !b || !c) throw new Error('three were received');
    expect(merge([a, c], [b, { ...c, state: 'read' }]).map(({ text, state }) => `${text} ${state}`)).toEqual(['a received', 'b received', 'c read']);
  });

  it('shows nothing as if it followed what is older than a gap', () => {
    const client = new MemoryClient();
    const messages = Array.from({ length: 300 }, (_, i) => client.receive(BOB, `${i}`));
    const begun = afterNewest(NOTHING, messages.slice(0, 100));
    expect(begun).toMatchObject({ older: true });
    expect(afterNewest(begun, messages.slice(50, 150))).toMatchObject({ messages: messages.slice(0, 150), older: true });
    const event: MessageView[] = messages.slice(299);
    const after = afterNewest({ ...begun, older: false, messages: [...begun.messages, ...event] }, messages.slice(199, 299));
    expect(after).toMatchObject({ messages: messages.slice(199), older: true });
  });

  it('mentions another contact without showing their messages', () => {
    const client = new MemoryClient();
    const after = afterEvent(NOTHING, { type: 'message', message: client.receive(CAROL, 'secret') }, BOB);
    expect(after.messages).toEqual([]);
    expect(after.news?.text).toBe('Carol has written to you as well.');
  });

  it('mentions somebody who waits for approval, and shows nothing of them', () => {
    const after = afterEvent(NOTHING, { type: 'request', request: new MemoryClient().waiting[0]! }, BOB);
    expect(after).toMatchObject({ messages: [], news: { text: 'Carol asks to be your contact; see "sotto requests".' } });
  });

  it('does not go on saying that a contact asks to begin anew who has done so', () => {
    const asked = afterEvent(NOTHING, { type: 'request', request: { ...new MemoryClient().waiting[0]!, isContact: true } }, BOB);
    expect(asked.news?.text).toBe('Carol asks to begin anew with you; see "sotto requests".');
    const replaced = (contact: typeof BOB) => afterEvent(asked, { type: 'notice', contact, code: 'session-replaced', text: 'Begun anew.' }, BOB);
    expect(replaced(CAROL)).toMatchObject({ news: null, warnings: [{ contact: CAROL.id, other: 'Carol', text: 'Begun anew.' }] });
    expect(replaced(BOB).news).toBe(asked.news);
  });
});
