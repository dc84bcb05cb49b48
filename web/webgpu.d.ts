import type { Info } from "./kompakt.js";

export { KompaktError } from "./kompakt.js";

export interface LoadOptions {
  /** Inputs per run; 1 by default. Longer batches are run in parts. */
  maxBatch?: number;
  /** Keep values between layers in 16 bits; false by default. Needs a GPU with 16-bit floats. */
  half?: boolean;
  /** Where weights of the tier `stream` are decoded: on the GPU once (the default) or at every run, or on the processor. */
  decode?: "load" | "run" | "host";
  /** Check every checksum first; true by default. */
  verify?: boolean;
  /** Milliseconds that the GPU may take to answer, for a run or the upload of a layer; a minute by default, ten where it is software. */
  timeout?: number;
  /** Of a URL: the file's hash as in HTML, `"sha256-…"`. */
  integrity?: string;
  /** Of a URL. */
  signal?: AbortSignal;
}

/** Whether the browser has a GPU for programs. */
export function isAvailable(): Promise<boolean>;

/** Uploads a network to the GPU: from a URL, or the bytes of a file. */
export function load(source: string | URL | ArrayBuffer | ArrayBufferView, options?: LoadOptions): Promise<Network>;

/** A network on the GPU. */
export class Network {
  private constructor();
  readonly info: Info;
  /** Bytes of video memory. */
  readonly memoryBytes: number;
  /** `[batch, inputShape...]` in, `[batch, outputShape...]` out, row-major. Runs take turns. */
  run(input: Float32Array): Promise<Float32Array>;
  /** Inputs by name, all outputs by name. */
  run(inputs: Record<string, Float32Array>): Promise<Record<string, Float32Array>>;
  /** Frees the memory, after the run that is under way. */
  free(): Promise<void>;
}
