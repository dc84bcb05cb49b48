//! The files of a network: ours in three tiers, those of the others dense, and the inputs.

use super::{
    networks::{InputKind, Network},
    onnx,
    venv::Python,
    weights::{Normal, seeded},
};
use anyhow::{Result, ensure};
use kompakt_data::Split;
use kompakt_format::Tier;
use kompakt_pack::{InMemory, Options};
use std::path::{Path, PathBuf};

/// Images in an input file; batches repeat them.
const N_IMAGES: usize = 8;
/// Changes when networks or weights do.
const EDITION: &str = "1";

/// Where the files of one network are.
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    /// Images, `[n, ...]`.
    pub(crate) x: Vec<f32>,
    pub(crate) image_len: usize,
}

impl Files {
    pub(crate) fn kompakt(&self, tier: Tier) -> PathBuf {
        self.folder.join(format!("{}.kompakt", tier.name()))
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
pub(crate) fn make(network: &Network, folder: &Path, python: &Python) -> Result<Files> {
    let folder = folder.join(network.name);
    std::fs::create_dir_all(&folder)?;
    let shape = network.graph.shape(0).to_vec();
    let image_len = shape.iter().product();
    let x = images(network.input, &shape)?;
    let files = Files { folder: folder.clone(), x, image_len };
    let stamp = folder.join("edition");
    let litert = || match folder.join("model.int8.tflite").exists() {
        true => Ok(()),
        false => python.call(&["litert", &folder.to_string_lossy()]),
    };
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == EDITION) {
        litert()?;
        return Ok(files);
    }
    crate::say(&format!("{}: making files", network.name));
    write_npy(&folder.join("x.npy"), &shape, &files.x)?;
    write_npy(&folder.join("x1.npy"), &shape, &files.x[..image_len])?;
    let model = seeded(network)?;
    onnx::write(&model, &folder)?;
    let mut source = InMemory::new(model)?;
    for tier in [Tier::Smallest, Tier::Stream, Tier::Direct] {
        kompakt_pack::write(&mut source, &Options::new(tier), &files.kompakt(tier), &|_, _| {})?;
    }
    drop(source);
    python.call(&["make", &folder.to_string_lossy()])?;
    litert()?;
    std::fs::write(&stamp, EDITION)?;
    Ok(files)
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
