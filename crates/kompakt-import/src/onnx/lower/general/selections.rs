//! Results whose number depends on the data: places that are not zero, boxes that no better one covers.
//!
//! There are as many rows here as there can be at most: those that exist come first, in the file's order (see
//! [`padded`](super::super::padded)).

use super::super::{Act, Call, Lowering, padded::Padded};
use crate::onnx::{builder::Value, rules};
use kompakt_graph::{BinaryFunction, Op, Reduction, UnaryFunction};

/// The most elements of a value whose places are listed.
const MOST_PLACES: usize = 1 << 20;
/// The most boxes of a class: each becomes some 25 operators.
const MOST_BOXES: usize = 512;
/// The most boxes of all classes and images.
const MOST_ROWS: usize = 1 << 18;
/// The score of a box that is taken or covered, and the least score of others.
const GONE: f32 = -1e30;
const LEAST: f32 = -1e29;

/// The problem of values that have a batch: such results are those of all images together.
pub(crate) const ALONG_BATCH: &str = "it counts along the batch";

impl Lowering<'_> {
    /// The indices of elements that are not zero, `[rank, elements]`.
    pub(super) fn non_zero(&mut self, call: &Call<'_>) -> Result<(Act, Padded), String> {
        if self.lead == 1 {
            return Err(ALONG_BATCH.into());
        }
        let x = call.act(0)?.clone();
        let n: usize = x.dims.iter().product();
        if n > MOST_PLACES || x.dims.is_empty() {
            return Err(format!("the places of {n} elements"));
        }
        let flat = self.shaped(x.value, vec![n])?;
        let is_zero = self.of_one(UnaryFunction::Not, flat)?;
        let counts = self.of_one(UnaryFunction::Not, is_zero)?;
        let [kept, order] = self.ones_first(counts, n)?;
        let mut rows = Vec::new();
        for (&size, stride) in x.dims.iter().zip(rules::strides(&x.dims)) {
            let place = self.scaled(order, 1.0 / stride as f32, 0.0)?;
            // Half a place more, so that rounding does not cross a whole number.
            let place = self.scaled(place, 1.0, 0.5 / stride as f32)?;
            let place = self.of_one(UnaryFunction::Floor, place)?;
            let size = self.all_of(place, size as f32)?;
            let place = self.of_two(Op::Binary { function: BinaryFunction::Modulo }, place, size)?;
            rows.push(self.shaped(place, vec![1, n])?);
        }
        let value = if rows.len() == 1 { rows[0] } else { self.builder.op(None, Op::Concat, rows)? };
        Ok((Act { value, dims: vec![x.dims.len(), n] }, Padded { axis: 1, kept }))
    }

    /// Ones in front of zeros, and where each was: `[n]` both.
    fn ones_first(&mut self, x: Value, n: usize) -> Result<[Value; 2], String> {
        let mut sorted =
            |indices| self.builder.op(None, Op::TopK { axis: 0, k: n, largest: true, indices }, vec![x]);
        Ok([sorted(false)?, sorted(true)?])
    }

    /// Image, class and box of the best boxes of each class that do not overlap, `[rows, 3]`: boxes `[images, n, 4]`, scores
    /// `[images, classes, n]`, the most boxes of a class, the greatest overlap, the least score.
    pub(super) fn best_boxes(&mut self, call: &Call<'_>) -> Result<(Act, Padded), String> {
        if self.lead == 1 {
            return Err(ALONG_BATCH.into());
        }
        let (boxes, scores) = (self.value_of(call, 0)?, self.value_of(call, 1)?);
        let number = |index: usize| -> Result<Option<f32>, String> {
            match call.constant(index)? {
                Some(tensor) => tensor.scalar().map(Some).ok_or_else(|| format!("input {index} is a list")),
                None => Ok(None),
            }
        };
        let (&[images, n, 4], &[_, classes, _]) = (&boxes.dims[..], &scores.dims[..]) else {
            return Err(format!("boxes of {:?} with scores of {:?}", boxes.dims, scores.dims));
        };
        if scores.dims != [images, classes, n] {
            return Err(format!("boxes of {:?} with scores of {:?}", boxes.dims, scores.dims));
        }
        let most = number(2)?.unwrap_or(0.0).clamp(0.0, n as f32) as usize;
        let rows = images.saturating_mul(classes).saturating_mul(most);
        if most == 0 || most > MOST_BOXES || rows > MOST_ROWS {
            return Err(format!(
                "max_output_boxes_per_class gives {most} boxes of a class, {rows} in all; 1 to {MOST_BOXES} of a class and up to \
                 {MOST_ROWS} are possible"
            ));
        }
        let (overlap, least) = (number(3)?.unwrap_or(0.0), number(4)?);
        let corners = self.corners(&boxes, call.node.int("center_point_box", 0) != 0)?;
        let mut left = scores.value;
        if let Some(least) = least {
            let bound = self.all_of(left, least)?;
            let counts = self.of_two(Op::Binary { function: BinaryFunction::Greater }, left, bound)?;
            let gone = self.all_of(left, GONE)?;
            left = self.builder.op(None, Op::Select, vec![counts, left, gone])?;
        }
        let (mut found, mut exist) = (Vec::new(), Vec::new());
        for turn in 0..most {
            let best = self.reduced(left, Reduction::Max, &[2])?;
            let bound = self.all_of(best, LEAST)?;
            exist.push(self.of_two(Op::Binary { function: BinaryFunction::Greater }, best, bound)?);
            let place = self.reduced(left, Reduction::ArgMax, &[2])?;
            found.push(place);
            if turn + 1 < most {
                left = self.without_covered(left, place, &corners, overlap)?;
            }
        }
        let mut side_by_side = |parts: Vec<Value>| -> Result<Value, String> {
            let mut fronts = Vec::new();
            for part in parts {
                fronts.push(self.shaped(part, vec![1, images * classes])?);
            }
            let all =
                if fronts.len() == 1 { fronts[0] } else { self.builder.op(None, Op::Concat, fronts)? };
            let all = self.builder.transpose(all, vec![1, 0])?;
            self.shaped(all, vec![rows])
        };
        let (found, exist) = (side_by_side(found)?, side_by_side(exist)?);
        let [kept, order] = self.ones_first(exist, rows)?;
        self.ask(2 * rows)?;
        let image = (0..rows).map(|row| (row / (classes * most)) as f32).collect();
        let class = (0..rows).map(|row| (row / most % classes) as f32).collect();
        let (image, class) = (self.computed(image, vec![1, rows])?, self.computed(class, vec![1, rows])?);
        let found = self.shaped(found, vec![1, rows])?;
        let all = self.builder.op(None, Op::Concat, vec![image, class, found])?;
        let all = self.builder.op(None, Op::Take { axis: 1 }, vec![all, order])?;
        let value = self.builder.transpose(all, vec![1, 0])?;
        Ok((Act { value, dims: vec![rows, 3] }, Padded { axis: 0, kept }))
    }

    /// Least and greatest coordinates and areas of boxes: `[images, n, 5]` for products, and each as `[images, 1, n]`.
    fn corners(&mut self, boxes: &Act, has_centres: bool) -> Result<(Value, [Value; 5]), String> {
        let (images, n) = (boxes.dims[0], boxes.dims[1]);
        let mut columns = Vec::new();
        for i in 0..4 {
            let one = self.cut(boxes, 2, rules::Run { first: i, n: 1, step: 1 })?;
            columns.push(self.shaped(one.value, vec![images, 1, n])?);
        }
        let mut ends = Vec::new();
        for axis in 0..2 {
            let (a, b) = (columns[axis], columns[axis + 2]);
            ends.push(if has_centres {
                let half = self.scaled(b, 0.5, 0.0)?;
                [self.of_two(Op::Sub, a, half)?, self.of_two(Op::Add, a, half)?]
            } else {
                let of = |function| Op::Binary { function };
                [self.of_two(of(BinaryFunction::Min), a, b)?, self.of_two(of(BinaryFunction::Max), a, b)?]
            });
        }
        let mut area = self.of_two(Op::Sub, ends[0][1], ends[0][0])?;
        let width = self.of_two(Op::Sub, ends[1][1], ends[1][0])?;
        area = self.product(area, width)?;
        let rows = [ends[0][0], ends[1][0], ends[0][1], ends[1][1], area];
        let mut fronts = Vec::new();
        for row in rows {
            fronts.push(self.shaped(row, vec![1, images, n])?);
        }
        let all = self.builder.op(None, Op::Concat, fronts)?;
        Ok((self.builder.transpose(all, vec![1, 2, 0])?, rows))
    }

    /// Scores without the box at `place`, and without those that overlap with it.
    fn without_covered(
        &mut self,
        scores: Value,
        place: Value,
        (table, rows): &(Value, [Value; 5]),
        overlap: f32,
    ) -> Result<Value, String> {
        let of = |function| Op::Binary { function };
        let &[images, classes, n] = self.builder.shape(scores) else { return Err("no scores".into()) };
        self.ask(n)?;
        let places = self.computed((0..n).map(|i| i as f32).collect(), vec![1, 1, n])?;
        let is_it = self.of_two(of(BinaryFunction::Equal), places, place)?;
        let it = self.builder.op(None, Op::MatMul, vec![is_it, *table])?;
        let it = Act { value: it, dims: vec![images, classes, 5] };
        let mut own = Vec::new();
        for i in 0..5 {
            own.push(self.cut(&it, 2, rules::Run { first: i, n: 1, step: 1 })?.value);
        }
        let mut sides = Vec::new();
        for axis in 0..2 {
            let end = self.of_two(of(BinaryFunction::Min), rows[axis + 2], own[axis + 2])?;
            let start = self.of_two(of(BinaryFunction::Max), rows[axis], own[axis])?;
            let side = self.of_two(Op::Sub, end, start)?;
            sides.push(self.builder.op(None, Op::Relu, vec![side])?);
        }
        let common = self.product(sides[0], sides[1])?;
        let both = self.of_two(Op::Add, rows[4], own[4])?;
        let both = self.of_two(Op::Sub, both, common)?;
        let share = self.of_two(Op::Div, common, both)?;
        let bound = self.all_of(share, overlap)?;
        let is_covered = self.of_two(of(BinaryFunction::Greater), share, bound)?;
        let leaves = self.of_two(of(BinaryFunction::Or), is_covered, is_it)?;
        let gone = self.all_of(scores, GONE)?;
        self.builder.op(None, Op::Select, vec![leaves, gone, scores])
    }
}
