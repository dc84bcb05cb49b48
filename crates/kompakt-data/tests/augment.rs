//! Augmentation: a function of seed, epoch and index; exact where the answer is known; fast.

use kompakt_data::{Augmentation, Dataset, Feed, Place, Values};
use kompakt_prep::Pipeline;

const DIMS: [usize; 3] = [1, 28, 28];

fn picture() -> Vec<f32> {
    (0..784)
        .map(|i| ((i * 37 % 101) as f32 / 100.0) * f32::from(u8::from(i / 28 > 6 && i / 28 < 21)))
        .collect()
}

fn augmented(how: &str, index: u64) -> Vec<f32> {
    let mut to = vec![9.0; 784];
    let how: Augmentation = how.parse().expect("an augmentation");
    how.apply(&picture(), DIMS, Place { seed: 1, epoch: 2, index }, &mut to);
    to
}

#[test]
fn nothing_is_the_identity() {
    assert_eq!(augmented("none", 0), picture());
}

/// A blob that is shifted keeps its mass and moves by at most the shift; over many images the mean shift is 0.
#[test]
fn a_shift_moves_the_centre_of_mass() {
    let mut blob = vec![0.0f32; 784];
    for (r, c) in [(13, 13), (13, 14), (14, 13), (14, 14)] {
        blob[r * 28 + c] = 1.0;
    }
    let how: Augmentation = "shift=3".parse().unwrap();
    let (mut sum, mut most) = (0.0f64, 0.0f64);
    for index in 0..2000 {
        let mut to = vec![0.0; 784];
        how.apply(&blob, DIMS, Place { seed: 1, epoch: 0, index }, &mut to);
        let mass: f64 = to.iter().map(|v| f64::from(*v)).sum();
        assert!((mass - 4.0).abs() < 1e-4, "mass {mass}");
        let row: f64 =
            to.iter().enumerate().map(|(i, v)| (i / 28) as f64 * f64::from(*v)).sum::<f64>() / mass - 13.5;
        sum += row;
        most = most.max(row.abs());
    }
    assert!(most <= 3.001 && most > 2.9, "{most}");
    assert!((sum / 2000.0).abs() < 0.15, "{}", sum / 2000.0);
}

/// Half of the images are mirrored, each exactly; what else is drawn does not change.
#[test]
fn a_flip_is_a_mirror_image() {
    let mirrored: Vec<f32> = picture().chunks(28).flat_map(|row| row.iter().rev().copied()).collect();
    let n = (0..1000).filter(|&index| augmented("flip=0.5", index) == mirrored).count();
    let n_same = (0..1000).filter(|&index| augmented("flip=0.5", index) == picture()).count();
    assert!(n + n_same == 1000 && (430..570).contains(&n), "{n} of 1000");
    let all: Vec<f32> =
        augmented("shift=2", 3).chunks(28).flat_map(|row| row.iter().rev().copied()).collect();
    assert_eq!(augmented("shift=2,flip=1", 3), all);
}

/// A square of at most that side is 0 in every channel, and nothing else changes.
#[test]
fn a_cutout_blanks_a_square() {
    let how: Augmentation = "cutout=8".parse().unwrap();
    let mut largest = 0;
    for index in 0..300 {
        let mut to = vec![0.0; 2 * 784];
        how.apply(&vec![1.0; 2 * 784], [2, 28, 28], Place { seed: 1, epoch: 0, index }, &mut to);
        let blank: Vec<usize> = (0..784).filter(|&i| to[i] == 0.0).collect();
        assert!((0..784).all(|i| to[i] == to[784 + i] && (to[i] == 0.0 || to[i] == 1.0)));
        let span = |of: fn(usize) -> usize| {
            let ends = (blank.iter().map(|&i| of(i)).min(), blank.iter().map(|&i| of(i)).max());
            ends.1.unwrap() - ends.0.unwrap() + 1
        };
        let (rows, columns) = (span(|i| i / 28), span(|i| i % 28));
        assert!(rows <= 9 && columns <= 9 && blank.len() == rows * columns);
        largest = largest.max(blank.len());
    }
    assert!((64..=81).contains(&largest), "{largest}");
    assert!("flip=1.5".parse::<Augmentation>().is_err());
}

/// A disc does not change when it is rotated about its centre.
#[test]
fn rotation_is_about_the_middle() {
    let disc: Vec<f32> = (0..784)
        .map(|i| {
            let (y, x) = ((i / 28) as f32 - 13.5, (i % 28) as f32 - 13.5);
            (1.0 - (y * y + x * x) / 100.0).max(0.0).powi(2)
        })
        .collect();
    let how: Augmentation = "rotate=90".parse().unwrap();
    let mut to = vec![0.0; 784];
    how.apply(&disc, DIMS, Place { seed: 5, epoch: 0, index: 1 }, &mut to);
    let worst = disc.iter().zip(&to).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 0.03, "{worst}");
}

/// The bend moves a pixel by about the requested amount: measured on a ramp, where a move shows as a value.
#[test]
fn a_bend_has_the_deviation_that_was_asked() {
    let ramp: Vec<f32> = (0..784).map(|i| (i % 28) as f32).collect();
    let how: Augmentation = "elastic=1".parse().unwrap();
    let mut squares = 0.0f64;
    for index in 0..500 {
        let mut to = vec![0.0; 784];
        how.apply(&ramp, DIMS, Place { seed: 1, epoch: 0, index }, &mut to);
        let moved = f64::from(to[14 * 28 + 14]) - 14.0;
        squares += moved * moved;
    }
    let deviation = (squares / 500.0).sqrt();
    assert!((0.8..1.2).contains(&deviation), "{deviation}");
}

#[test]
fn an_image_depends_on_seed_epoch_and_index_alone() {
    let how = "shift=2,rotate=10,scale=0.1,shear=0.2,elastic=1";
    assert_eq!(augmented(how, 7), augmented(how, 7));
    assert_ne!(augmented(how, 7), augmented(how, 8));

    let bytes: Vec<u8> = (0..784 * 40).map(|i| (i * 31 % 251) as u8).collect();
    let data = Dataset::new(&DIMS, Values::Bytes(bytes), vec![0; 40], vec!["a".into()]).unwrap();
    let none = Pipeline::new(&DIMS, vec![]).unwrap();
    let feed = Feed::new(data, &none, how.parse().unwrap(), 3).unwrap();
    let order: Vec<usize> = (0..40).rev().collect();
    let fill = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut all = vec![0.0; 40 * 784];
        pool.install(|| feed.fill(9, &order, &mut all));
        all
    };
    let alone = {
        let mut one = vec![0.0; 784];
        feed.fill(9, &[39], &mut one);
        one
    };
    assert_eq!(fill(1), fill(2));
    assert_eq!(fill(2)[..784], alone);
}

/// Mixed images are what two images are in the parts that the feed tells; the own part is the larger one, and all parts
/// are met.
#[test]
fn a_mixture_is_of_two_images() {
    let n = 50;
    let bytes: Vec<u8> = (0..n * 784).map(|i| (i * 31 % 251) as u8).collect();
    let data = Dataset::new(&DIMS, Values::Bytes(bytes), vec![0; n], vec!["a".into()]).unwrap();
    let none = Pipeline::new(&DIMS, vec![]).unwrap();
    let feed = |how: &str| Feed::new(data.clone(), &none, how.parse().unwrap(), 3).unwrap();
    let (plain, mixed) = (feed("flip=0.5"), feed("flip=0.5,mixup=1"));
    assert_eq!(plain.mixture(0, 0), None);
    let image = |feed: &Feed, index: usize| {
        let mut to = vec![0.0; 784];
        feed.fill(4, &[index], &mut to);
        to
    };
    let (mut even, mut clear) = (0, 0);
    for index in 0..n {
        let (other, own) = mixed.mixture(4, index).unwrap();
        assert!((0.5..=1.0).contains(&own) && other < n);
        even += usize::from(own < 0.75);
        clear += usize::from(own >= 0.75);
        let parts = image(&plain, index).into_iter().zip(image(&plain, other));
        let expected: Vec<f32> = parts.map(|(a, b)| own * a + (1.0 - own) * b).collect();
        assert_eq!(image(&mixed, index), expected);
    }
    assert!(even > 12 && clear > 12, "{even} {clear}");
    assert!("mixup=2".parse::<Augmentation>().is_err());
}

#[test]
fn text_is_canonical_and_mistakes_are_named() {
    let text = |t: &str| t.parse::<Augmentation>().map(|a| a.to_string());
    assert_eq!(text("rotate=10,shift=2").unwrap(), "shift=2,rotate=10");
    assert_eq!(text("none").unwrap(), "none");
    assert!(text("spin=3").unwrap_err().contains("shift, rotate"));
    assert!(text("shift").unwrap_err().contains("NAME=NUMBER"));
    assert!(text("scale=1.5").is_err() && text("shift=-1").is_err() && text("shift=nan").is_err());
}

/// 60,000 images an epoch should take about a second on two cores.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let data = Dataset::new(&DIMS, Values::Bytes(vec![100; 784 * 60_000]), vec![0; 60_000], vec!["a".into()]);
    let data = data.unwrap();
    let order: Vec<usize> = (0..60_000).collect();
    let mut all = vec![0.0; 784 * 60_000];
    for steps in ["none", "deskew", "features"] {
        let steps = kompakt_prep::preset(steps, &DIMS, &[0.0], &[1.0]).unwrap();
        for how in ["shift=2", "shift=2,rotate=10,scale=0.1,shear=0.2,elastic=1"] {
            let feed = Feed::new(data.clone(), &steps, how.parse().unwrap(), 1).unwrap();
            let start = std::time::Instant::now();
            let size = feed.shape().len();
            feed.fill(0, &order, &mut all[..size * 60_000]);
            println!(
                "{:?} {how}: {:?}",
                steps.steps().iter().map(|s| s.name()).collect::<Vec<_>>(),
                start.elapsed()
            );
        }
    }
}
