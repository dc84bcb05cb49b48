//! Containers that must be refused, each by the rule that its name begins with.

use kompakt_entropy::smallest::StreamEncoder;

use crate::editor::{Editor, Item, Part, array, assemble, leb128};
use std::collections::BTreeMap;

type Files = BTreeMap<String, Vec<u8>>;
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Files by name, under construction.
struct Bad<'g> {
    good: &'g Files,
    files: Files,
}

impl Bad<'_> {
    fn add(&mut self, name: &str, bytes: Vec<u8>) {
        assert!(self.files.insert(format!("{name}.kompakt"), bytes).is_none(), "{name} is there twice");
    }

    fn good(&self, name: &str) -> &[u8] {
        &self.good[&format!("{name}.kompakt")]
    }

    fn edit(&self, name: &str) -> Editor {
        Editor::new(self.good(name))
    }

    /// The smallest file, changed.
    fn tiny(&mut self, name: &str, change: impl FnOnce(Editor) -> Editor) {
        self.changed(name, "worked-example", change);
    }

    fn changed(&mut self, name: &str, base: &str, change: impl FnOnce(Editor) -> Editor) {
        let file = change(self.edit(base)).file();
        self.add(name, file);
    }
}

/// All files by name.
pub(crate) fn files(good: &Files) -> Result<Files> {
    let mut bad = Bad { good, files: Files::new() };
    header(&mut bad);
    encoding(&mut bad);
    directory(&mut bad);
    defaults(&mut bad);
    graph(&mut bad);
    open_sizes(&mut bad);
    table(&mut bad);
    payloads(&mut bad);
    ancillary(&mut bad);
    compact(&mut bad);
    Ok(bad.files)
}

fn header(bad: &mut Bad<'_>) {
    let tiny = bad.good("worked-example").to_vec();
    let text: Vec<u8> = tiny.iter().copied().filter(|b| *b != b'\r').collect();
    bad.add("F-1-line-ends-changed", text);
    bad.add("F-1-another-format", b"GIF89a, a picture and no network".to_vec());
    let mut version = tiny.clone();
    version[8] = 3;
    bad.add("F-2-version-3", version);
    bad.add("F-3-nothing", Vec::new());
    bad.add("F-3-magic-only", tiny[..8].to_vec());
    bad.add("F-3-cut-off", tiny[..tiny.len() - 1].to_vec());
    bad.add("F-3-something-appended", [&tiny[..], b"\n"].concat());
    let editor = bad.edit("worked-example");
    let directory = tiny[15..tiny.len() - editor.parts[0].bytes.len() - 4].to_vec();
    let tail = tiny[15 + directory.len()..].to_vec();
    let long = [(tiny.len() as u8 + 1) | 0x80, 0];
    bad.add("F-3-length-not-shortest", assemble(1, &long, &leb128(directory.len()), &directory, &tail));
    let beyond = leb128(directory.len() + tail.len() + 1);
    bad.add("F-4-directory-beyond-the-file", assemble(1, &leb128(tiny.len()), &beyond, &directory, &tail));
    let mut flipped = tiny.clone();
    flipped[20] ^= 1;
    bad.add("F-5-directory-flipped", flipped);
    let mut flipped = tiny;
    flipped[11] ^= 0x80;
    bad.add("F-5-checksum-flipped", flipped);
}

fn encoding(bad: &mut Bad<'_>) {
    let raw = |bytes: &[u8]| Item::Raw(bytes.to_vec());
    bad.tiny("F-6-number-not-shortest", |e| e.set(2, raw(&[0x81, 0x18, 0x04])));
    bad.tiny("F-6-indefinite-array", |e| e.set(2, raw(&[0x9f, 0x04, 0xff])));
    bad.tiny("F-6-tag", |e| e.set(-9, raw(&[0xc1, 0x00])));
    bad.tiny("F-6-null", |e| e.set(-9, raw(&[0xf6])));
    bad.tiny("F-6-not-utf-8", |e| e.set(-9, raw(&[0x61, 0xff])));
    bad.tiny("F-6-float-not-shortest", |e| e.set(-9, raw(&[0xfa, 0x3f, 0x80, 0, 0])));
    bad.tiny("F-6-float-not-finite", |e| e.set(-9, raw(&[0xf9, 0x7c, 0])));
    bad.tiny("F-6-nested-too-deep", |e| e.set(-9, raw(&[[0x81; 9].as_slice(), &[0x00]].concat())));
    bad.tiny("F-6-more-items-than-bytes", |e| e.set(-9, raw(&[0x9b, 0, 0, 0, 1, 0, 0, 0, 0])));
    bad.tiny("F-6-keys-not-sorted", |e| e.change(|e| e.keys.swap(1, 2)));
    bad.tiny("F-6-key-twice", |e| e.change(|e| e.keys.insert(1, e.keys[0].clone())));
    bad.tiny("F-6-map-not-sorted", |e| {
        e.set(-3, raw(&[0xa2, 0x61, b'b', 0xf9, 0, 0, 0x61, b'a', 0xf9, 0, 0]))
    });
    bad.tiny("F-6-ancillary-map-not-sorted", |e| e.set(-9, raw(&[0xa2, 0x02, 0, 0x01, 0])));
    bad.tiny("F-6-cut-off", |e| e.change(|e| e.n_keys = Some(5)));
    bad.tiny("F-6-something-after-it", |e| e.change(|e| e.trailing = vec![0]));
}

fn directory(bad: &mut Bad<'_>) {
    bad.tiny("F-7-no-content-hash", |e| e.remove(1));
    bad.tiny("F-7-short-content-hash", |e| e.set(1, Item::Raw(vec![0x44, 1, 2, 3, 4])));
    bad.tiny("F-7-no-inputs", |e| e.remove(2));
    bad.tiny("F-7-no-nodes", |e| e.remove(3));
    bad.tiny("F-7-no-descriptors", |e| e.remove(6));
    bad.tiny("F-7-text-for-a-shape", |e| e.set(2, array![Item::Text("4")]));
    bad.tiny("F-7-shape-of-nothing", |e| e.set(2, array![]));
    bad.tiny("F-7-no-outputs", |e| e.set(4, array![]));
    bad.changed("F-7-no-preprocessing", "perceptron-smallest", |e| e.set(5, array![]));
    bad.changed("F-7-list-for-the-code-of-a-step", "perceptron-smallest", |e| {
        e.set(5, array![array![1, 8, 8], array![array![1], 1]])
    });
    bad.changed("F-7-list-for-the-number-of-a-step", "perceptron-smallest", |e| {
        e.set(5, array![array![1, 8, 8], array![10, array![1]]])
    });
    bad.tiny("F-7-whole-number-for-a-figure", |e| {
        e.set(-3, Item::Raw([&[0xa1, 0x65][..], b"error", &[0x00]].concat()))
    });
    bad.tiny("F-7-text-for-a-key", |e| {
        e.change(|e| e.trailing = vec![0x61, b'x', 0]).change(|e| e.n_keys = Some(5))
    });
    bad.tiny("F-8-critical-key", |e| e.set(9, 0));
    bad.tiny("F-9-tier-3", |e| e.set(0, 3));
    bad.tiny("F-14-one-descriptor-too-few", |e| e.set(6, array![22, 2]));
    bad.tiny("F-14-unknown-number-format", |e| e.set(6, array![22, 3, 22]));
    bad.tiny("F-14-codebook-for-a-bias", |e| e.set(6, array![22, 10, 22]));
    bad.tiny("F-14-257-levels", |e| e.set(6, array![257 * 8, 2, 22]));
    bad.tiny("F-14-blocks-without-a-mask", |e| e.set(6, array![18 + (2 << 12), 2, 22]));
    bad.tiny("F-14-blocks-without-codes", |e| e.set(6, array![22, 6 + (1 << 12), 22]));
    bad.tiny("F-14-more-than-15-bits", |e| e.set(6, array![22 + (1 << 15), 2, 22]));
    bad.tiny("F-14-trellis-without-codes", |e| e.set(6, array![22, 6 + (1 << 14), 22]));
    bad.tiny("F-14-trellis-with-blocks", |e| e.set(6, array![22 + (5 << 12), 2, 22]));
    bad.tiny("F-15-too-many-elements", |e| e.set(2, array![1 << 23]));
    bad.tiny("F-15-too-many-inputs", |e| e.set(2, Item::Array(vec![array![4]; 65])));
    bad.tiny("F-15-too-many-keys", |e| (9..300).fold(e, |e, key| e.set(-key, 0)));
}

fn defaults(bad: &mut Bad<'_>) {
    bad.tiny("F-10-tier-0", |e| e.set(0, 0));
    bad.tiny("F-10-one-input-in-a-list", |e| e.set(2, array![array![4]]));
    bad.tiny("F-10-outputs", |e| e.set(4, array![3]));
    bad.tiny("F-10-pool-listed", |e| {
        let length = e.parts[0].bytes.len() as i64;
        e.change(|e| e.table = Some(array![array![0, length]]))
    });
    let relu = |node: Item| array![array![0, 3], node, array![0, 2, Item::Bool(false)]];
    bad.tiny("F-10-node-in-an-array", |e| e.set(3, relu(array![7])));
    bad.tiny("F-10-input-listed", |e| e.set(3, relu(array![array![1], 7])));
    bad.tiny("F-10-attribute", |e| {
        e.set(3, array![array![0, 3, Item::Bool(true)], 7, array![0, 2, Item::Bool(false)]])
    });
    bad.changed("F-10-equal-pair", "convolutions-smallest", |e| e.set(3, array![array![1, 6, array![3, 3]]]));
    bad.changed("F-10-equal-padding", "convolutions-smallest", |e| {
        e.set(3, array![array![1, 6, 3, 1, array![1, 1, 1, 1]]])
    });
    bad.changed("F-10-step-in-an-array", "perceptron-smallest", |e| {
        e.set(5, array![array![1, 8, 8], array![1]])
    });
}

fn graph(bad: &mut Bad<'_>) {
    let with = |node: Item| array![node, 7, array![0, 2, Item::Bool(false)]];
    bad.tiny("F-11-unknown-operator", |e| e.set(3, with(99.into())));
    bad.tiny("F-11-lacks-an-attribute", |e| e.set(3, with(0.into())));
    bad.tiny("F-11-one-attribute-too-many", |e| e.set(3, with(array![0, 3, Item::Bool(false), 1])));
    bad.tiny("F-11-attribute-of-another-kind", |e| e.set(3, with(array![0, Item::Bool(true)])));
    bad.tiny("F-11-input-before-the-first-value", |e| e.set(3, with(array![array![2], 0, 3])));
    bad.tiny("F-11-input-is-itself", |e| e.set(3, with(array![array![0], 0, 3])));
    bad.tiny("F-11-node-of-nothing", |e| e.set(3, with(array![])));
    bad.tiny("F-11-list-for-an-operator", |e| e.set(3, with(array![array![1, 2], array![0], 3])));
    bad.tiny("F-11-list-for-an-attribute", |e| e.set(3, with(array![0, array![3]])));
    bad.tiny("F-11-map-for-an-attribute", |e| {
        e.set(3, with(array![0, Item::Raw(vec![0xa1, 0x81, 0x00, 0x00])]))
    });
    bad.tiny("F-11-gather-of-nothing", |e| e.set(3, with(array![29, 0, array![]])));
    let float = |bytes: [u8; 2]| Item::Raw([&[0xf9][..], &bytes].concat());
    let (zero, one) = (|| float([0, 0]), || float([0x3c, 0]));
    for (name, code, n_functions) in [("unary", 33, 27), ("reduce", 36, 7)] {
        let name = format!("F-11-{name}-of-a-function-beyond-the-last");
        let node = if code == 36 { array![code, n_functions, array![0]] } else { array![code, n_functions] };
        bad.tiny(&name, |e| e.set(3, with(node)));
    }
    bad.tiny("F-11-binary-of-a-function-beyond-the-last", |e| {
        e.set(3, with(array![array![1, 1], 34, 1 << 30]))
    });
    bad.tiny("F-12-select-of-one-value", |e| e.set(3, with(35.into())));
    bad.tiny("F-12-reduce-along-a-dimension-twice", |e| e.set(3, with(array![36, 0, array![0, 0]])));
    bad.tiny("F-12-reduce-along-another-dimension", |e| e.set(3, with(array![36, 0, array![1]])));
    bad.tiny("F-12-matrix-of-a-vector", |e| e.set(3, with(array![array![1, 1], 37])));
    bad.tiny("F-12-constant-past-64-bits", |e| e.set(3, with(array![38, array![1 << 28, 1 << 28, 1 << 28]])));
    bad.tiny("F-12-constant-of-a-dimension-0", |e| e.set(3, with(array![38, array![0]])));
    bad.tiny("F-12-embedding-beyond-the-limit", |e| e.set(3, with(array![39, 1 << 28, 1 << 28])));
    bad.tiny("F-12-embedding-without-rows", |e| e.set(3, with(array![39, 0, 4])));
    bad.tiny("F-12-take-along-another-dimension", |e| e.set(3, with(array![array![1, 1], 40, 1])));
    bad.tiny("F-12-scatter-of-a-vector", |e| e.set(3, with(array![array![1, 1, 1], 41, 0])));
    bad.tiny("F-12-largest-of-fewer", |e| e.set(3, with(array![42, 0, 1000])));
    bad.tiny("F-11-recurrent-of-a-cell-beyond-the-last", |e| {
        e.set(3, with(array![array![1, 1, 1], 43, 5, 4]))
    });
    bad.tiny("F-12-recurrent-on-a-vector", |e| e.set(3, with(array![array![1, 1, 1], 43, 3, 4])));
    bad.tiny("F-12-transpose-of-another-dimension", |e| e.set(3, with(array![28, array![1]])));
    bad.tiny("F-12-gather-outside", |e| e.set(3, with(array![29, 0, array![4]])));
    bad.tiny("F-12-resize-of-a-vector", |e| e.set(3, with(array![30, 3, one(), one(), zero(), zero()])));
    bad.tiny("F-12-sum-of-no-channels", |e| e.set(3, with(array![31, 0, one(), one(), one()])));
    bad.tiny("F-12-spread-of-a-vector", |e| e.set(3, with(array![32, 2])));
    bad.tiny("F-12-clip-to-an-empty-range", |e| e.set(3, with(array![21, one(), zero()])));
    bad.tiny("F-12-slice-past-the-end", |e| e.set(3, with(array![15, array![0], array![5], array![1]])));
    bad.tiny("F-12-pad-of-two-dimensions", |e| e.set(3, with(array![16, array![0, 0], array![0, 0]])));
    bad.tiny("F-12-product-of-two-shapes", |e| {
        e.set(3, array![array![0, 3], array![array![1, 2], 17], array![0, 2, Item::Bool(false)]])
    });
    bad.tiny("F-12-linear-on-an-image", |e| e.set(2, array![1, 2, 2]));
    bad.tiny("F-12-dimension-0", |e| e.set(2, array![0]));
    bad.tiny("F-12-dimension-beyond-the-limit", |e| e.set(2, array![1 << 29]));
    bad.tiny("F-12-output-not-there", |e| e.set(4, array![4]));
    let names = |names: [&'static str; 4]| Item::Array(names.into_iter().map(Item::Text).collect());
    bad.tiny("F-12-name-twice", |e| e.set(-1, names(["x", "a", "b", "a"])));
    bad.tiny("F-12-name-with-a-control-character", |e| e.set(-1, names(["x", "a", "b", "c\u{1b}[2J"])));
    bad.tiny("F-12-one-name-too-few", |e| e.set(-1, array![Item::Text("x")]));
    let half = || Item::Raw(vec![0xf9, 0x38, 0x00]);
    bad.changed("F-13-unknown-step", "perceptron-smallest", |e| e.set(5, array![array![1, 8, 8], 99]));
    bad.changed("F-13-step-lacks-a-number", "perceptron-smallest", |e| e.set(5, array![array![1, 8, 8], 10]));
    bad.changed("F-13-makes-another-shape", "perceptron-smallest", |e| {
        e.set(5, array![array![1, 12, 12], array![10, half()]])
    });
    bad.changed("F-13-step-on-a-vector", "perceptron-smallest", |e| {
        e.set(5, array![array![64], array![10, half()]])
    });
}

/// Key 8 of a network with an input of 4, `linear` of 3, `relu`, `linear` of 2.
fn open_sizes(bad: &mut Bad<'_>) {
    let n = || array![Item::Text("n"), 4, 1, 8, 1];
    let input = || array![0, 0, 0, array![1, 0]];
    let mut key = |name: &str, symbols: Item, places: Item| {
        bad.tiny(name, |e| e.set(8, array![symbols, places]));
    };
    key("F-7-symbol-without-a-step", array![array![Item::Text("n"), 4, 1, 8]], array![input()]);
    key("F-7-offset-without-a-term", array![n()], array![array![0, 0, 0]]);
    key("F-15-too-many-symbols", Item::Array(vec![n(); 17]), array![input()]);
    key("F-15-too-many-terms", array![n()], array![Item::Array(vec![0.into(); 8])]);
    key("F-31-no-symbols", array![], array![]);
    key("F-31-symbol-of-no-input", array![n()], array![]);
    key("F-31-symbol-twice", array![n(), n()], array![array![0, 0, 0, array![1, 0], array![0, 1]]]);
    key("F-31-stored-beyond-the-most", array![array![Item::Text("n"), 4, 1, 3, 1]], array![input()]);
    key("F-31-most-between-two-steps", array![array![Item::Text("n"), 4, 1, 8, 3]], array![input()]);
    key("F-31-step-0", array![array![Item::Text("n"), 4, 4, 4, 0]], array![input()]);
    key("F-31-least-0", array![array![Item::Text("n"), 4, 0, 8, 1]], array![input()]);
    key("F-31-most-of-2-to-the-40", array![array![Item::Text("n"), 4, 1, 1 << 40, 1]], array![input()]);
    key(
        "F-31-name-with-a-control-character",
        array![array![Item::Text("n\u{7}"), 4, 1, 8, 1]],
        array![input()],
    );
    key("F-31-another-number-than-is-stored", array![n()], array![array![0, 0, 1, array![1, 0]]]);
    key("F-31-place-twice", array![n()], array![input(), input()]);
    key(
        "F-31-place-of-a-value-that-is-not-there",
        array![n()],
        array![input(), array![9, 0, 0, array![1, 0]]],
    );
    key(
        "F-31-place-of-a-number-that-is-not-there",
        array![n()],
        array![input(), array![1, 1, 0, array![1, 0]]],
    );
    key("F-31-rest-of-a-layer", array![n()], array![input(), array![1, 0]]);
    key("F-31-term-of-a-later-value", array![n()], array![input(), array![1, 0, 0, array![1, 2, 0]]]);
    key("F-31-factor-0", array![n()], array![array![0, 0, 4, array![0, 0]]]);
    key("F-31-factor-past-64-bits", array![n()], array![array![0, 0, 4 - (1 << 62), array![1 << 60, 0]]]);
}

fn table(bad: &mut Bad<'_>) {
    let length = bad.edit("worked-example").parts[0].bytes.len() as i64;
    let extra = |kind| Part { kind, rest: vec![], bytes: vec![] };
    bad.tiny("F-16-critical-kind", |e| e.change(|e| e.parts.push(extra(7))));
    bad.tiny("F-16-kind-of-another-tier", |e| {
        e.change(|e| e.parts.push(Part { rest: vec![0.into()], ..extra(4) }))
    });
    bad.changed("F-16-raw-section-for-codes", "perceptron-direct", |e| {
        e.change(|e| e.parts[1] = Part { rest: vec![0.into()], ..extra(3) })
    });
    bad.tiny("F-17-pool-not-first", |e| e.change(|e| e.parts.insert(0, extra(-1))));
    bad.tiny("F-17-section-twice", |e| e.change(|e| e.parts.extend([extra(-2), extra(-2)])));
    bad.tiny("F-17-sections-not-in-order", |e| e.change(|e| e.parts.extend([extra(-2), extra(-1)])));
    bad.tiny("F-17-parameter-not-there", |e| {
        e.change(|e| e.parts.push(Part { rest: vec![3.into()], ..extra(2) }))
    });
    bad.changed("F-17-tiles-missing", "convolutions-direct", |e| e.change(|e| drop(e.parts.remove(2))));
    bad.changed("F-17-coder-tables-missing", "convolutions-stream", |e| {
        e.change(|e| drop(e.parts.remove(1)))
    });
    bad.tiny("F-18-sections-end-early", |e| {
        e.change(|e| e.table = Some(array![array![0, length - 6], array![-9, 0]]))
    });
    bad.tiny("F-18-sections-end-late", |e| {
        e.change(|e| e.table = Some(array![array![0, length], array![-9, 3]]))
    });
    let tiles = |rows: i64, lengths: &[i64]| {
        let lengths = Item::Array(lengths.iter().map(|&n| n.into()).collect());
        move |e: Editor| e.change(|e| e.parts[1].rest = vec![0.into(), rows.into(), lengths])
    };
    let n = bad.edit("perceptron-direct").parts[1].bytes.len() as i64;
    bad.changed("F-19-tiles-do-not-add-up", "perceptron-direct", tiles(8, &[10, 10, n - 21]));
    bad.changed("F-19-tiles-of-no-rows", "perceptron-direct", tiles(0, &[10, 10, n - 20]));
    bad.changed("F-19-one-tile-of-all-rows", "perceptron-direct", tiles(20, &[10, n - 10]));
    bad.changed("F-19-one-tile-too-few", "perceptron-direct", tiles(8, &[10, n - 10]));
    bad.changed("F-7-section-line-too-long", "perceptron-direct", |e| {
        e.change(|e| e.parts[0].rest.push(0.into()))
    });
}

fn payloads(bad: &mut Bad<'_>) {
    let mut padding = bad.good("aligned-direct").to_vec();
    let container = kompakt_format::Container::parse(&padding).expect("a good file");
    let at = container.sections()[1].offset - 1;
    padding[at] = 1;
    bad.add("F-20-padding-not-zero", padding);
    for name in ["worked-example", "perceptron-direct", "perceptron-stream"] {
        let mut flipped = bad.good(name).to_vec();
        let container = kompakt_format::Container::parse(&flipped).expect("a good file");
        let at = container.sections()[0].offset + 3;
        flipped[at] ^= 4;
        bad.add(&format!("F-21-flipped-{name}"), flipped);
    }
    bad.changed("F-22-numbers-cut-off", "perceptron-direct", |e| e.payload(0, |b| b.truncate(b.len() - 1)));
    bad.changed("F-22-numbers-too-long", "perceptron-direct", |e| e.payload(0, |b| b.push(0)));
    bad.changed("F-22-integers-of-3-bytes", "perceptron-direct", |e| e.payload(0, |b| b[4] = 3));
    // Rows of 12 columns: the upper half of every second byte is filled up.
    bad.changed("F-22-mask-filled-up-with-ones", "dense-direct", |e| e.payload(0, |b| b[1] |= 0x80));
    bad.changed("F-22-raw-section-too-long", "dense-raw-sections", |e| e.payload(1, |b| b.push(0)));
    let frame_cut = |e: Editor| e.payload(1, |b| b.truncate(b.len() - 1));
    bad.changed("F-22-packed-section-cut-off", "dense-packed-section", frame_cut);
    bad.changed("F-22-packed-section-too-long", "dense-packed-section", |e| e.payload(1, |b| b.push(0)));
    bad.changed("F-22-packed-section-of-another-length", "dense-packed-section", |e| {
        e.change(|e| e.parts[1].rest = vec![0.into(), 5000.into()])
    });
    bad.changed("F-22-packed-section-that-unpacks-to-too-much", "dense-packed-section", |e| {
        e.change(|e| e.parts[1].rest = vec![0.into(), (1 << 26).into()])
    });
    bad.changed("F-23-codebook-not-ascending", "aligned-direct", |e| {
        e.payload(0, |b| b.copy_within(4..8, 0))
    });
    bad.changed("F-23-codebook-with-a-zero", "aligned-direct", |e| e.payload(0, |b| b[28..32].fill(0)));
    bad.changed("F-23-bias-not-finite", "aligned-direct", |e| {
        e.payload(0, |b| b[68..72].copy_from_slice(&f32::NAN.to_le_bytes()))
    });
    bad.changed("F-23-scale-makes-infinity", "perceptron-direct", |e| {
        e.payload(0, |b| b[..4].copy_from_slice(&f32::MAX.to_le_bytes()))
    });
    bad.changed("F-24-mask-removes-nothing", "dense-direct", |e| {
        e.payload(0, |b| {
            let bias_and_rest = b[14 + mask_ones(&b[..14]) * 4..].to_vec();
            let row = [0xff, 0x0f];
            *b = [row.repeat(7), vec![0; 7 * 12 * 4], bias_and_rest].concat();
        })
    });
    bad.changed("F-24-pruned-without-a-mask", "perceptron-direct", |e| {
        let descriptors = e.keys.iter().find(|(k, _)| *k == 6).map(|(_, v)| v.clone()).unwrap_or_default();
        // The first descriptor is 18 nn: its bit 2 says masked.
        let mut descriptors = descriptors;
        descriptors[2] &= !4;
        e.set(6, Item::Raw(descriptors))
    });
    for tier in ["direct", "stream"] {
        bad.changed(&format!("F-32-mask-parts-a-block-{tier}"), &format!("perceptron-{tier}"), |e| {
            let descriptors =
                e.keys.iter().find(|(k, _)| *k == 6).map(|(_, v)| v.clone()).unwrap_or_default();
            // The first descriptor is 18 nn: with blocks of 4 it is 19 20 nn.
            e.set(6, Item::Raw([&descriptors[..1], &[0x19, 0x20], &descriptors[2..]].concat()))
        });
    }
    for tier in ["direct", "stream"] {
        bad.changed(&format!("F-33-codes-off-the-trellis-{tier}"), &format!("perceptron-{tier}"), |e| {
            let descriptors =
                e.keys.iter().find(|(k, _)| *k == 6).map(|(_, v)| v.clone()).unwrap_or_default();
            // The first descriptor is 18 nn: with a trellis it is 19 40 nn.
            e.set(6, Item::Raw([&descriptors[..1], &[0x19, 0x40], &descriptors[2..]].concat()))
        });
    }
    bad.tiny("F-25-another-content-hash", |e| e.set(1, Item::Raw([&[0x48][..], &[7; 8]].concat())));
    bad.changed("F-25-another-bias", "aligned-direct", |e| e.payload(0, |b| b[68] ^= 1));
    bad.tiny("F-25-another-graph", |e| e.set(3, array![array![0, 3], 9, array![0, 2, Item::Bool(false)]]));
}

/// Version 2.
fn compact(bad: &mut Bad<'_>) {
    let file = bad.good("compact-worked-example").to_vec();
    let mut flipped = file.clone();
    flipped[30] ^= 1;
    bad.add("F-28-without-a-stream", file[..20].to_vec());
    bad.add("F-29-flipped", flipped);
    bad.add("F-29-cut-off", file[..file.len() - 1].to_vec());
    let with = |stream: &[u8]| with_checksum(&[&file[..21], stream].concat());
    let head = |head: &[u8]| with(&StreamEncoder::compact(head).finish());
    bad.add("F-30-not-a-map", head(&[0x81, 0x00]));
    bad.add("F-30-names", head(b"\xa5\x02\x81\x04\x03\x81\x07\x06\x80\x20\x82\x61a\x61b"));
    bad.add("F-30-too-long", head(&[&b"\xa4\x02\x5a\x00\x02\x00\x00"[..], &[0; 66_000]].concat()));
    bad.add("F-6-compact-keys-not-sorted", head(b"\xa4\x03\x81\x07\x02\x81\x04\x06\x80"));
    bad.add("F-12-compact-dimension-0", head(b"\xa4\x02\x81\x00\x03\x81\x07\x06\x80"));
    let mut hash = file.clone();
    hash[13] ^= 1;
    bad.add("F-25-compact-another-hash", with_checksum(&hash));
}

/// A file of version 2 with a checksum that fits.
fn with_checksum(file: &[u8]) -> Vec<u8> {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&file[..9]);
    crc.update(&file[13..]);
    [&file[..9], &crc.finalize().to_le_bytes(), &file[13..]].concat()
}

fn mask_ones(bytes: &[u8]) -> usize {
    bytes.iter().map(|b| b.count_ones() as usize).sum()
}

fn ancillary(bad: &mut Bad<'_>) {
    let section = |kind, bytes: &[u8], unpacked: Option<i64>| {
        let rest = unpacked.into_iter().map(Item::from).collect();
        let part = Part { kind, rest, bytes: bytes.to_vec() };
        move |e: Editor| e.change(|e| e.parts.push(part))
    };
    bad.tiny("F-26-labels-not-a-list", section(-1, &[0x61, b'a'], None));
    bad.tiny("F-26-labels-with-a-number", section(-1, &[0x81, 0x01], None));
    bad.tiny("F-26-labels-and-more", section(-1, &[0x81, 0x61, b'a', 0], None));
    bad.tiny("F-26-provenance-not-utf-8", section(-2, &[0xff], None));
    bad.tiny("F-26-half-a-self-test", section(-3, &[0; 15], None));
    let frame = zstd::bulk::compress(&[b'a'; 300], 3).expect("memory to compress in");
    bad.tiny("F-26-frame-of-another-length", section(-2, &frame, Some(301)));
    bad.tiny("F-26-frame-cut-off", section(-2, &frame[..frame.len() - 1], Some(300)));
    bad.tiny("F-26-no-frame", section(-2, b"no frame", Some(300)));
    let mut several = frame;
    several[4] &= !0x20;
    bad.tiny("F-26-frame-with-a-window", section(-2, &several, Some(300)));
    // Two layers: four floats.
    let floats = |numbers: &[u16]| {
        let each = numbers.iter().flat_map(|n| [&[0xf9][..], &n.to_be_bytes()].concat());
        [vec![0x80 | numbers.len() as u8], each.collect()].concat()
    };
    let (zero, one, minus_one) = (0, 0x3c00, 0xbc00);
    bad.tiny("F-27-ranges-not-a-list", section(-4, &[0xa0], None));
    bad.tiny("F-27-ranges-of-one-layer", section(-4, &floats(&[zero, one]), None));
    bad.tiny("F-27-ranges-of-three-layers", section(-4, &floats(&[zero, one, zero, one, zero, one]), None));
    bad.tiny("F-27-range-above-0", section(-4, &floats(&[one, one, zero, one]), None));
    bad.tiny("F-27-range-below-0", section(-4, &floats(&[zero, one, minus_one, minus_one]), None));
    bad.tiny("F-27-range-without-an-end", section(-4, &floats(&[zero, one, zero, 0x7c00]), None));
    bad.tiny("F-27-range-of-whole-numbers", section(-4, &[0x84, 0, 1, 0, 1], None));
    bad.tiny("F-27-ranges-and-more", section(-4, &[floats(&[zero, one, zero, one]), vec![0]].concat(), None));
    let double = [0xfb, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a];
    let long = [&[0x84, 0xf9, 0, 0][..], &double, &[0xf9, 0, 0, 0xf9, 0x3c, 0]].concat();
    bad.tiny("F-27-range-of-double-precision", section(-4, &long, None));
    bad.tiny("F-15-ancillary-section-too-long", section(-2, &[], Some((1 << 24) + 1)));
}
