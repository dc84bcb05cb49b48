// The value that a layer reads and the one that it writes.
@group(0) @binding(4) var<storage, read> x: array<value>;
@group(0) @binding(5) var<storage, read_write> y: array<value>;
