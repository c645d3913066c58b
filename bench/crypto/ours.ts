// Our side of the bench `crypto`: sessions of the built program, given the work of one unit. As in the client's store, a session
// lies packed between two messages. It must never know what it is compared with.

import type * as RandomModule from '../../client/random.js';
import type * as DevicesModule from '../../crypto/devices.js';
import type * as HandshakeModule from '../../crypto/handshake.js';
import type * as IdentityModule from '../../crypto/identity.js';
import type * as InvitationModule from '../../crypto/invitation.js';
import type * as SessionModule from '../../crypto/session.js';
import type * as SodiumModule from '../../crypto/sodium.js';
import { shipped } from '../shipped.js';
import type { Line } from './race.js';

const { random } = await shipped<typeof RandomModule>('client/random.js');
const { firstDevices } = await shipped<typeof DevicesModule>('crypto/devices.js');
const { initiate, respond } = await shipped<typeof HandshakeModule>('crypto/handshake.js');
const { createIdentity } = await shipped<typeof IdentityModule>('crypto/identity.js');
const { createInvitation, openCard, parseLink } = await shipped<typeof InvitationModule>('crypto/invitation.js');
const { decrypt, encrypt, packSession, unpackSession } = await shipped<typeof SessionModule>('crypto/session.js');
const { ready } = await shipped<typeof SodiumModule>('crypto/sodium.js');

await ready();

/** Turns after which a session holds what it holds for good: of header keys, seven. */
const SETTLING_TURNS = 8;

/** A forged message has the length of the smallest true one. */
const SMALLEST_MESSAGE_BYTES = 512;

const HOUR_MS = 3600 * 1000;

/** One side of a session, as it lies in a store. */
interface Side {
  packed: Uint8Array;
}

const host = createIdentity(random);
const guest = createIdentity(random);
const hostDevices = firstDevices(host, Date.now());
const guestDevices = firstDevices(guest, Date.now());

/** A message of `length` bytes, sealed and opened; nobody answers. */
export function oneWay(length: number): Line {
  return () => {
    const [writer, reader] = introduce();
    const body = random(length);
    return () => carry(writer, reader, body);
  };
}

/** A message each way: a new ratchet key for either. */
export function pingPong(length: number): Line {
  return () => {
    const [one, other] = introduce();
    const body = random(length);
    return () => {
      carry(one, other, body);
      carry(other, one, body);
    };
  };
}

/** A session from nothing, with the first message opened; the invitation was made before. */
export function setUp(length: number): Line {
  return () => {
    const invitation = invite();
    const body = random(length);
    return () => void accept(invitation, body);
  };
}

/** The same, and the invitation is made for it. */
export function inviteAndSetUp(length: number): Line {
  return () => {
    const body = random(length);
    return () => void accept(invite(), body);
  };
}

/** A forged message turned away by a session that has as many header keys to try as there can be. */
export function reject(): Line {
  return () => {
    const [one] = introduce();
    const session = unpackSession(one.packed);
    const forged = random(SMALLEST_MESSAGE_BYTES);
    return () => {
      try {
        decrypt(session, forged, random, Date.now());
      } catch {
        return;
      }
      throw new Error('a forged message was opened');
    };
  };
}

/** A message sealed for each of `count` contacts. */
export function fanOut(length: number, count: number): Line {
  return () => {
    const sides = Array.from({ length: count }, () => acquaint()[0]);
    const body = random(length);
    return () => {
      for (const side of sides) send(side, body);
    };
  };
}

function carry(from: Side, to: Side, body: Uint8Array): void {
  const opened = decrypt(unpackSession(to.packed), send(from, body), random, Date.now());
  to.packed = packSession(opened.session);
}

function send(from: Side, body: Uint8Array): Uint8Array {
  const { session, message } = encrypt(unpackSession(from.packed), body, random, Date.now());
  from.packed = packSession(session);
  return message;
}

/** Both sides of a session in which people have talked for a while. */
function introduce(): [Side, Side] {
  const [one, other] = acquaint();
  for (let turn = 0; turn < SETTLING_TURNS; turn += 1) {
    carry(one, other, random(1));
    carry(other, one, random(1));
  }
  return [one, other];
}

/** Both sides of a session whose first messages have gone both ways. */
function acquaint(): [Side, Side] {
  const [one, other] = accept(invite(), random(1));
  carry(other, one, random(1));
  return [one, other];
}

function invite(): InvitationModule.NewInvitation {
  return createInvitation({ identity: host, devices: hostDevices, name: 'Bea', relay: 'https://relay.example', mailbox: random(16), token: random(16), expiresAt: Date.now() + HOUR_MS }, random);
}

/** The guest's side and the inviter's, once the inviter has opened the first message. */
function accept({ link, card, secret }: InvitationModule.NewInvitation, body: Uint8Array): [Side, Side] {
  const { session, flight } = initiate(guest, guestDevices, openCard(parseLink(link), card, Date.now()), random);
  const first = encrypt(session, body, random, Date.now(), flight);
  const responded = respond(host, secret, first.message.subarray(0, flight.length));
  const opened = decrypt(responded.session, first.message.subarray(flight.length), random, Date.now());
  return [{ packed: packSession(first.session) }, { packed: packSession(opened.session) }];
}
