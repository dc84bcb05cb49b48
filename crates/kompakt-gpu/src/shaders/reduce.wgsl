// Reduction over some dimensions: one workgroup per result.
struct Reduce {
    n: u32,        // results per image
    x_image: u32,
    n_gone: u32,   // elements reduced to one result
    kind: u32,     // 0 sum, 1 mean, 2 product, 3 maximum, 4 minimum, 5 and 6 their indices
    kept_rank: u32,
    gone_rank: u32,
    unused_0: u32,
    unused_1: u32,
    kept_sizes: array<vec4u, 2>,
    kept_strides: array<vec4u, 2>,
    gone_sizes: array<vec4u, 2>,
    gone_strides: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> step: Reduce;
@group(0) @binding(1) var<uniform> run: vec4u;
@group(0) @binding(2) var<storage, read> x: array<value>;
@group(0) @binding(3) var<storage, read_write> y: array<value>;

var<workgroup> values: array<f32, 64>;
var<workgroup> places: array<u32, 64>;

fn better(v: f32, best: f32) -> bool {
    if step.kind == 3u || step.kind == 5u { return v > best || (is_nan(v) && !is_nan(best)); }
    return v < best || (is_nan(v) && !is_nan(best));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) l: u32,
) {
    let id = group.x + group.y * groups.x;
    if id >= step.n * run.x { return; }
    var start = id / step.n * step.x_image;
    var rest = id % step.n;
    for (var d = step.kept_rank; d > 0u; d--) {
        let q = (d - 1u) / 4u;
        let k = (d - 1u) % 4u;
        start += rest % step.kept_sizes[q][k] * step.kept_strides[q][k];
        rest /= step.kept_sizes[q][k];
    }
    var v = select(0.0, 1.0, step.kind == 2u);
    var place = 0xffffffffu;
    for (var i = l; i < step.n_gone; i += 64u) {
        var at = start;
        var left = i;
        for (var d = step.gone_rank; d > 0u; d--) {
            let q = (d - 1u) / 4u;
            let k = (d - 1u) % 4u;
            at += left % step.gone_sizes[q][k] * step.gone_strides[q][k];
            left /= step.gone_sizes[q][k];
        }
        let here = f32(x[at]);
        if step.kind < 2u {
            v += here;
        } else if step.kind == 2u {
            v *= here;
        } else if place == 0xffffffffu || better(here, v) {
            v = here;
            place = i;
        }
    }
    values[l] = v;
    places[l] = place;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half >>= 1u) {
        if l < half {
            let a = values[l];
            let b = values[l + half];
            if step.kind < 2u {
                values[l] = a + b;
            } else if step.kind == 2u {
                values[l] = a * b;
            } else if places[l + half] != 0xffffffffu {
                // The first of equals.
                if places[l] == 0xffffffffu || better(b, a) || (!better(a, b) && places[l + half] < places[l]) {
                    values[l] = b;
                    places[l] = places[l + half];
                }
            }
        }
        workgroupBarrier();
    }
    if l == 0u {
        var result = values[0];
        if step.kind == 1u { result /= f32(step.n_gone); }
        if step.kind > 4u { result = f32(places[0]); }
        y[id] = value(result);
    }
}
