//! The files of a network: ours in three tiers and with ranges for int8, those of the others dense, and the inputs.

use super::{
    networks::{InputKind, Network},
    onnx,
    ours::INT8,
    programs::Programs,
    subject::{Subject, Trained},
    venv::Python,
    weights::{Normal, seeded},
};
use anyhow::{Context, Result, ensure};
use kompakt_compress::{Images, calibrated};
use kompakt_data::Split;
use kompakt_format::{Container, Tier};
use kompakt_pack::{InMemory, Options};
use std::path::{Path, PathBuf};

/// Images in an input file; batches repeat them.
const N_IMAGES: usize = 8;
/// Changes when networks or weights do.
const EDITION: &str = "2";

/// Where the files of one network are.
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    /// Images, `[n, ...]`.
    pub(crate) x: Vec<f32>,
    pub(crate) image_len: usize,
    pub(crate) n_parameters: usize,
}

impl Files {
    /// One of ours, by its name without `.kompakt`.
    pub(crate) fn kompakt(&self, name: &str) -> PathBuf {
        kompakt(&self.folder, name)
    }

    /// That many images, as the other engines repeat them.
    pub(crate) fn batch(&self, n: usize) -> Vec<f32> {
        self.x.iter().copied().cycle().take(n * self.image_len).collect()
    }

    /// Bytes of what an engine reads.
    pub(crate) fn n_bytes(&self, engine: &str) -> u64 {
        let len = |name: &str| std::fs::metadata(self.folder.join(name)).map_or(0, |m| m.len());
        match engine {
            "onnxruntime" | "tract" | "deepsparse" => len("model.onnx"),
            "onnxruntime-int8" => len("model.int8.onnx"),
            "litert" => len("model.tflite"),
            "litert-int8" => len("model.int8.tflite"),
            "openvino" => len("model.xml") + len("model.bin"),
            "openvino-int8" => len("model.int8.xml") + len("model.int8.bin"),
            tier => len(&format!("{tier}.kompakt")),
        }
    }
}

/// Makes what is not there yet.
pub(crate) fn make(subject: &Subject, folder: &Path, python: &Python, programs: &Programs) -> Result<Files> {
    let folder = folder.join(subject.name());
    std::fs::create_dir_all(&folder)?;
    let stamp = folder.join("edition");
    let is_made = std::fs::read_to_string(&stamp).is_ok_and(|found| found == EDITION);
    if !is_made {
        crate::say(&format!("{}: making files", subject.name()));
        match subject {
            Subject::Seeded(network) => pack_seeded(network, &folder)?,
            Subject::Trained(network) => compress(network, &folder, programs)?,
        }
    }
    let packed = std::fs::read(kompakt(&folder, Tier::Stream.name()))?;
    let (shape, n_parameters) = {
        let container = Container::parse(&packed).context("our own file")?;
        (container.graph().shape(0).to_vec(), container.graph().n_parameters())
    };
    let image_len = shape.iter().product();
    let files = Files { folder, x: images(subject.input(), &shape)?, image_len, n_parameters };
    if !is_made {
        let folder = &files.folder;
        write_npy(&folder.join("x.npy"), &shape, &files.x)?;
        write_npy(&folder.join("x1.npy"), &shape, &files.x[..image_len])?;
        let seen = Images::from_values(files.x.clone(), N_IMAGES, Vec::new());
        let with_ranges = calibrated(&packed, Some(&seen), &|_, _| ())?;
        std::fs::write(files.kompakt(INT8), with_ranges)?;
        python.call(&["make", &folder.to_string_lossy()])?;
        if matches!(subject, Subject::Seeded(_)) {
            python.call(&["litert", &folder.to_string_lossy()])?;
        }
        std::fs::write(&stamp, EDITION)?;
    }
    Ok(files)
}

fn kompakt(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.kompakt"))
}

/// Seeded weights in all tiers, and what `rivals.py` makes an ONNX file from.
fn pack_seeded(network: &Network, folder: &Path) -> Result<()> {
    let model = seeded(network)?;
    onnx::write(&model, folder)?;
    let mut source = InMemory::new(model)?;
    for tier in [Tier::Smallest, Tier::Stream, Tier::Direct] {
        kompakt_pack::write(&mut source, &Options::new(tier), &kompakt(folder, tier.name()), &|_, _| {})?;
    }
    Ok(())
}

/// What `kompakt compress` makes of a trained network, in all tiers, and the ONNX file of the result, dense.
fn compress(network: &Trained, folder: &Path, programs: &Programs) -> Result<()> {
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (source, ratio) = (network.onnx.to_string_lossy(), network.ratio.to_string());
    let first = file("smallest.kompakt");
    programs.call(&["compress", &source, "-o", &first, "--target-ratio", &ratio, "--quiet"])?;
    for tier in ["stream", "direct"] {
        programs.call(&["repack", &first, "--tier", tier, "-o", &file(&format!("{tier}.kompakt"))])?;
    }
    programs.call(&["export", &first, "-o", &file("model.onnx")])
}

/// The images that all engines run.
fn images(kind: InputKind, shape: &[usize]) -> Result<Vec<f32>> {
    let len: usize = shape.iter().product();
    let mut normal = Normal::new(99);
    Ok(match kind {
        InputKind::Digits => {
            kompakt_data::fetch("mnist", &mut kompakt_data::Silent)?;
            let data = kompakt_data::load("mnist", Split::Test)?.first(N_IMAGES).to_f32();
            ensure!(data.len() == len * N_IMAGES, "MNIST's images are not those of the network");
            data
        }
        InputKind::Normal => (0..len * N_IMAGES).map(|_| normal.next()).collect(),
        InputKind::HalfZero => (0..len * N_IMAGES).map(|_| normal.next().max(0.0)).collect(),
    })
}

/// A `.npy` file of f32, version 1.0: `[n, shape...]`, or `shape` for one image.
pub(crate) fn write_npy(path: &Path, shape: &[usize], data: &[f32]) -> Result<()> {
    let n = data.len() / shape.iter().product::<usize>().max(1);
    let dims: Vec<String> = std::iter::once(&n).chain(shape).map(ToString::to_string).collect();
    let mut head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", dims.join(", "));
    while (head.len() + 11) % 64 != 0 {
        head.push(' ');
    }
    head.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(head.len())?.to_le_bytes());
    bytes.extend(head.as_bytes());
    data.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
    Ok(std::fs::write(path, bytes)?)
}

/// The values of a `.npy` file of f32.
pub(crate) fn read_npy(path: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    ensure!(bytes.len() > 10 && bytes.starts_with(b"\x93NUMPY\x01"), "{} is no .npy file", path.display());
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let data = bytes.get(start..).unwrap_or(&[]);
    Ok(data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
}
