// The library's own messages: the dialect of `serve()`, which carries many small tasks in one line or frame.
import { types } from "node:util";
import { ColumnText, replyOf } from "../../protocol/column-text.ts";
import { requestValues } from "../../protocol/column-values.ts";
import type { TaskId, WorkerRequest } from "../../protocol/messages.ts";
import type { FromWorker } from "../../protocol/stdio.ts";
import { Conversation, idsOf, numberOf } from "./conversation.ts";

export class ColumnsConversation extends Conversation {
  readonly #text = new ColumnText(types.isProxy);

  get busyInARow(): number {
    return 0;
  }

  get runningTask(): TaskId | undefined {
    return undefined;
  }

  protected taskOf(): TaskId | undefined {
    return undefined;
  }

  /** As JSON, which is fastest, where that has all of it. */
  send(request: WorkerRequest): void {
    let line: string;
    try {
      line = this.#text.request(request);
    } catch (error) {
      const { msgpack } = this.wire;
      if (msgpack === undefined) throw error;
      this.wire.pack(requestValues(request, (value) => msgpack.check(value)));
      return;
    }
    this.wire.write(line);
  }

  recall(tickets: readonly number[]): undefined {
    this.wire.write(`{"type":"recall","ids":[${tickets.join(",")}]}\n`);
  }

  recallItems(ticket: number): number {
    this.wire.write(`{"type":"recallItems","id":${ticket}}\n`);
    return -1;
  }

  override receive(message: FromWorker): void {
    if (message.type === "recalled") this.listener.recalled(idsOf(message, "ids"), idsOf(message, "got"));
    else if (message.type === "itemsRecalled") {
      this.listener.itemsRecalled(numberOf(message, "id", -1), numberOf(message, "from", Number.MAX_SAFE_INTEGER));
    } else super.receive(message);
  }

  /** Takes a line of columns. @throws ProtocolError for one that is none */
  receiveColumns(line: unknown): void {
    this.listener.reply(replyOf(line));
  }
}
