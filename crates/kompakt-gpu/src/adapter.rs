//! Lists GPUs and opens one of them.

use crate::{
    AdapterSummary, GpuError,
    shader::{LANES, Shader, Variant},
    waiting::{self, LIMIT, LIMIT_IN_SOFTWARE},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use wgpu::{
    Adapter, Backends, ComputePipeline, Device, DeviceDescriptor, DeviceType, Features, Instance,
    InstanceDescriptor, Limits, MemoryHints, PollError, PollType, Queue, SubmissionIndex,
    WgslLanguageFeatures,
};

/// The GPUs of this machine, best first.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn summaries() -> Vec<AdapterSummary> {
    pollster::block_on(all()).0.iter().map(summary).collect()
}

/// An open GPU. Sessions share it: a clone is the same device.
#[derive(Debug, Clone)]
pub struct Gpu {
    pub(crate) device: Device,
    pub(crate) queue: Queue,
    pub(crate) pipelines: Arc<Mutex<BTreeMap<(Shader, Variant), ComputePipeline>>>,
    has_subgroups: bool,
    /// Whether shaders multiply four bytes at once.
    has_packed_products: bool,
    /// The first error from the driver that has not been returned yet.
    error: Arc<Mutex<Option<String>>>,
    limits: Limits,
    /// The longest that it may take to answer.
    limit: Duration,
    summary: AdapterSummary,
}

impl Gpu {
    /// Opens the GPU whose name contains `name` (ignoring case), or without a name the best: discrete before
    /// integrated before software, which counts only `with_software`.
    ///
    /// Errors: [`GpuError::NoAdapter`] with a list of the adapters; [`GpuError::Device`] if the driver
    /// refuses; in a browser, [`GpuError::Timeout`] if it does not answer.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(name: Option<&str>, with_software: bool) -> Result<Self, GpuError> {
        pollster::block_on(Self::open_async(name, with_software))
    }

    /// As [`open`](Self#method.open), for programs that may not wait. A browser has one adapter, whose name it may keep to
    /// itself.
    ///
    /// Errors: as there.
    pub async fn open_async(name: Option<&str>, with_software: bool) -> Result<Self, GpuError> {
        let no_answer = |adapter: String| GpuError::Timeout { adapter, seconds: LIMIT.as_secs_f64() };
        let asked = waiting::request(LIMIT, all()).await;
        let (mut adapters, has_packed_products) = asked.ok_or_else(|| no_answer("of this machine".into()))?;
        let names: Vec<String> =
            adapters.iter().map(summary).map(|s| format!("{:?} ({})", s.name, s.kind)).collect();
        let wanted = match name {
            Some(name) => format!("has {name:?} in its name"),
            None if with_software => "was found".to_string(),
            None => "that is not software was found".to_string(),
        };
        adapters.retain(|a| with_software || a.get_info().device_type != DeviceType::Cpu);
        if let Some(name) = name {
            adapters.retain(|a| a.get_info().name.to_lowercase().contains(&name.to_lowercase()));
        }
        let Some(adapter) = adapters.into_iter().next() else {
            let found = if names.is_empty() { "none".to_string() } else { names.join(", ") };
            return Err(GpuError::NoAdapter { wanted, found });
        };
        let opened = waiting::request(LIMIT, Self::of(&adapter, has_packed_products)).await;
        opened.unwrap_or_else(|| Err(no_answer(summary(&adapter).name)))
    }

    async fn of(adapter: &Adapter, has_packed_products: bool) -> Result<Self, GpuError> {
        let summary = summary(adapter);
        let wanted = Features::SUBGROUP | Features::SHADER_F16 | Features::TIMESTAMP_QUERY;
        let (features, limits) = (adapter.features() & wanted, adapter.limits());
        let descriptor = DeviceDescriptor {
            label: Some("kompakt"),
            required_features: features,
            required_limits: limits.clone(),
            memory_hints: MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| GpuError::Device { adapter: summary.name.clone(), problem: e.to_string() })?;
        let error: Arc<Mutex<Option<String>>> = Arc::default();
        let (report, lost) = (error.clone(), error.clone());
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| keep_first(&report, e.to_string())));
        device.set_device_lost_callback(move |_, message| {
            keep_first(&lost, format!("the device is lost: {message}"));
        });
        // In a browser the shaders' way of numbering lanes by subgroup is an extension that few have.
        let has_subgroups = !cfg!(target_arch = "wasm32")
            && features.contains(Features::SUBGROUP)
            && has_even_subgroups(&summary);
        let limit = if summary.kind == "software" { LIMIT_IN_SOFTWARE } else { LIMIT };
        Ok(Self {
            device,
            queue,
            has_subgroups,
            has_packed_products,
            pipelines: Arc::default(),
            error,
            limits,
            limit,
            summary,
        })
    }

    /// What it is.
    pub fn summary(&self) -> &AdapterSummary {
        &self.summary
    }

    /// The same device without subgroup operations, as on a GPU that lacks them.
    #[must_use]
    pub fn without_subgroups(mut self) -> Self {
        self.has_subgroups = false;
        self
    }

    /// The same device without products of four bytes at once, as in a browser that lacks them.
    #[must_use]
    pub fn without_packed_products(mut self) -> Self {
        self.has_packed_products = false;
        self
    }

    /// The same device with buffers limited to `bytes`: larger ones are split, or refused.
    #[must_use]
    pub fn with_max_binding_bytes(mut self, bytes: u64) -> Self {
        self.limits.max_storage_buffer_binding_size = bytes.min(self.limits.max_storage_buffer_binding_size);
        self
    }

    /// The same device with another limit for its answers, if one is given.
    #[must_use]
    pub(crate) fn with_limit(mut self, limit: Option<Duration>) -> Self {
        self.limit = limit.unwrap_or(self.limit);
        self
    }

    /// Destroys the device, as when the GPU is lost: sessions on it fail from now on.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// Bytes of all buffers on the device, of all its sessions, as the driver's allocator counts them; `None` where it
    /// does not.
    pub fn allocated_bytes(&self) -> Option<u64> {
        self.device.generate_allocator_report().map(|report| report.total_allocated_bytes)
    }

    /// The shader variant for it.
    pub(crate) fn variant(&self, half: bool) -> Variant {
        Variant { subgroups: self.has_subgroups, half, packed: self.has_packed_products }
    }

    /// Errors: what the driver has reported since it was last asked.
    pub(crate) fn check(&self) -> Result<(), GpuError> {
        match self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(message) => Err(self.failed(message)),
            None => Ok(()),
        }
    }

    /// Natively, waits until everything submitted is done; answers to requests are delivered meanwhile.
    ///
    /// Errors: no answer within the limit; what the driver has reported.
    pub(crate) fn poll(&self) -> Result<(), GpuError> {
        self.poll_until(None)
    }

    /// The same for a submission and those before it.
    pub(crate) fn poll_until(&self, submission_index: Option<SubmissionIndex>) -> Result<(), GpuError> {
        let polled = self.device.poll(PollType::Wait { submission_index, timeout: Some(self.limit) });
        self.check()?;
        match polled {
            Ok(_) => Ok(()),
            Err(PollError::Timeout) => Err(self.no_answer()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The longest that it may take to answer.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// An error for a device that has not answered within the limit.
    pub(crate) fn no_answer(&self) -> GpuError {
        // The last handle of a queue waits, without a limit, until it is idle: this one is never dropped.
        std::mem::forget(self.clone());
        GpuError::Timeout { adapter: self.summary.name.clone(), seconds: self.limit.as_secs_f64() }
    }

    /// An error in the driver's words.
    pub(crate) fn failed(&self, message: impl ToString) -> GpuError {
        GpuError::Driver { adapter: self.summary.name.clone(), message: message.to_string() }
    }

    /// The largest number of workgroups along one dimension.
    pub(crate) fn max_groups(&self) -> u64 {
        self.limits.max_compute_workgroups_per_dimension.into()
    }

    /// The largest buffer that a shader can be given, in bytes.
    pub(crate) fn max_binding_bytes(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    /// An error for something that needs more bytes than a buffer can hold.
    pub(crate) fn too_large(&self, what: String, needed: u64, limit: u64) -> GpuError {
        GpuError::Limit { what, needed, limit, adapter: self.summary.name.clone() }
    }
}

/// Whether all subgroups have the same size and it divides a workgroup: then lanes can be numbered by
/// subgroup.
fn has_even_subgroups(summary: &AdapterSummary) -> bool {
    summary
        .subgroup_lanes
        .is_some_and(|(least, most)| least == most && most > 0 && LANES.is_multiple_of(most))
}

fn keep_first(place: &Mutex<Option<String>>, message: String) {
    place.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
}

/// All adapters, best first, and whether shaders may multiply four bytes at once.
async fn all() -> (Vec<Adapter>, bool) {
    let backends = Backends::VULKAN | Backends::METAL | Backends::DX12 | Backends::BROWSER_WEBGPU;
    let instance =
        Instance::new(InstanceDescriptor { backends, ..InstanceDescriptor::new_without_display_handle() });
    let mut all = instance.enumerate_adapters(backends).await;
    all.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    let has_packed_products =
        instance.wgsl_language_features().contains(WgslLanguageFeatures::Packed4x8IntegerDotProduct);
    (all, has_packed_products)
}

fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

fn summary(adapter: &Adapter) -> AdapterSummary {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    AdapterSummary {
        name: if info.name.is_empty() { info.backend.to_string() } else { info.name },
        kind: match info.device_type {
            DeviceType::DiscreteGpu => "discrete",
            DeviceType::IntegratedGpu => "integrated",
            DeviceType::VirtualGpu => "virtual",
            DeviceType::Cpu => "software",
            DeviceType::Other => "other",
        },
        backend: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_workgroup_lanes: limits.max_compute_invocations_per_workgroup,
        subgroup_lanes: features
            .contains(Features::SUBGROUP)
            .then_some((info.subgroup_min_size, info.subgroup_max_size)),
        has_f16: features.contains(Features::SHADER_F16),
        has_timestamps: features.contains(Features::TIMESTAMP_QUERY),
    }
}
