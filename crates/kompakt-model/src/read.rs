//! Safetensors in.

use crate::{
    error::CheckpointError,
    metadata::{self, Metadata},
    model::Model,
    parameter::Parameter,
};
use kompakt_graph::{Graph, ParamRole};
use kompakt_numbers::Numbers;
use safetensors::tensor::{Dtype, Metadata as Header, TensorInfo};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// The largest header that is read; safetensors' own limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;
/// Bytes of a tensor per read.
const PIECE_BYTES: usize = 1 << 20;
/// The first bytes of a packed container, for a helpful message.
const CONTAINER_MAGIC: &[u8] = b"\x89KPT";

/// A model in an open file, whose parameters are read one at a time.
pub struct ModelFile {
    file: File,
    header: Header,
    data_start: u64,
    metadata: Metadata,
}

impl ModelFile {
    /// Reads the header and the metadata; checks that the graph's parameters are all there.
    ///
    /// `graph` is for files that carry none (a plain PyTorch export); with one in the file it must be absent.
    pub fn open(mut file: File, graph: Option<Graph>) -> Result<Self, CheckpointError> {
        let (header, data_start) = read_header(&mut file)?;
        let metadata = match (header.metadata().as_ref().and_then(|m| m.get(metadata::KEY)), graph) {
            (Some(text), None) => Metadata::parse(text)?,
            (Some(_), Some(_)) => {
                return Err(CheckpointError::Metadata(
                    "the model carries its own graph; leave out --graph".to_string(),
                ));
            }
            (None, Some(graph)) => Metadata {
                dense_parameters: graph.n_parameters() as u64,
                graph,
                preprocessing: None,
                labels: Vec::new(),
                provenance: Vec::new(),
            },
            (None, None) => return Err(CheckpointError::NoGraph),
        };
        let model = Self { file, header, data_start, metadata };
        model.check_names()?;
        Ok(model)
    }

    /// The network.
    pub fn graph(&self) -> &Graph {
        &self.metadata.graph
    }

    /// The model with its parameters left out, for everything besides the weights.
    pub fn without_parameters(&self) -> Model {
        let m = &self.metadata;
        Model {
            graph: m.graph.clone(),
            parameters: BTreeMap::new(),
            dense_parameters: m.dense_parameters,
            preprocessing: m.preprocessing.clone(),
            labels: m.labels.clone(),
            provenance: m.provenance.clone(),
        }
    }

    /// Reads and checks one parameter.
    pub fn parameter(&mut self, name: &str) -> Result<Parameter, CheckpointError> {
        let wanted = self
            .metadata
            .graph
            .param(name)
            .ok_or_else(|| CheckpointError::tensor(name, "no node of the graph asks for it"))?
            .clone();
        let mask = self.mask(name, wanted.len())?;
        let codes_name = format!("{name}.codes");
        let parameter = if self.header.info(&codes_name).is_some() {
            if wanted.role != ParamRole::Weight {
                return Err(CheckpointError::tensor(name, "only weights may have codes"));
            }
            let codebook = self.numbers(&format!("{name}.codebook"))?.1;
            let (shape, codes) = self.bytes(&codes_name, Dtype::U8)?;
            Parameter::Shared { shape, codebook, codes, mask }
        } else {
            let (shape, values) = self.numbers(name)?;
            Parameter::Dense { shape, values, mask }
        };
        if parameter.shape() != wanted.shape {
            let problem = format!("shape {:?}, the graph asks for {:?}", parameter.shape(), wanted.shape);
            return Err(CheckpointError::tensor(name, problem));
        }
        parameter.check(name)?;
        Ok(parameter)
    }

    /// Reads everything.
    pub fn into_model(mut self) -> Result<Model, CheckpointError> {
        let mut model = self.without_parameters();
        let names: Vec<String> = self.graph().params().iter().map(|p| p.name.clone()).collect();
        for name in names {
            let parameter = self.parameter(&name)?;
            model.parameters.insert(name, parameter);
        }
        model.check()?;
        Ok(model)
    }

    /// Every tensor belongs to a parameter, and every parameter has its tensors.
    fn check_names(&self) -> Result<(), CheckpointError> {
        let present: BTreeSet<String> = self.header.offset_keys().into_iter().collect();
        let mut expected = BTreeSet::new();
        for param in self.graph().params() {
            let name = &param.name;
            let main: &[&str] =
                if present.contains(&format!("{name}.codes")) { &[".codes", ".codebook"] } else { &[""] };
            for suffix in main {
                if !present.contains(&format!("{name}{suffix}")) {
                    return Err(CheckpointError::tensor(
                        &format!("{name}{suffix}"),
                        "missing; the graph asks for it",
                    ));
                }
                expected.insert(format!("{name}{suffix}"));
            }
            for suffix in [".mask", ".scale", ".codebook.scale"] {
                expected.insert(format!("{name}{suffix}"));
            }
        }
        // PyTorch's batch norm counts its batches; nothing here needs the count.
        match present.iter().find(|n| !expected.contains(*n) && !n.ends_with(".num_batches_tracked")) {
            Some(name) => Err(CheckpointError::tensor(name, "no node of the graph asks for it")),
            None => Ok(()),
        }
    }

    fn mask(&mut self, name: &str, n: usize) -> Result<Option<Vec<bool>>, CheckpointError> {
        let name = format!("{name}.mask");
        if self.header.info(&name).is_none() {
            return Ok(None);
        }
        let (_, bytes) = self.bytes(&name, Dtype::BOOL)?;
        if bytes.len() != n || bytes.iter().any(|&b| b > 1) {
            return Err(CheckpointError::tensor(&name, format!("must be {n} bytes of 0 or 1")));
        }
        Ok(Some(bytes.iter().map(|&b| b == 1).collect()))
    }

    fn numbers(&mut self, name: &str) -> Result<(Vec<usize>, Numbers), CheckpointError> {
        if let Some(info) = self.header.info(name).filter(|info| info.dtype == Dtype::F32).cloned() {
            return Ok((info.shape.clone(), Numbers::F32(self.singles(name, &info)?)));
        }
        let (info, bytes) = self.tensor(name)?;
        let numbers = match info.dtype {
            Dtype::F16 => Numbers::F16(bytes.as_chunks().0.iter().map(|&c| u16::from_le_bytes(c)).collect()),
            Dtype::I8 => self.scaled(name, bytes.iter().map(|&b| i32::from(b.cast_signed())).collect())?,
            Dtype::I16 => {
                let integers =
                    bytes.as_chunks().0.iter().map(|&c| i32::from(i16::from_le_bytes(c))).collect();
                self.scaled(name, integers)?
            }
            Dtype::I32 => {
                let integers = bytes.as_chunks().0.iter().map(|&c| i32::from_le_bytes(c)).collect();
                self.scaled(name, integers)?
            }
            other => {
                let problem = format!("type {other:?}; numbers are F32, F16, or I8, I16, I32 with a scale");
                return Err(CheckpointError::tensor(name, problem));
            }
        };
        Ok((info.shape, numbers))
    }

    fn scaled(&mut self, name: &str, integers: Vec<i32>) -> Result<Numbers, CheckpointError> {
        let scale_name = format!("{name}.scale");
        if self.header.info(&scale_name).is_none() {
            return Err(CheckpointError::tensor(&scale_name, "missing; integers need a scale"));
        }
        let (_, bytes) = self.bytes(&scale_name, Dtype::F32)?;
        match bytes.as_slice().try_into() {
            Ok(bytes) => Ok(Numbers::Scaled { scale: f32::from_le_bytes(bytes), integers }),
            Err(_) => Err(CheckpointError::tensor(&scale_name, "must be one F32 number")),
        }
    }

    fn bytes(&mut self, name: &str, dtype: Dtype) -> Result<(Vec<usize>, Vec<u8>), CheckpointError> {
        let (info, bytes) = self.tensor(name)?;
        if info.dtype != dtype {
            return Err(CheckpointError::tensor(name, format!("type {:?}, expected {dtype:?}", info.dtype)));
        }
        Ok((info.shape, bytes))
    }

    /// Single-precision values, without their bytes in memory at the same time.
    fn singles(&mut self, name: &str, info: &TensorInfo) -> Result<Vec<f32>, CheckpointError> {
        let (begin, end) = info.data_offsets;
        let what = || CheckpointError::io(format!("reading tensor {name:?}"));
        self.file.seek(SeekFrom::Start(self.data_start + begin as u64)).map_err(what())?;
        let mut values = Vec::with_capacity((end - begin) / 4);
        let mut piece = vec![0; PIECE_BYTES.min(end - begin)];
        for from in (begin..end).step_by(PIECE_BYTES) {
            let piece = &mut piece[..PIECE_BYTES.min(end - from)];
            self.file.read_exact(piece).map_err(what())?;
            values.extend(piece.as_chunks().0.iter().map(|&c| f32::from_le_bytes(c)));
        }
        Ok(values)
    }

    fn tensor(&mut self, name: &str) -> Result<(TensorInfo, Vec<u8>), CheckpointError> {
        let info = self.header.info(name).cloned().ok_or_else(|| CheckpointError::tensor(name, "missing"))?;
        let (begin, end) = info.data_offsets;
        // The header was checked against the file's length, so this is never more than the file holds.
        let mut bytes = vec![0; end - begin];
        let what = || format!("reading tensor {name:?}");
        self.file
            .seek(SeekFrom::Start(self.data_start + begin as u64))
            .map_err(CheckpointError::io(what()))?;
        self.file.read_exact(&mut bytes).map_err(CheckpointError::io(what()))?;
        Ok((info, bytes))
    }
}

fn read_header(file: &mut File) -> Result<(Header, u64), CheckpointError> {
    let io = || CheckpointError::io("reading the model");
    let found = file.seek(SeekFrom::End(0)).map_err(io())?;
    file.rewind().map_err(io())?;
    if found == 0 {
        return Err(CheckpointError::Empty);
    }
    let mut start = Vec::with_capacity(8);
    file.by_ref().take(8).read_to_end(&mut start).map_err(io())?;
    if start.starts_with(CONTAINER_MAGIC) {
        return Err(CheckpointError::IsContainer);
    }
    let length: [u8; 8] = start
        .as_slice()
        .try_into()
        .map_err(|_| CheckpointError::NotSafetensors(format!("only {found} bytes long")))?;
    let header_bytes = u64::from_le_bytes(length);
    if header_bytes > MAX_HEADER_BYTES {
        return Err(CheckpointError::NotSafetensors(
            "its first eight bytes are no header length".to_string(),
        ));
    }
    if header_bytes > found - 8 {
        return Err(CheckpointError::Length { found, expected: header_bytes + 8 });
    }
    let mut text = Vec::new();
    file.by_ref().take(header_bytes).read_to_end(&mut text).map_err(io())?;
    let header: Header =
        serde_json::from_slice(&text).map_err(|e| CheckpointError::NotSafetensors(e.to_string()))?;
    let expected = 8 + header_bytes + header.data_len() as u64;
    if found != expected {
        return Err(CheckpointError::Length { found, expected });
    }
    Ok((header, 8 + header_bytes))
}

impl Model {
    /// Reads a complete model from an open, seekable file. `graph` as in [`ModelFile::open`].
    pub fn read(file: File, graph: Option<Graph>) -> Result<Self, CheckpointError> {
        ModelFile::open(file, graph)?.into_model()
    }
}
