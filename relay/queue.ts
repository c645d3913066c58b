// What waits for the store, in turns: one piece of work for each connection that has any, then one more for each. Whoever asks
// for much waits for itself, and whoever asks for little hardly waits at all. It never knows what the work is.

export class FairQueue<Item> {
  /** Whose turn is next stands first. */
  readonly #byOwner = new Map<number, Item[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Items of one owner keep their order. */
  push(owner: number, item: Item): void {
    this.#size += 1;
    const items = this.#byOwner.get(owner);
    if (items === undefined) this.#byOwner.set(owner, [item]);
    else items.push(item);
  }

  /** Takes at most so many items. */
  take(max: number): Item[] {
    const taken: Item[] = [];
    // An owner that is put back comes round again in the same loop: a map is walked in the order of entry.
    for (const [owner, items] of this.#byOwner) {
      if (taken.length === max) break;
      taken.push(items.shift()!);
      this.#byOwner.delete(owner);
      if (items.length > 0) this.#byOwner.set(owner, items);
    }
    this.#size -= taken.length;
    return taken;
  }
}
