import { describe, expect, it } from 'vitest';
import { measureEpochs } from '../../bench/crypto/epochs.js';

const MESSAGES = 2_000;

describe('epochs of the post-quantum ratchet', () => {
  it.each([
    { talk: 'turn by turn', burst: 1, most: 20 },
    { talk: 'in bursts of two', burst: 2, most: 30 },
    { talk: 'in bursts of four', burst: 4, most: 50 },
  ])('cost few messages and no bytes when people talk $talk', async ({ talk, burst, most }) => {
    const { epochs, messagesPerEpoch, wireBytes, ordinaryWireBytes } = await measureEpochs(MESSAGES, burst);
    const { mean, p50, p95 } = messagesPerEpoch;
    console.log(`${talk}: ${epochs} epochs in ${MESSAGES} texts; messages per epoch ${mean.toFixed(1)} (p50 ${p50}, p95 ${p95}); `
      + `bytes per message with address ${wireBytes.toFixed(1)}, texts of 45 to 250 bytes ${ordinaryWireBytes.toFixed(1)}`);
    expect(p95).toBeLessThanOrEqual(most);
    expect(ordinaryWireBytes).toBeLessThanOrEqual(560);
  });
});
