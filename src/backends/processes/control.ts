// What goes over the second pipe of a child, between the parent and the child's guard thread: JSON, a line a message.

/** Tickets to take back; or one ticket, of whose items the rest is taken back. */
export type ControlRequest = readonly number[] | number;

/** What was asked, and of it what came back; or the ticket, and its first item that came back. */
export type ControlReply =
  | readonly [asked: readonly number[], got: readonly number[]]
  | readonly [ticket: number, from: number];

/** What the guard thread is started with. */
export interface GuardStart {
  readonly claims: SharedArrayBuffer;
  /** The descriptor of the second pipe. */
  readonly fd: number;
}
