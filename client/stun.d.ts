// Types of the parts of the `stun` package that are used; it brings none.

declare module 'stun' {
  interface StunMessage {
    readonly type: number;
    readonly transactionId: Buffer;
    getXorAddress(): { readonly address: string; readonly port: number } | undefined;
  }
  const stun: {
    createMessage(type: number, transaction?: Buffer): StunMessage;
    encode(message: StunMessage): Buffer;
    /** Throws on anything that it cannot read. */
    decode(bytes: Buffer): StunMessage;
    readonly constants: { readonly STUN_BINDING_REQUEST: number; readonly STUN_BINDING_RESPONSE: number };
  };
  export default stun;
}
