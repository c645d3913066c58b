// Two peer connections of Chromium, on one page, that use relayed candidates alone.

import { chromium } from 'playwright-core';
import { CHROMIUM } from '../../support/chromium.js';

/** Connects two of them, and says something. @returns the types of the local and the remote candidate in use, on both sides. */
export async function relayInBrowser(iceServer: RTCIceServer, options: readonly string[] = []): Promise<(string | undefined)[][]> {
  const browser = await chromium.launch({ ...CHROMIUM, args: [...CHROMIUM.args, ...options] });
  try {
    const page = await browser.newPage();
    return await page.evaluate(async (server) => {
      const ends = [0, 1].map(() => new RTCPeerConnection({ iceServers: [server], iceTransportPolicy: 'relay' }));
      const [near, far] = [ends[0]!, ends[1]!];
      near.addEventListener('icecandidate', ({ candidate }) => void far.addIceCandidate(candidate ?? undefined));
      far.addEventListener('icecandidate', ({ candidate }) => void near.addIceCandidate(candidate ?? undefined));
      const heard = new Promise((resolve) => {
        far.addEventListener('datachannel', ({ channel }) => channel.addEventListener('message', resolve));
      });
      const channel = near.createDataChannel('data');
      channel.addEventListener('open', () => channel.send('hello'));
      await near.setLocalDescription();
      await far.setRemoteDescription(near.localDescription!);
      await far.setLocalDescription();
      await near.setRemoteDescription(far.localDescription!);
      await heard;
      return ends.map((end) => end.sctp?.transport.iceTransport.getSelectedCandidatePair()).map((pair) => [pair?.local?.type, pair?.remote?.type] as (string | undefined)[]);
    }, iceServer);
  } finally {
    await browser.close();
  }
}
