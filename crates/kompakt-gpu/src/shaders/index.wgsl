// The row of an index among `n`: truncated to an integer; negative indices count from the end; clamped to the
// range.
fn row_named(index: f32, n: u32) -> u32 {
    if (bitcast<u32>(index) & 0x7fffffffu) > 0x7f800000u { return 0u; }
    let whole = clamp(trunc(index), -2147483520.0, 2147483520.0);
    var row = i32(whole);
    if row < 0 { row += i32(n); }
    return u32(clamp(row, 0, i32(n) - 1));
}
