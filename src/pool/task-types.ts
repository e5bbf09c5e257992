// What TypeScript can tell of a task module: names, inputs, outputs.
import type { TaskContext } from "../worker/task-context.ts";

/** The shape of a module nobody described. */
export type AnyTasks = Readonly<Record<string, (input: unknown, context: TaskContext) => unknown>>;

type Reserved = "setup" | "teardown";

/** Names of the tasks of module `M`. */
export type TaskName<M> = {
  [K in keyof M]: K extends Reserved ? never : M[K] extends (...args: never[]) => unknown ? K : never;
}[keyof M] &
  string;

type FunctionOf<M, K extends keyof M> = M[K] extends (...args: infer A) => infer R ? (...args: A) => R : never;

/** What the task takes. */
export type TaskInput<M, K extends keyof M> =
  Parameters<FunctionOf<M, K>> extends readonly [] ? undefined : Parameters<FunctionOf<M, K>>[0];

type Result<M, K extends keyof M> = Awaited<ReturnType<FunctionOf<M, K>>>;

/** What one run of the task gives: a generator's values come as a list. */
export type TaskOutput<M, K extends keyof M> = [Result<M, K>] extends [never]
  ? never
  : Result<M, K> extends AsyncGenerator<infer T, unknown, never> | Generator<infer T, unknown, never>
    ? Awaited<T>[]
    : Result<M, K>;

/** What the task streams: a generator's values, or the one value of another task. */
export type TaskItem<M, K extends keyof M> = [Result<M, K>] extends [never]
  ? never
  : Result<M, K> extends AsyncGenerator<infer T, unknown, never> | Generator<infer T, unknown, never>
    ? Awaited<T>
    : Result<M, K>;

/** The arguments after the name: the input may be left out where the task takes none. */
export type TaskArguments<M, K extends keyof M, Options> =
  undefined extends TaskInput<M, K>
    ? [input?: TaskInput<M, K>, options?: Options]
    : [input: TaskInput<M, K>, options?: Options];
