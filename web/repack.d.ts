export { KompaktError } from "./kompakt.js";

export type Tier = "smallest" | "stream" | "direct";

/** All tiers. */
export const TIERS: readonly Tier[];

/** The same content in that tier, as `kompakt repack` writes it. The file is checked first, down to the content hash. */
export function repack(bytes: ArrayBuffer | ArrayBufferView, tier: Tier): Promise<Uint8Array>;
