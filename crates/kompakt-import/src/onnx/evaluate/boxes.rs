//! `NonMaxSuppression`: boxes of each class, best first, without those that overlap with a better one.

use super::call::Call;
use crate::onnx::tensor::Tensor;

/// Least and greatest coordinates of two dimensions.
type Corners = [[f32; 2]; 2];

fn corners(of: &[f32], has_centres: bool) -> Corners {
    let side = |i: usize| {
        let (a, b) = (of[i], of[i + 2]);
        if has_centres { [a - b / 2.0, a + b / 2.0] } else { [a.min(b), a.max(b)] }
    };
    [side(0), side(1)]
}

/// Their common area over the area of both.
fn overlap(a: &Corners, b: &Corners) -> f32 {
    let area = |c: &Corners| (c[0][1] - c[0][0]) * (c[1][1] - c[1][0]);
    let side = |i: usize| (a[i][1].min(b[i][1]) - a[i][0].max(b[i][0])).max(0.0);
    let common = side(0) * side(1);
    if common > 0.0 { common / (area(a) + area(b) - common) } else { 0.0 }
}

/// Image, class and box of each that is chosen.
pub(super) fn non_max_suppression(call: &Call<'_>) -> Result<Tensor, String> {
    let (boxes, scores) = (call.x(0)?, call.x(1)?);
    let (&[images, n, 4], &[_, classes, _]) = (&boxes.dims[..], &scores.dims[..]) else {
        return Err(format!("boxes of {:?} with scores of {:?}", boxes.dims, scores.dims));
    };
    if scores.dims != [images, classes, n] {
        return Err(format!("boxes of {:?} with scores of {:?}", boxes.dims, scores.dims));
    }
    let number = |index: usize| call.optional(index).and_then(Tensor::scalar);
    let most = number(2).map_or(0, |v| v.max(0.0) as usize);
    let (limit, least) = (number(3).unwrap_or(0.0), number(4));
    let has_centres = call.node.int("center_point_box", 0) != 0;
    let (boxes, scores) = (call.floats(0)?, call.floats(1)?);
    let mut chosen = Vec::new();
    for image in 0..images {
        let all: Vec<Corners> =
            boxes[image * n * 4..][..n * 4].chunks(4).map(|of| corners(of, has_centres)).collect();
        for class in 0..classes {
            let scores = &scores[(image * classes + class) * n..][..n];
            let mut order: Vec<usize> =
                (0..n).filter(|&i| least.is_none_or(|least| scores[i] > least)).collect();
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
            let mut taken: Vec<usize> = Vec::new();
            for i in order {
                if taken.len() == most {
                    break;
                }
                call.pay(8 * taken.len() as u64 + 1)?;
                if taken.iter().all(|&j| overlap(&all[i], &all[j]) <= limit) {
                    taken.push(i);
                }
            }
            chosen.extend(taken.iter().flat_map(|&i| [image as i64, class as i64, i as i64]));
        }
    }
    Ok(Tensor::ints(vec![chosen.len() / 3, 3], chosen))
}
