//! Prepared data sets: what is written is read, and steps are never applied twice or mixed.
#![expect(clippy::unwrap_used, reason = "tests")]

use kompakt_data::{
    Augmentation, Dataset, Feed, Precision, Reconciled, Split, load, parse_steps, prepare, reconcile,
    write_prepared,
};
use kompakt_prep::Pipeline;
use std::{fs, path::Path};
use tempfile::tempdir;

fn splits() -> [Dataset; 3] {
    [Split::Train, Split::Validation, Split::Test].map(|split| load("digits", split).unwrap().first(50))
}

fn written(path: &Path, steps: &Pipeline, precision: Precision) -> [Dataset; 3] {
    let prepared = splits().map(|data| data.apply(steps).unwrap());
    let n_bytes = write_prepared(path, &prepared, precision).unwrap();
    assert_eq!(n_bytes, fs::metadata(path).unwrap().len());
    prepared
}

fn largest_difference(a: &Dataset, b: &Dataset) -> f32 {
    a.to_f32().iter().zip(b.to_f32()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn what_is_written_is_read() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("digits.kds");
    let source = path.display().to_string();
    let steps = parse_steps("features", &splits()[0]).unwrap();
    assert_eq!(steps.output_shape().dims(), [716]);
    for (precision, tolerance) in [(Precision::F32, 0.0), (Precision::F16, 4e-3), (Precision::U8, 2e-2)] {
        let prepared = written(&path, &steps, precision);
        for (split, data) in [Split::Train, Split::Validation, Split::Test].into_iter().zip(&prepared) {
            let read = load(&source, split).unwrap();
            assert_eq!(read.prepared(), Some(&steps));
            assert_eq!((read.labels(), read.classes()), (data.labels(), data.classes()));
            assert!(largest_difference(&read, data) <= tolerance);
        }
        assert_eq!(load(&source, Split::TrainAndValidation).unwrap().len(), 100);
        let once = fs::read(&path).unwrap();
        written(&path, &steps, precision);
        assert_eq!(once, fs::read(&path).unwrap(), "the same content gives the same bytes");
    }
}

#[test]
fn a_gzipped_file_is_the_same_and_smaller() {
    let folder = tempdir().unwrap();
    let [plain, packed] = ["d.kds", "d.kds.gz"].map(|name| folder.path().join(name));
    let steps = parse_steps("deskew", &splits()[0]).unwrap();
    written(&plain, &steps, Precision::U8);
    written(&packed, &steps, Precision::U8);
    let read = |path: &Path| load(&path.display().to_string(), Split::Test).unwrap();
    assert_eq!(read(&plain), read(&packed));
    let n_bytes = |path: &Path| fs::metadata(path).unwrap().len();
    assert!(n_bytes(&packed) * 2 < n_bytes(&plain));
    let whole = fs::read(&packed).unwrap();
    written(&packed, &steps, Precision::U8);
    assert_eq!(whole, fs::read(&packed).unwrap());
    fs::write(&packed, &whole[..whole.len() / 2]).unwrap();
    assert!(load(&packed.display().to_string(), Split::Test).is_err());
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("digits.kds");
    let problem = || load(&path.display().to_string(), Split::Train).unwrap_err().to_string();
    let steps = parse_steps("deskew", &splits()[0]).unwrap();
    written(&path, &steps, Precision::U8);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(problem().contains("truncated"), "{}", problem());
    // The steps changed, their hash did not: `max_shear` 1.0 becomes 2.0.
    let at = whole.windows(15).position(|w| w == b"max_shear\\\":1.0").unwrap();
    let mut other = whole.clone();
    other[at + 12] = b'2';
    fs::write(&path, other).unwrap();
    assert!(problem().contains("prepare it again"), "{}", problem());
    fs::write(&path, b"").unwrap();
    problem();
}

#[test]
fn steps_are_applied_once_or_refused() {
    let raw = splits()[0].clone();
    let [none, deskew, features] =
        ["none", "deskew", "features"].map(|name| parse_steps(name, &raw).unwrap());
    let deskewed = raw.clone().apply(&deskew).unwrap();
    assert_eq!(reconcile(&raw, &deskew).unwrap(), Reconciled::Apply);
    assert_eq!(reconcile(&deskewed, &deskew).unwrap(), Reconciled::AlreadyApplied);
    for other in [&none, &features] {
        let message = reconcile(&deskewed, other).unwrap_err().to_string();
        assert!(message.contains("prepared by deskew") && message.contains(&other.hash_hex()), "{message}");
    }
    assert_eq!(prepare(deskewed.clone(), &deskew).unwrap(), deskewed);
    assert_eq!(prepare(raw.clone(), &deskew).unwrap(), deskewed);
    assert_eq!(prepare(raw.clone(), &none).unwrap(), raw);
    assert!(deskewed.clone().apply(&deskew).is_err());
    let elsewhere = Pipeline::new(&[1, 8, 8], vec![]).unwrap();
    assert!(reconcile(&raw, &elsewhere).unwrap_err().to_string().contains("[1, 8, 8]"));
    let shift: Augmentation = "shift=1".parse().unwrap();
    assert!(Feed::new(deskewed, &deskew, shift, 1).is_err());
}

/// Moving, then preparing, image by image, is what the feed does.
#[test]
fn a_feed_augments_before_the_steps() {
    let raw = splits()[0].clone();
    let deskew = parse_steps("deskew", &raw).unwrap();
    let shift: Augmentation = "shift=2".parse().unwrap();
    let feed = Feed::new(raw.clone(), &deskew, shift, 4).unwrap();
    let (mut image, mut moved, mut fed) = (vec![0.0; 784], vec![0.0; 784], vec![0.0; 784]);
    feed.fill(3, &[17], &mut fed);
    raw.image(17, &mut image);
    shift.apply(&image, [1, 28, 28], kompakt_data::Place { seed: 4, epoch: 3, index: 17 }, &mut moved);
    assert_eq!(deskew.apply_to(&moved), fed);
}
