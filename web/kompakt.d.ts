/** An error of the loader. */
export class KompaktError extends Error {
  readonly status: "argument" | "io" | "format" | "unsupported" | "resources" | "internal" | "signature";
}

/** The names of all statuses, by the C library's number. */
export const STATUS: readonly string[];

export interface LoadOptions {
  /** The file's hash as in HTML: `"sha256-…"`. */
  integrity?: string;
  signal?: AbortSignal;
  /** Inputs per run; 1 by default. Longer batches are run in parts. */
  maxBatch?: number;
  /**
   * What is checked first: every checksum (the default), or also (`true`) that what is decoded has the file's content hash, which takes
   * about as long as the start; `false`: header and directory alone.
   */
  verify?: "checksums" | boolean;
  /**
   * Threads that run the network, at most as many as there are processors. By default several for large files (half of the processors,
   * four at most), one for others. Where memory cannot be shared (the page is not cross-origin isolated) it is one, with a warning
   * if more were asked for. Results do not depend on it.
   */
  threads?: number;
}

/** Opens a network: a URL, or the bytes of a file. */
export function load(source: string | URL | ArrayBuffer | ArrayBufferView, options?: LoadOptions): Promise<Network>;

export interface Port {
  name: string;
  /** Without the batch. */
  shape: number[];
}

export interface Info {
  inputs: Port[];
  outputs: Port[];
  /** Of the first input. */
  inputShape: number[];
  /** Of the first output. */
  outputShape: number[];
  /** Names of the classes, if the file has any. */
  labels: string[];
  /** Size of the file. */
  bytes: number;
}

export interface Prediction {
  label: string;
  index: number;
  probability: number;
}

export interface Tensor {
  name: string;
  shape: number[];
  n: number;
  n_kept: number;
  coder: string;
  /** The codebook, ascending; null where every weight has a value of its own. */
  levels: number[] | null;
  bytes: number;
  /** Shares of `bytes`, in proportion to the entropy. */
  map_bytes: number;
  codes_bytes: number;
  numbers_bytes: number;
}

export interface Inspection {
  tier: string;
  content_hash: string;
  bytes: number;
  preprocessing: string[];
  nodes: string[];
  others: { name: string; bytes: number }[];
  tensors: Tensor[];
}

/** An open network. */
export class Network {
  private constructor();
  readonly info: Info;
  /** `[batch, inputShape...]` in, `[batch, outputShape...]` out, row-major. */
  run(input: Float32Array): Float32Array;
  /** Inputs by name, all outputs by name. */
  run(inputs: Record<string, Float32Array>): Record<string, Float32Array>;
  /** As `run`, with probabilities as output. */
  predict(input: Float32Array): Float32Array;
  /** The most probable classes of one image, best first. */
  classify(image: Float32Array | ImageData | CanvasImageSource, top?: number): Prediction[];
  /** What is in the file, and where its bytes are. The first time, what looks into files is fetched: `kompakt.wasm`. */
  inspect(): Promise<Inspection>;
  /** The `n` values of tensor `index` of what `inspect` found; NaN for a weight that is not kept. Fetched for as `inspect`. */
  weights(index: number, n: number): Promise<Float32Array>;
  /** Threads that run it, the caller's among them. */
  readonly threads: number;
  /** Bytes of the loader's memory, for all networks together; it does not shrink. */
  readonly memoryBytes: number;
  /** Frees the memory. */
  free(): void;
}
