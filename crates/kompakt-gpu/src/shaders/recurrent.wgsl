// A recurrent layer: one workgroup per sequence, its lanes stride over the units; one time step after another.
//
// x (time, sequences, gates hidden): what the input contributes to the gates. The recurrent part is R h + b, of the state
// before, which is in y or, at first, in h0. An image has `in_width` sequences of `in_height` steps; units are columns.
@group(0) @binding(4) var<storage, read> x: array<value>;
@group(0) @binding(5) var<storage, read> h0: array<value>;
@group(0) @binding(6) var<storage, read> c0: array<value>;
// h, for an LSTM then c, of each step.
@group(0) @binding(7) var<storage, read_write> y: array<value>;

// Numbered as in `Recurrence::code`.
const LSTM: u32 = 0u;
const GRU: u32 = 1u;
const GRU_RESET_FIRST: u32 = 2u;
const TANH: u32 = 3u;

// The state times the reset gate, where that comes before the product.
var<workgroup> early: array<f32, MAX_RESET>;
var<private> is_first: bool;
// Where the state before begins in y, or in h0.
var<private> before: u32;
// Where the contribution of the input begins.
var<private> input: u32;

fn previous(unit: u32) -> f32 {
    if is_first { return f32(h0[before + unit]); }
    return f32(y[before + unit]);
}

fn operand(unit: u32, is_early: bool) -> f32 {
    if is_early { return early[unit]; }
    return previous(unit);
}

// The recurrent part of a gate.
fn product(r: u32, is_early: bool) -> f32 {
    let row = row_at(r);
    var sum = 0.0;
    if row.x >= FIELDS_WITH_ZERO {
        for (var col = 0u; col < layer.cols; col++) { sum += field_weight(row, col) * operand(col, is_early); }
    } else {
        var index = 0u;
        for (var first = 0u; first < layer.cols; first += 32u) {
            var bits = map_bits(row, first);
            while bits != 0u {
                sum += kept_weight(row.y, index) * operand(first + countTrailingZeros(bits), is_early);
                bits &= bits - 1u;
                index += 1u;
            }
        }
    }
    return sum * epilogue[r] + epilogue[layer.all_rows + r];
}

fn given(gate: u32, unit: u32) -> f32 { return f32(x[input + gate * layer.cols + unit]); }
fn sum_of(gate: u32, unit: u32) -> f32 { return given(gate, unit) + product(gate * layer.cols + unit, false); }
fn logistic(v: f32) -> f32 { return activate(2u, 0.0, 0.0, v); }
fn squashed(v: f32) -> f32 { return activate(3u, 0.0, 0.0, v); }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let id = group.x + group.y * groups.x;
    if id >= layer.in_width * run.x { return; }
    let l = lane_of(lane);
    load_codebook(l);
    let hidden = layer.cols;
    let states = select(hidden, 2u * hidden, layer.cell == LSTM);
    is_first = true;
    before = id * hidden;
    for (var step = 0u; step < layer.in_height; step++) {
        let t = select(step, layer.in_height - 1u - step, layer.is_reverse == 1u);
        let at = (id / layer.in_width * layer.in_height + t) * layer.in_width + id % layer.in_width;
        let to = at * states;
        input = at * layer.all_rows;
        if layer.cell == GRU_RESET_FIRST {
            for (var i = l; i < hidden; i += 64u) { early[i] = previous(i) * logistic(sum_of(1u, i)); }
            workgroupBarrier();
        }
        for (var i = l; i < hidden; i += 64u) {
            var h = sum_of(0u, i);
            if layer.cell == LSTM {
                var c = 0.0;
                if is_first { c = f32(c0[before + i]); } else { c = f32(y[before + hidden + i]); }
                c = logistic(sum_of(2u, i)) * c + logistic(h) * squashed(sum_of(3u, i));
                h = logistic(sum_of(1u, i)) * squashed(c);
                y[to + hidden + i] = value(c);
            } else if layer.cell == TANH {
                h = squashed(h);
            } else if layer.cell == GRU || layer.cell == GRU_RESET_FIRST {
                let z = logistic(h);
                let n = 2u * hidden + i;
                var inner = 0.0;
                if layer.cell == GRU { inner = logistic(sum_of(1u, i)) * product(n, false); } else { inner = product(n, true); }
                h = (1.0 - z) * squashed(given(2u, i) + inner) + z * previous(i);
            } else {
                h = max(h, 0.0);
            }
            y[to + i] = value(h);
        }
        storageBarrier();
        workgroupBarrier();
        is_first = false;
        before = to;
    }
}
