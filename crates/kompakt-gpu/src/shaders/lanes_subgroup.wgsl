// Sums over the 64 lanes of a workgroup, by subgroup operations and one exchange between the subgroups.
struct Lane {
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) inside: u32,
    @builtin(subgroup_size) size: u32,
}

var<workgroup> counts: array<u32, 64>;
var<workgroup> partial_sums: array<f32, 64>;

// Lanes are numbered by subgroup: which lane of the workgroup that is does not matter.
fn lane_of(lane: Lane) -> u32 { return lane.subgroup * lane.size + lane.inside; }

// How many lanes before this one vote, and how many in all.
fn ballot(lane: Lane, vote: bool) -> vec2u {
    let votes = subgroupBallot(vote).xy; // subgroups have at most 64 lanes
    let below = (1u << (lane.inside & 31u)) - 1u;
    let before = select(vec2u(votes.x & below, 0u), vec2u(votes.x, votes.y & below), lane.inside > 31u);
    if lane.inside == 0u { counts[lane.subgroup] = countOneBits(votes.x) + countOneBits(votes.y); }
    workgroupBarrier();
    var result = vec2u(countOneBits(before.x) + countOneBits(before.y), 0u);
    for (var s = 0u; s < 64u / lane.size; s++) {
        if s < lane.subgroup { result.x += counts[s]; }
        result.y += counts[s];
    }
    workgroupBarrier();
    return result;
}

// The exclusive prefix sum of `value` at this lane, and the sum over all lanes.
fn scan(lane: Lane, value: u32) -> vec2u {
    let before = subgroupExclusiveAdd(value);
    let here = subgroupAdd(value);
    if lane.inside == 0u { counts[lane.subgroup] = here; }
    workgroupBarrier();
    var result = vec2u(before, 0u);
    for (var s = 0u; s < 64u / lane.size; s++) {
        if s < lane.subgroup { result.x += counts[s]; }
        result.y += counts[s];
    }
    workgroupBarrier();
    return result;
}

fn total(lane: Lane, value: f32) -> f32 {
    let here = subgroupAdd(value);
    if lane.inside == 0u { partial_sums[lane.subgroup] = here; }
    workgroupBarrier();
    var sum = 0.0;
    for (var s = 0u; s < 64u / lane.size; s++) { sum += partial_sums[s]; }
    workgroupBarrier();
    return sum;
}

fn largest(lane: Lane, value: f32) -> f32 {
    let here = subgroupMax(value);
    if lane.inside == 0u { partial_sums[lane.subgroup] = here; }
    workgroupBarrier();
    var result = partial_sums[0];
    for (var s = 1u; s < 64u / lane.size; s++) { result = max(result, partial_sums[s]); }
    workgroupBarrier();
    return result;
}
