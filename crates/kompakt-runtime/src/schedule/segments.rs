//! Divides the steps into segments.

use super::{BufferId, Layout, Schedule, Segment, Step};
use alloc::vec::Vec;

/// Floats that the steps of a segment read and write at most, unless one image needs more: half of an L2
/// cache.
const SEGMENT_FLOATS: usize = 1 << 17;

/// Steps on images run a few images at a time, so that the output of one is in cache when the next reads it,
/// and buffers hold only those few.
pub(super) fn cut(schedule: &mut Schedule, max_batch: usize) {
    let Schedule { steps, buffers, segments, inputs, outputs, .. } = schedule;
    let used = |step: &Step| {
        let all: Vec<BufferId> = step
            .reads
            .iter()
            .chain([&step.writes])
            .chain(&step.scratch)
            .chain(&step.bytes)
            .copied()
            .collect();
        all
    };
    let by_image =
        |step: &Step| max_batch > 1 && used(step).iter().all(|&b| buffers[b].layout == Layout::ImageMajor);
    let mut start = 0;
    for part in steps.chunk_by(|a, b| by_image(a) == by_image(b)) {
        let floats = |step: &Step| used(step).iter().map(|&b| buffers[b].len).sum::<usize>();
        let most = part.iter().map(floats).max().unwrap_or(1).max(1);
        let n_images = if by_image(&part[0]) { (SEGMENT_FLOATS / most).max(1) } else { usize::MAX };
        segments.push(Segment { steps: start..start + part.len(), n_images });
        start += part.len();
    }
    for segment in segments.iter().filter(|s| s.n_images < max_batch) {
        let (first, last) = (segment.steps.start, segment.steps.end - 1);
        for (b, buffer) in buffers.iter_mut().enumerate() {
            let is_inside = first <= buffer.first && buffer.last <= last;
            if is_inside && !inputs.contains(&b) && !outputs.contains(&b) {
                buffer.n_images = segment.n_images;
            } else if buffer.first <= last && first <= buffer.last {
                // The segment restarts for the next images.
                (buffer.first, buffer.last) = (buffer.first.min(first), buffer.last.max(last));
            }
        }
    }
}
