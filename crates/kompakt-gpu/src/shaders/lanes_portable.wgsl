// Sums over the 64 lanes of a workgroup, through workgroup memory.
struct Lane {
    @builtin(local_invocation_index) index: u32,
}

var<workgroup> counts: array<u32, 64>;
var<workgroup> partial_sums: array<f32, 64>;

fn lane_of(lane: Lane) -> u32 { return lane.index; }

var<workgroup> ballots: array<atomic<u32>, 2>;

// How many lanes before this one vote, and how many in all.
fn ballot(lane: Lane, vote: bool) -> vec2u {
    let l = lane.index;
    if vote { atomicOr(&ballots[l >> 5u], 1u << (l & 31u)); }
    workgroupBarrier();
    let votes = vec2u(atomicLoad(&ballots[0]), atomicLoad(&ballots[1]));
    workgroupBarrier();
    if l < 2u { atomicStore(&ballots[l], 0u); }
    workgroupBarrier();
    let below = (1u << (l & 31u)) - 1u;
    let before = select(vec2u(votes.x & below, 0u), vec2u(votes.x, votes.y & below), l > 31u);
    return vec2u(countOneBits(before.x) + countOneBits(before.y), countOneBits(votes.x) + countOneBits(votes.y));
}

// The exclusive prefix sum of `value` at this lane, and the sum over all lanes.
fn scan(lane: Lane, value: u32) -> vec2u {
    let l = lane.index;
    counts[l] = value;
    workgroupBarrier();
    for (var distance = 1u; distance < 64u; distance <<= 1u) {
        var sum = counts[l];
        if l >= distance { sum += counts[l - distance]; }
        workgroupBarrier();
        counts[l] = sum;
        workgroupBarrier();
    }
    let result = vec2u(counts[l] - value, counts[63]);
    workgroupBarrier();
    return result;
}

fn total(lane: Lane, value: f32) -> f32 {
    let l = lane.index;
    partial_sums[l] = value;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half >>= 1u) {
        if l < half { partial_sums[l] += partial_sums[l + half]; }
        workgroupBarrier();
    }
    let result = partial_sums[0];
    workgroupBarrier();
    return result;
}

fn largest(lane: Lane, value: f32) -> f32 {
    let l = lane.index;
    partial_sums[l] = value;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half >>= 1u) {
        if l < half { partial_sums[l] = max(partial_sums[l], partial_sums[l + half]); }
        workgroupBarrier();
    }
    let result = partial_sums[0];
    workgroupBarrier();
    return result;
}
