//! Memory planning of the arena.
//!
//! ```text
//! buffers ─► blocks, a buffer each or several in place of each other ─┬─► placed in the order of the calls ─┐
//!                                                                     └─► placed by length ─────────────────┴─► the shorter arena
//! ```

use crate::step::{Buffer, Place, Steps};
use std::cmp::Reverse;

/// Memory that buffers have one after another.
struct Block {
    buffers: Vec<Buffer>,
    /// Floats.
    len: usize,
    /// The first and the last call that use it.
    first: usize,
    last: usize,
}

/// Places every buffer that has no place yet in the arena; returns the length of the arena in floats.
///
/// A buffer's memory is free again after the last call that reads it. A call that may write in place does so where its
/// operand is not read afterwards.
pub(crate) fn place(steps: &mut Steps) -> usize {
    let blocks = blocks(steps);
    let by_call: Vec<usize> = (0..blocks.len()).collect();
    let mut by_length = by_call.clone();
    by_length.sort_by_key(|&block| Reverse(blocks[block].len));
    let [(a, a_length), (b, b_length)] = [by_call, by_length].map(|order| first_fit(&blocks, &order));
    let (places, length) = if b_length < a_length { (b, b_length) } else { (a, a_length) };
    for (block, at) in blocks.iter().zip(places) {
        block.buffers.iter().for_each(|&buffer| steps.buffers[buffer].1 = Place::Arena(at));
    }
    length
}

/// The blocks of all buffers without a place, in the order of the calls.
fn blocks(steps: &Steps) -> Vec<Block> {
    let mut last_use = vec![0; steps.buffers.len()];
    for (i, step) in steps.steps.iter().enumerate() {
        step.buffers().for_each(|buffer| last_use[buffer] = i);
    }
    let mut blocks: Vec<Block> = Vec::new();
    // The block of each buffer.
    let mut home: Vec<Option<usize>> = vec![None; steps.buffers.len()];
    for (i, step) in steps.steps.iter().enumerate() {
        for buffer in [Some(step.writes), step.scratch].into_iter().flatten() {
            let (len, place) = &steps.buffers[buffer];
            if *place != Place::Unknown || home[buffer].is_some() {
                continue;
            }
            let operand = step.in_place.filter(|_| buffer == step.writes).map(|operand| step.reads[operand]);
            let own = operand.filter(|&x| last_use[x] == i && steps.buffers[x].0 >= *len);
            let block = own.and_then(|x| home[x]).unwrap_or_else(|| {
                blocks.push(Block { buffers: Vec::new(), len: *len, first: i, last: i });
                blocks.len() - 1
            });
            blocks[block].buffers.push(buffer);
            blocks[block].last = last_use[buffer];
            home[buffer] = Some(block);
        }
    }
    blocks
}

/// Where each block starts, and how many floats all take, if they are placed in that order, each at the first gap.
fn first_fit(blocks: &[Block], order: &[usize]) -> (Vec<usize>, usize) {
    let (mut places, mut length) = (vec![0; blocks.len()], 0);
    let mut placed: Vec<usize> = Vec::new();
    for &block in order {
        let Block { len, first, last, .. } = blocks[block];
        let meets = |&&other: &&usize| blocks[other].first <= last && first <= blocks[other].last;
        let mut taken: Vec<(usize, usize)> =
            placed.iter().filter(meets).map(|&other| (places[other], blocks[other].len)).collect();
        taken.sort_unstable();
        let mut at = 0;
        for (start, n) in taken {
            if start >= at + len {
                break;
            }
            at = at.max(start + n);
        }
        places[block] = at;
        length = length.max(at + len);
        placed.push(block);
    }
    (places, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Step;

    #[test]
    fn memory_is_used_again() {
        let mut steps = Steps::default();
        let x = steps.buffer(10, Place::Parameter("x".into()));
        let [a, b, c, d] = [100, 40, 40, 60].map(|len| steps.buffer(len, Place::Unknown));
        let step = |reads: &[usize], writes, in_place| Step {
            function: "f",
            arguments: Vec::new(),
            reads: reads.to_vec(),
            writes,
            scratch: None,
            in_place,
            what: String::new(),
        };
        steps.steps =
            vec![step(&[x], a, Some(0)), step(&[a], b, None), step(&[b], c, Some(0)), step(&[c], d, None)];
        assert_eq!(place(&mut steps), 140);
        let at = |buffer: usize| steps.buffers[buffer].1.clone();
        assert_eq!([at(a), at(b), at(c), at(d)], [0, 100, 100, 0].map(Place::Arena));
        // Memory of the second call alone, beside what it reads and writes.
        steps.buffers.iter_mut().for_each(|(_, place)| {
            if matches!(place, Place::Arena(_)) {
                *place = Place::Unknown;
            }
        });
        let scratch = steps.buffer(7, Place::Unknown);
        steps.steps[1].scratch = Some(scratch);
        assert_eq!((place(&mut steps), &steps.buffers[scratch].1), (147, &Place::Arena(140)));
    }

    #[test]
    fn a_shorter_result_in_place_keeps_two_halves() {
        let mut steps = Steps::default();
        let x = steps.buffer(100, Place::Parameter("x".into()));
        let lengths = [100, 25, 100, 100, 25, 100];
        let values = lengths.map(|len| steps.buffer(len, Place::Unknown));
        // A layer that reads bytes made in place of its floats, then one that reads floats.
        let mut from = x;
        for (i, &to) in values.iter().enumerate() {
            steps.steps.push(Step {
                function: "f",
                arguments: Vec::new(),
                reads: vec![from],
                writes: to,
                scratch: None,
                in_place: Some(0).filter(|_| lengths[i] == 25),
                what: String::new(),
            });
            from = to;
        }
        assert_eq!(place(&mut steps), 200);
        let at = |i: usize| steps.buffers[values[i]].1.clone();
        assert_eq!((at(0), at(3)), (at(1), at(4)));
        for (a, b) in [(1, 2), (2, 3), (4, 5)] {
            assert_ne!(at(a), at(b));
        }
    }
}
