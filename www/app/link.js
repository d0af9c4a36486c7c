/**
 * A worker that can be given a way to another one.
 * @typedef {{ readonly alive: boolean, link(port: MessagePort | undefined): void }} Linkable
 */

/**
 * Gives two workers a way to each other, in place of any they had; none where one of them is gone.
 * @param {Linkable} one
 * @param {Linkable} other
 */
export function link(one, other) {
  const { port1, port2 } = one.alive && other.alive ? new MessageChannel() : {};
  one.link(port1);
  other.link(port2);
}
