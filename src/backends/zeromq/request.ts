// What a handler is given beside the payload.
import type { ClusterRequest } from "./records.ts";
import type { Assignment } from "./roles/messages.ts";

/** Made for each request; its id is made when somebody asks for it. */
export class Request implements ClusterRequest {
  readonly payload: unknown;
  readonly metadata: unknown;
  readonly ventilator: string;
  readonly number: number;
  readonly attempt: number;
  readonly signal: AbortSignal;

  constructor({ payload, metadata, number, attempt }: Assignment, ventilator: string, signal: AbortSignal) {
    this.payload = payload;
    this.metadata = metadata;
    this.ventilator = ventilator;
    this.number = number;
    this.attempt = attempt;
    this.signal = signal;
  }

  get id(): string {
    return `${this.ventilator}/${this.number}`;
  }
}
