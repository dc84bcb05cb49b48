//! Memory planning of the arena: first fit, in the order of the calls.

use crate::step::{Place, Steps};

/// Places every buffer that has no place yet in the arena; returns the length of the arena in floats.
///
/// A buffer's memory is free again after the last call that reads it. A call that may write in place does so where its
/// operand is not read afterwards.
pub(crate) fn place(steps: &mut Steps) -> usize {
    let mut last_use = vec![0; steps.buffers.len()];
    for (i, step) in steps.steps.iter().enumerate() {
        step.buffers().for_each(|buffer| last_use[buffer] = i);
    }
    let (mut taken, mut length): (Vec<(usize, usize, usize)>, _) = (Vec::new(), 0);
    for (i, step) in steps.steps.iter().enumerate() {
        // Start, length, and the last call that uses it.
        taken.retain(|&(_, _, last)| last >= i);
        for buffer in [Some(step.writes), step.scratch].into_iter().flatten() {
            let (len, place) = &steps.buffers[buffer];
            if *place != Place::Unknown {
                continue;
            }
            let len = *len;
            let operand = step.in_place.filter(|_| buffer == step.writes).map(|operand| step.reads[operand]);
            let own = operand.filter(|&x| last_use[x] == i && steps.buffers[x].0 == len);
            let at = match own.map(|x| &steps.buffers[x].1) {
                Some(&Place::Arena(at)) => {
                    taken.retain(|&(start, _, _)| start != at);
                    at
                }
                _ => first_fit(&mut taken, len),
            };
            taken.push((at, len, last_use[buffer]));
            length = length.max(at + len);
            steps.buffers[buffer].1 = Place::Arena(at);
        }
    }
    length
}

fn first_fit(taken: &mut [(usize, usize, usize)], len: usize) -> usize {
    taken.sort_unstable();
    let mut at = 0;
    for &(start, n, _) in taken.iter() {
        if start >= at + len {
            break;
        }
        at = at.max(start + n);
    }
    at
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
}
