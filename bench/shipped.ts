// The built program, typed by its source: what is measured is what is shipped, not what a loader makes of it on the way.

/** @param module path below the root, as in `client/node.js`. */
export async function shipped<T>(module: string): Promise<T> {
  return await import(new URL(`../dist/${module}`, import.meta.url).href) as T;
}
