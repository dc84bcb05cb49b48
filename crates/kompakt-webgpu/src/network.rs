//! The classes that JavaScript sees.

use crate::error::thrown;
use js_sys::{Array, Float32Array};
use kompakt_gpu::{Decode, Gpu, GpuOptions};
use kompakt_runtime::Model;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// The browser's GPU.
#[wasm_bindgen]
pub struct Device(Gpu);

#[wasm_bindgen]
impl Device {
    /// Asks the browser for it.
    ///
    /// Errors: there is none.
    pub async fn open() -> Result<Device, JsValue> {
        Gpu::open_async(None, true).await.map(Device).map_err(thrown)
    }

    /// Its name, or that of the interface where the browser keeps it to itself.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.0.summary().name.clone()
    }

    /// Uploads a network. `half`: values between steps in 16 bits; `decode`: `load`, `run` or `host`; `verify`: check every
    /// checksum first; `timeout_ms`: the longest that the GPU may take to answer.
    ///
    /// Errors: a broken file, operations or sizes beyond the GPU.
    pub async fn load(
        &self,
        bytes: Vec<u8>,
        max_batch: usize,
        half: bool,
        decode: String,
        verify: bool,
        timeout_ms: Option<f64>,
    ) -> Result<Network, JsValue> {
        let mut options = GpuOptions::default();
        let wrong = |problem: String| JsValue::from(js_sys::Error::new(&problem));
        options.half = half;
        options.decode = decode.parse::<Decode>().map_err(wrong)?;
        let timeout = timeout_ms.map(|ms| GpuOptions::timeout_of(ms / 1e3)).transpose();
        options.timeout = timeout.map_err(wrong)?;
        let model = Model::from_bytes(&bytes).map_err(thrown)?;
        if verify {
            model.verify().map_err(thrown)?;
        }
        let network =
            kompakt_gpu::Network::open(&self.0, &model, max_batch, &options).await.map_err(thrown)?;
        Ok(Network { network, labels: model.labels().to_vec(), n_bytes: model.n_bytes() })
    }

    /// Gives the GPU up: networks on it fail from now on.
    pub fn destroy(&self) {
        self.0.destroy();
    }
}

/// A network on the GPU.
#[wasm_bindgen]
pub struct Network {
    network: kompakt_gpu::Network,
    labels: Vec<String>,
    n_bytes: usize,
}

#[wasm_bindgen]
impl Network {
    /// Names of the inputs.
    #[wasm_bindgen(js_name = inputNames)]
    pub fn input_names(&self) -> Vec<String> {
        self.network.inputs().iter().map(|port| port.name.clone()).collect()
    }

    /// Names of the outputs.
    #[wasm_bindgen(js_name = outputNames)]
    pub fn output_names(&self) -> Vec<String> {
        self.network.outputs().iter().map(|port| port.name.clone()).collect()
    }

    /// Shape of an input without the batch, before preprocessing.
    #[wasm_bindgen(js_name = inputShape)]
    pub fn input_shape(&self, index: usize) -> Vec<usize> {
        match self.network.inputs() {
            [_] => self.network.raw_shape(),
            all => all.get(index).map(|port| port.shape.clone()).unwrap_or_default(),
        }
    }

    /// Shape of an output without the batch.
    #[wasm_bindgen(js_name = outputShape)]
    pub fn output_shape(&self, index: usize) -> Vec<usize> {
        self.network.outputs().get(index).map(|port| port.shape.clone()).unwrap_or_default()
    }

    /// Names of the classes, or none.
    pub fn labels(&self) -> Vec<String> {
        self.labels.clone()
    }

    /// Size of the file.
    #[wasm_bindgen(getter, js_name = fileBytes)]
    pub fn file_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Bytes of video memory.
    #[wasm_bindgen(getter, js_name = memoryBytes)]
    pub fn memory_bytes(&self) -> f64 {
        self.network.plan().device.as_ref().map_or(0.0, |device| device.total_bytes() as f64)
    }

    /// Runs raw inputs, `[batch, shape...]` each; returns all outputs.
    ///
    /// Errors: an input of the wrong length, a device that is lost.
    pub async fn run(&mut self, inputs: Vec<Float32Array>, batch: usize) -> Result<Array, JsValue> {
        let inputs: Vec<Vec<f32>> = inputs.iter().map(Float32Array::to_vec).collect();
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let outputs = self.network.run_raw(&inputs, batch).await.map_err(thrown)?;
        Ok(outputs.iter().map(|output| JsValue::from(Float32Array::from(&output[..]))).collect())
    }
}
