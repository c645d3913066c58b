// The program of one end of a bare data channel: node-datachannel with nothing around it. Its signaling goes by a
// bare socket line, so that its connect time is the library's own. It knows nothing of Sotto.

import nodeDataChannel, { type DataChannel, type DescriptionType } from 'node-datachannel';
import { serveEnd, type Line } from './end.js';
import { openSocket, type SocketPlace } from './socket.js';

/** Bytes that may wait in the channel before the writer waits too, and how few of them let it go on. */
const BUFFER_BYTES = 256 * 1024;
const LOW_BYTES = BUFFER_BYTES / 4;

/** A channel that is not open by then never will be. */
const OPEN_MAX_MS = 4_000;

export interface ChannelPlace {
  readonly signaling: SocketPlace;
  readonly offers: boolean;
}

interface Signal {
  readonly sdp: string;
  readonly type: DescriptionType;
}

serveEnd<ChannelPlace>(async ({ signaling, offers }, onText) => {
  const connection = new nodeDataChannel.PeerConnection('bench', { iceServers: [], bindAddress: '127.0.0.1' });
  const opening = openSocket(signaling, (text) => {
    const { sdp, type } = JSON.parse(text) as Signal;
    connection.setRemoteDescription(sdp, type);
  });
  // On loopback the candidates are complete at once; told later, they could overtake the description.
  connection.onGatheringStateChange((state) => {
    const description = connection.localDescription();
    if (state === 'complete' && description !== null) void opening.then((socket) => socket.send(JSON.stringify(signalOf(description))));
  });
  const channel = await new Promise<DataChannel>((resolve) => {
    if (offers) resolve(connection.createDataChannel('bench'));
    else connection.onDataChannel(resolve);
  });
  return await joined(connection, channel, await opening, onText);
});

// Left the choice, the answerer's DTLS often begins before the offerer's is ready, and the library waits a second.
function signalOf({ sdp, type }: Signal): Signal {
  return { sdp: sdp.replace('a=setup:actpass', 'a=setup:active'), type };
}

async function joined(connection: nodeDataChannel.PeerConnection, channel: DataChannel, signaling: Line, onText: (text: string) => void): Promise<Line> {
  const waiting: (() => void)[] = [];
  channel.setBufferedAmountLowThreshold(LOW_BYTES);
  channel.onBufferedAmountLow(() => waiting.splice(0).forEach((goOn) => goOn()));
  channel.onMessage((text) => onText(text as string));
  await new Promise<void>((resolve, reject) => {
    setTimeout(() => reject(new Error('the channel did not open')), OPEN_MAX_MS);
    channel.onOpen(resolve);
    if (channel.isOpen()) resolve();
  });
  return {
    send: async (text) => {
      channel.sendMessage(text);
      while (channel.bufferedAmount() > BUFFER_BYTES) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    close: async () => {
      connection.close();
      await signaling.close();
    },
  };
}
