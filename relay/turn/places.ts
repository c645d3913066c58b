// A map by address and port, which looks up what a packet names without making a text of it. Pure.

const PORTS = 65_536;

export class Places<T> {
  readonly #ports = new Map<number, Map<string, T>>();

  /** @param plane tells apart what has the same address and port in different places. */
  get(address: string, port: number, plane = 0): T | undefined {
    return this.#ports.get(plane * PORTS + port)?.get(address);
  }

  set(address: string, port: number, value: T, plane = 0): void {
    const key = plane * PORTS + port;
    const addresses = this.#ports.get(key) ?? new Map<string, T>();
    this.#ports.set(key, addresses.set(address, value));
  }

  delete(address: string, port: number, plane = 0): void {
    const key = plane * PORTS + port;
    const addresses = this.#ports.get(key);
    if (addresses?.delete(address) && addresses.size === 0) this.#ports.delete(key);
  }
}
