// The vectors of PROTOCOL.md §6 and §8: chain values of texts, and what binds a peer connection to its session.

import { bindProof, chainAfter, FIRST_CHAIN, offerHash } from '../oracle/text.js';
import { seeded } from './chance.js';
import { hex } from './conversation.js';

export function textVectors() {
  const texts = ['hello', 'hello', 'zwölf Boxkämpfer', '\u{1F469}\u200D\u{1F4BB}', 'e\u0301', '\u00e9', '\ufeffx', 'a\r\nb', 'x'];
  let chain: Uint8Array = FIRST_CHAIN;
  const cases = texts.map((text, at) => {
    const id = seeded(`text ${at}`)(16);
    const times = at === texts.length - 1 ? 63_144 : 1;
    chain = chainAfter(chain, id, text.repeat(times));
    return { number: at + 1, id: hex(id), text, times, chain: hex(chain) };
  });
  return { first: hex(FIRST_CHAIN), cases };
}

export function directVectors() {
  const [session, call] = [seeded('session')(16), seeded('call')(16)];
  const certificates = { offerer: seeded("the offerer's certificate")(32), answerer: seeded("the answerer's certificate")(32) };
  const description = { ufrag: 'abcd', pwd: 'p'.repeat(22), fingerprint: certificates.offerer, setup: 'actpass' };
  const candidates = ['candidate:1 1 UDP 2114977791 192.0.2.1 50000 typ host', 'candidate:2 1 UDP 1678769919 198.51.100.7 50001 typ srflx raddr 0.0.0.0 rport 0'];
  return {
    session: hex(session), call: hex(call),
    offers: [[], candidates.slice(0, 1), candidates].map((listed) => {
      const offer = { ...description, candidates: listed };
      return { ...offer, fingerprint: hex(offer.fingerprint), hash: hex(offerHash(call, offer)) };
    }),
    proofs: ([['offerer', 'answerer'], ['answerer', 'offerer']] as const).map(([role, other]) => {
      const [own, seen] = [certificates[role], certificates[other]];
      return { role, own: hex(own), seen: hex(seen), proof: hex(bindProof(session, call, role, own, seen)) };
    }),
  };
}
