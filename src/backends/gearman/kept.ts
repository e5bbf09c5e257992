/** Smaller views would keep alive much more than they show. */
const LARGE_BYTES = 16 * 1_024;

/** Bytes of a packet that stay. */
export function kept(view: Buffer): Buffer {
  return view.length < LARGE_BYTES ? Buffer.from(view) : view;
}
