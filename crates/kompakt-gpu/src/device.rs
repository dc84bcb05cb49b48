//! Device selection, and the properties of GPUs.

use std::{fmt, str::FromStr};

/// The device to run a network on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// A GPU: the one whose name contains the text, ignoring case, or the best available.
    Gpu(Option<String>),
    /// The best GPU if the network can run on one that is not a software adapter, else the processor.
    Auto,
}

impl FromStr for Device {
    type Err = String;

    /// Reads `cpu`, `gpu`, `gpu:NAME` or `auto`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "gpu" => Ok(Self::Gpu(None)),
            None if text == "auto" => Ok(Self::Auto),
            Some(("gpu", name)) if !name.is_empty() => Ok(Self::Gpu(Some(name.to_string()))),
            _ => Err(format!("{text:?} is not a device: cpu, gpu, gpu:NAME or auto")),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(None) => f.write_str("gpu"),
            Self::Gpu(Some(name)) => write!(f, "gpu:{name}"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// The properties and limits of a GPU of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdapterSummary {
    /// The driver's name for it.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// `vulkan`, `metal`, `dx12`.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// The largest buffer that a shader can read, in bytes.
    pub max_binding_bytes: u64,
    /// The largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Memory that the lanes of a workgroup share, in bytes.
    pub max_workgroup_bytes: u32,
    /// The most lanes of a workgroup.
    pub max_workgroup_lanes: u32,
    /// Lanes of a subgroup, least and most; `None` where shaders cannot use subgroups.
    pub subgroup_lanes: Option<(u32, u32)>,
    /// Whether shaders have 16-bit floats.
    pub has_f16: bool,
    /// Whether steps can be timed on the device.
    pub has_timestamps: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_and_written() {
        for text in ["cpu", "gpu", "gpu:llvmpipe", "gpu:a:b", "auto"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        for text in ["", "gpu:", "cpu:x", "cuda", "GPU"] {
            assert!(text.parse::<Device>().unwrap_err().contains("gpu:NAME"), "{text}");
        }
    }
}
