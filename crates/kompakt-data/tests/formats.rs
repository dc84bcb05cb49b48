//! Every kind of source, each written here byte by byte or by another library, and its mistakes.
#![expect(clippy::unwrap_used, reason = "tests")]

use kompakt_data::{Dataset, Labelling, Split, Values, load, load_as, load_sample, read_picture};
use std::{fs, path::Path};
use tempfile::tempdir;

const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn problem(path: &Path) -> String {
    load(&text(path), Split::Train).unwrap_err().to_string()
}

fn bytes(data: &Dataset) -> &[u8] {
    match data.values() {
        Values::Bytes(bytes) => bytes,
        other => panic!("bytes are kept as bytes, not {other:?}"),
    }
}

/// An IDX file by its definition: 0, 0, type 8, rank, dimensions in four bytes each, content.
fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| file.extend_from_slice(&d.to_be_bytes()));
    file.extend_from_slice(content);
    file
}

#[test]
fn idx_files_and_their_mistakes() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pixels: Vec<u8> = (0..30 * 6).map(|i| i as u8).collect();
    fs::write(at("train-images-idx3-ubyte"), idx(&[30, 2, 3], &pixels)).unwrap();
    fs::write(at("train-labels-idx1-ubyte"), idx(&[30], &[3; 30])).unwrap();
    fs::write(at("t10k-images-idx3-ubyte"), idx(&[2, 2, 3], &pixels[..12])).unwrap();
    fs::write(at("t10k-labels-idx1-ubyte"), idx(&[2], &[1, 2])).unwrap();

    let source = text(folder.path());
    let [train, validation, test] = ALL.map(|split| load(&source, split).unwrap());
    assert_eq!((train.len(), validation.len(), test.len()), (27, 3, 2));
    assert_eq!(train.dims(), [1, 2, 3]);
    assert_eq!(bytes(&test), &pixels[..12]);
    // Images 2, 18, 29 (and no others below 30) are fixed for validation; image 2 starts with byte 12.
    assert_eq!(bytes(&validation)[0], 12);
    assert_eq!(test.labels(), [1, 2]);

    let damaged = |name: &str, content: Vec<u8>, expected: &str| {
        let kept = fs::read(at(name)).unwrap();
        fs::write(at(name), content).unwrap();
        let message = problem(folder.path());
        assert!(message.contains(name) && message.contains(expected), "{message}");
        fs::write(at(name), kept).unwrap();
    };
    damaged("train-images-idx3-ubyte", idx(&[30, 2, 3], &pixels[..100]), "truncated: 100 bytes");
    damaged(
        "train-images-idx3-ubyte",
        idx(&[30, 2, 3], &[pixels.clone(), vec![0]].concat()),
        "goes on after",
    );
    damaged("train-images-idx3-ubyte", vec![0, 0, 8], "shorter than its 4-byte magic");
    damaged("train-images-idx3-ubyte", b"\x1f\x8b\x08\x00 gzip".to_vec(), "starts with");
    damaged("train-images-idx3-ubyte", idx(&[30, 2], &pixels[..60]), "no list of images");
    damaged("train-images-idx3-ubyte", idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), "is more than");
    damaged("train-images-idx3-ubyte", idx(&[1 << 30, 1, 1], &[1, 2]), "truncated");
    damaged("train-labels-idx1-ubyte", idx(&[29], &[3; 29]), "[29] labels for 30 images");
    fs::remove_file(at("t10k-labels-idx1-ubyte")).unwrap();
    let message = load(&source, Split::Test).unwrap_err().to_string();
    assert!(message.contains("t10k-labels-idx1-ubyte: is not there"), "{message}");
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let message = load("no such thing", Split::Train).unwrap_err().to_string();
    assert!(message.contains("mnist, fashion-mnist, cifar10, digits"), "{message}");
    let folder = tempdir().unwrap();
    assert!(problem(folder.path()).contains("one a class"));
    let odd = folder.path().join("data.txt");
    fs::write(&odd, "x").unwrap();
    assert!(problem(&odd).contains("no kind of data set"));
}

fn write_png(path: &Path, width: u32, height: u32, grey: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::GrayImage::from_pixel(width, height, image::Luma([grey])).save(path).unwrap();
}

#[test]
fn folders_of_pictures_are_classes_in_order() {
    let folder = tempdir().unwrap();
    for (class, grey) in [("cat", 10), ("ant", 200)] {
        for i in 0..12 {
            write_png(&folder.path().join(class).join(format!("{i:02}.png")), 4, 3, grey + i);
        }
    }
    let source = text(folder.path());
    let [train, validation, test] = ALL.map(|split| load(&source, split).unwrap());
    assert_eq!(train.classes(), ["ant", "cat"]);
    assert_eq!(train.dims(), [1, 3, 4]);
    assert_eq!(train.len() + validation.len() + test.len(), 24);
    for data in [&train, &validation, &test] {
        for (i, label) in data.labels().iter().enumerate() {
            assert_eq!(*label == 0, bytes(data)[i * 12] >= 200);
        }
    }

    write_png(&folder.path().join("cat/99.png"), 5, 3, 0);
    let message = problem(folder.path());
    assert!(message.contains("99.png") && message.contains("--size"), "{message}");
    let sized = load_as(&source, Split::TrainAndValidation, Some([3, 6, 6])).unwrap();
    assert_eq!(sized.dims(), [3, 6, 6]);

    fs::write(folder.path().join("cat/00.png"), b"no picture").unwrap();
    assert!(problem(folder.path()).contains("00.png"));
}

#[test]
fn folders_with_parts_keep_them() {
    let folder = tempdir().unwrap();
    for (part, n) in [("train", 5), ("validation", 3), ("test", 2)] {
        for i in 0..n {
            write_png(&folder.path().join(part).join("a").join(format!("{i}.png")), 2, 2, i);
        }
    }
    let source = text(folder.path());
    assert_eq!(ALL.map(|split| load(&source, split).unwrap().len()), [5, 3, 2]);
    assert_eq!(load(&source, Split::TrainAndValidation).unwrap().len(), 8);
}

#[test]
fn lists_name_files_and_labels() {
    let folder = tempdir().unwrap();
    let mut list = String::new();
    for i in 0..30u8 {
        write_png(&folder.path().join(format!("p/{i}.png")), 2, 2, i);
        list += &format!("p/{i}.png\t{}\n", [10, 9, 100][usize::from(i) % 3]);
    }
    let path = folder.path().join("list.tsv");
    fs::write(&path, &list).unwrap();
    let data = load(&text(&path), Split::Train).unwrap();
    // Numbers are class numbers, whichever of them there are.
    assert_eq!((data.n_classes(), data.classes()[100].as_str()), (101, "100"));
    for (i, label) in data.labels().iter().enumerate() {
        assert_eq!(*label, [10, 9, 100][usize::from(bytes(&data)[i * 4]) % 3]);
    }
    // Names are classes in the order of their bytes.
    fs::write(&path, list.replace("\t9\n", "\tnine\n")).unwrap();
    let data = load(&text(&path), Split::Train).unwrap();
    assert_eq!(data.classes(), ["10", "100", "nine"]);
    fs::write(&path, "p/0.png\t1\np/1.png 2\n").unwrap();
    assert!(problem(&path).contains("line 2: no tab"));
    fs::write(&path, "p/none.png\t1\n").unwrap();
    assert!(problem(&path).contains("none.png"));
}

/// Version 1.0 of the format by its definition.
fn npy(kind: &str, dims: &str, content: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({dims}), }}");
    let header = format!("{header:<117}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend_from_slice(&(header.len() as u16).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(content);
    file
}

#[test]
fn numpy_arrays_and_their_mistakes() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let floats: Vec<u8> = (0..40 * 4).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let labels: Vec<u8> = (0..40i64).flat_map(|i| (i % 2).to_le_bytes()).collect();
    fs::write(at("x.npy"), npy("<f4", "40, 2, 2", &floats)).unwrap();
    assert!(problem(&at("x.npy")).contains("x-labels.npy is not there"));
    fs::write(at("x-labels.npy"), npy("<i8", "40,", &labels)).unwrap();
    let data = load(&text(&at("x.npy")), Split::Train).unwrap();
    assert_eq!(data.dims(), [1, 2, 2]);
    let mut image = [0.0; 4];
    data.image(0, &mut image);
    assert_eq!(data.labels()[0], (image[0] / 4.0) as u16 % 2);

    fs::write(at("x.npy"), npy("<f4", "40, 2, 2", &floats[..99])).unwrap();
    assert!(problem(&at("x.npy")).contains("truncated"));
    fs::write(at("x.npy"), npy("<f4", "39, 2, 2", &floats[..39 * 16])).unwrap();
    assert!(problem(&at("x.npy")).contains("not 40 images"), "{}", problem(&at("x.npy")));
    fs::write(at("x.npy"), npy("<c8", "1, 2, 2", &floats)).unwrap();
    assert!(problem(&at("x.npy")).contains("c8"));
    fs::write(at("x.npy"), b"x").unwrap();
    problem(&at("x.npy"));
}

#[test]
fn npz_archives_have_parts_or_one_pile() {
    use std::io::Write;
    let folder = tempdir().unwrap();
    let path = folder.path().join("d.npz");
    let write = |arrays: &[(&str, Vec<u8>)]| {
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, content) in arrays {
            zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
    };
    // Height, width, channels: pixel-interleaved, and read plane by plane.
    let colours = npy("|u1", "20, 2, 1, 3", &[1, 2, 3, 4, 5, 6].repeat(20));
    let labels = |n: usize| npy("|u1", &format!("{n},"), &vec![0; n]);
    write(&[
        ("x_train", colours.clone()),
        ("y_train", labels(20)),
        ("x_test", npy("|u1", "1, 2, 1, 3", &[9; 6])),
        ("y_test", labels(1)),
    ]);
    let [train, validation, test] = ALL.map(|split| load(&text(&path), split).unwrap());
    assert_eq!((train.len() + validation.len(), test.len()), (20, 1));
    assert_eq!(train.dims(), [3, 2, 1]);
    assert_eq!(bytes(&train)[..6], [1, 4, 2, 5, 3, 6]);

    write(&[("images", colours.clone()), ("labels", labels(20))]);
    assert_eq!(ALL.map(|split| load(&text(&path), split).unwrap().len()).iter().sum::<usize>(), 20);
    write(&[("pictures", colours)]);
    assert!(problem(&path).contains("x_train"));
    fs::write(&path, b"PK no zip").unwrap();
    assert!(problem(&path).contains("no .npz file"));
}

#[test]
fn cifar_records_are_a_label_and_three_planes() {
    let folder = tempdir().unwrap();
    let record = |label: u8| [vec![label], vec![label * 10; 3072]].concat();
    for i in 1..=5 {
        let content: Vec<u8> = (0..4).flat_map(record).collect();
        fs::write(folder.path().join(format!("data_batch_{i}.bin")), content).unwrap();
    }
    fs::write(folder.path().join("test_batch.bin"), record(7)).unwrap();
    let source = text(folder.path());
    let test = load(&source, Split::Test).unwrap();
    assert_eq!((test.dims(), test.labels(), bytes(&test)[0]), (vec![3, 32, 32], &[7u16][..], 70));
    assert_eq!(load(&source, Split::TrainAndValidation).unwrap().len(), 20);
    fs::write(folder.path().join("data_batch_3.bin"), &record(1)[..3000]).unwrap();
    assert!(problem(folder.path()).contains("data_batch_3.bin: truncated"));
}

/// Two labels before an image, the coarse one first; the fine one is the class, and has a file with its names.
#[test]
fn cifar_100_has_a_coarse_and_a_fine_label() {
    let folder = tempdir().unwrap();
    let record = |fine: u8| {
        let planes = [[fine; 1024], [fine + 1; 1024], [fine + 2; 1024]].concat();
        [vec![fine / 5, fine], planes].concat()
    };
    fs::write(folder.path().join("train.bin"), (0..100).flat_map(record).collect::<Vec<u8>>()).unwrap();
    fs::write(folder.path().join("test.bin"), [record(99), record(42)].concat()).unwrap();
    let source = text(folder.path());
    let test = load(&source, Split::Test).unwrap();
    assert_eq!((test.dims(), test.labels()), (vec![3, 32, 32], &[99u16, 42][..]));
    let pixels = bytes(&test);
    assert_eq!((pixels.len(), pixels[0], pixels[1024], pixels[3071], pixels[3072]), (6144, 99, 100, 101, 42));
    let train = load(&source, Split::TrainAndValidation).unwrap();
    let mut labels = train.labels().to_vec();
    labels.sort_unstable();
    assert_eq!(labels, (0..100).collect::<Vec<u16>>());
    assert_eq!((train.classes().len(), train.classes()[42].as_str()), (100, "42"));
    let names: Vec<String> = (0..100).map(|i| format!("thing {i}")).collect();
    fs::write(folder.path().join("fine_label_names.txt"), names.join("\n")).unwrap();
    assert_eq!(load(&source, Split::Test).unwrap().classes()[99], "thing 99");
    fs::write(folder.path().join("test.bin"), &record(3)[..3073]).unwrap();
    let error = load(&source, Split::Test).unwrap_err().to_string();
    assert!(error.contains("test.bin: truncated"), "{error}");
}

#[test]
fn a_picture_is_made_what_a_network_takes() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("p.png");
    image::RgbImage::from_fn(2, 1, |x, _| image::Rgb([255, 0, 100 * x as u8])).save(&path).unwrap();
    let as_is = read_picture(&path, None).unwrap();
    assert_eq!((as_is.dims, as_is.bytes), ([3, 1, 2], vec![255, 255, 0, 0, 0, 100]));
    assert_eq!(read_picture(&path, Some([1, 28, 28])).unwrap().bytes.len(), 784);
    assert!(read_picture(&path, Some([2, 28, 28])).unwrap_err().to_string().contains("1 or 3 channels"));
    assert!(read_picture(&folder.path().join("q.png"), None).is_err());
}

/// Never squeezed: the middle is cut out, after a scale that keeps the aspect.
#[test]
fn a_picture_of_another_aspect_keeps_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("wide.png");
    image::GrayImage::from_fn(8, 4, |x, _| image::Luma([10 * x as u8])).save(&path).unwrap();
    let middle = read_picture(&path, Some([1, 4, 4])).unwrap();
    assert_eq!(middle.bytes, [20, 30, 40, 50].repeat(4));
    // The same at half the size: columns of two, the outer pair on each side cut off.
    let half = read_picture(&path, Some([1, 2, 2])).unwrap().bytes;
    assert!(half[0] >= 20 && half[0] <= 30 && half[1] >= 40 && half[1] <= 50, "{half:?}");
    // A line of a million pixels costs no more than the part that is seen.
    image::GrayImage::from_fn(1_000_000, 1, |_, _| image::Luma([7])).save(&path).unwrap();
    assert_eq!(read_picture(&path, Some([1, 64, 64])).unwrap().bytes, [7; 64 * 64]);
}

/// Numbers of a list are class numbers, pictures alone have no labels, and images of a class are chosen evenly.
#[test]
fn labels_mean_what_they_say() {
    let folder = tempdir().unwrap();
    let mut list = String::new();
    for i in 0..20 {
        write_png(&folder.path().join(format!("{i:02}.png")), 2, 2, i);
        list += &format!("{i:02}.png\t{}\n", if i < 10 { 3 } else { 7 });
    }
    fs::write(folder.path().join("list.tsv"), &list).unwrap();
    let source = text(&folder.path().join("list.tsv"));
    let whole = load(&source, Split::Whole).unwrap();
    assert_eq!((whole.len(), whole.n_classes(), whole.labels()[0], whole.labels()[19]), (20, 8, 3, 7));
    let some = load_sample(&source, Split::Whole, None, 4).unwrap();
    assert_eq!(some.labels(), [3, 3, 7, 7]);
    let plain = load_sample(&text(folder.path()), Split::Whole, None, 99).unwrap();
    assert_eq!((plain.len(), plain.labelling()), (20, Labelling::Unlabelled));
    assert!(load(&text(folder.path()), Split::Whole).unwrap_err().to_string().contains("no labels"));
    fs::write(folder.path().join("list.tsv"), list + "20.png\t3\n").unwrap();
    let error = load(&source, Split::Train).unwrap_err().to_string();
    assert!(error.contains("list.tsv: line 21: there is no picture") && error.contains("20.png"), "{error}");
}
