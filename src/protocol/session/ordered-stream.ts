// One direction out and one in: numbers what is sent, keeps it until the other side has it, and takes what comes in order and once.
// A connection may break and come back underneath, and lose what was under way; what is missing is asked for and sent again.
import { DATA, type Frame, type FrameType, writeFrame } from "./frame.ts";

/** So many messages may be taken before the other side is told, where nothing else is sent to it. */
const ACK_EVERY = 16;

export class OrderedStream {
  readonly session: string;
  #sent = 0;
  #received = 0;
  /** What `ack` said in the last frame that was written. */
  #told = 0;
  /** Frames that the other side has not, the first one with number `#first`. */
  #kept: Uint8Array[] = [];
  #first = 1;
  /** Whether the gap that begins at `#received` was complained of already. */
  #hasAsked = false;

  constructor(session: string) {
    this.session = session;
  }

  get sent(): number {
    return this.#sent;
  }

  get received(): number {
    return this.#received;
  }

  /** Whether the other side has all that was sent. */
  get isDelivered(): boolean {
    return this.#kept.length === 0;
  }

  /** A DATA frame, which is kept until it is acknowledged. */
  data(body: Uint8Array): Uint8Array {
    this.#sent += 1;
    const frame = this.frame(DATA, body);
    this.#kept.push(frame);
    return frame;
  }

  /** Any other frame; it tells how far both directions are. */
  frame(type: FrameType, body?: Uint8Array): Uint8Array {
    this.#told = this.#received;
    return writeFrame(type, this.session, this.#sent, this.#received, body);
  }

  /**
   * Takes the numbers of a frame that came. Answers whether its body is the next to deliver, and whether the other side has to be
   * asked to send again.
   */
  take(frame: Frame): { readonly isNext: boolean; readonly isGap: boolean } {
    this.#forget(frame.ack);
    if (frame.type === DATA && frame.seq === this.#received + 1) {
      this.#received += 1;
      this.#hasAsked = false;
      return { isNext: true, isGap: false };
    }
    // Frames keep their order on a connection: what a later one counts and is not here was lost with an earlier connection.
    const isGap = frame.seq > this.#received;
    // All that came after the gap shows it again; a heartbeat asks anew, in case the asking was lost.
    const asks = isGap && (!this.#hasAsked || frame.type !== DATA);
    if (asks) this.#hasAsked = true;
    return { isNext: false, isGap: asks };
  }

  /** Whether so much was taken since the last frame that the other side should be told. */
  get owesWord(): boolean {
    return this.#received - this.#told >= ACK_EVERY;
  }

  /** What the other side has not, to be sent once more. */
  unacknowledged(): readonly Uint8Array[] {
    return this.#kept;
  }

  /** Whether the other side can have received so much, and sent so little as not to have forgotten. */
  isPlausible(frame: Frame): boolean {
    return frame.ack <= this.#sent;
  }

  #forget(ack: number): void {
    if (ack < this.#first || ack > this.#sent) return;
    this.#kept.splice(0, ack - this.#first + 1);
    this.#first = ack + 1;
  }
}
