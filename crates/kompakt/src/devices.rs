//! `kompakt devices`: the GPUs of this machine.

use crate::process::Failure;
use anyhow::Result;
use kompakt_gpu::AdapterSummary;
use serde_json::json;

/// List the GPUs that a network can run on, with what they allow
///
/// One a line, best first: name, kind, interface, driver, then the largest buffer of a shader, the largest buffer, memory and
/// lanes of a workgroup, lanes of a subgroup, and what it has beyond that. `kompakt run --device gpu:NAME` takes a part of the
/// name.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "data and talk of a binary")]
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let adapters = kompakt_gpu::adapters().map_err(Failure::usage)?;
    if arguments.json {
        println!("{:#}", json!(adapters.iter().map(json).collect::<Vec<_>>()));
        return Ok(());
    }
    if adapters.is_empty() {
        eprintln!("kompakt: this machine has no GPU that Vulkan, Metal or DirectX 12 can use");
    }
    for adapter in &adapters {
        println!("{}", line(adapter));
    }
    Ok(())
}

fn json(adapter: &AdapterSummary) -> serde_json::Value {
    json!({
        "name": adapter.name, "kind": adapter.kind, "backend": adapter.backend, "driver": adapter.driver,
        "max_binding_bytes": adapter.max_binding_bytes, "max_buffer_bytes": adapter.max_buffer_bytes,
        "max_workgroup_bytes": adapter.max_workgroup_bytes, "max_workgroup_lanes": adapter.max_workgroup_lanes,
        "subgroup_lanes": adapter.subgroup_lanes.map(|(least, most)| [least, most]),
        "f16": adapter.has_f16, "timestamps": adapter.has_timestamps,
    })
}

fn line(adapter: &AdapterSummary) -> String {
    let subgroups = match adapter.subgroup_lanes {
        None => "no subgroups".to_string(),
        Some((least, most)) if least == most => format!("subgroups of {least}"),
        Some((least, most)) => format!("subgroups of {least} to {most}"),
    };
    let mut features = vec![subgroups];
    features.extend(adapter.has_f16.then(|| "f16".to_string()));
    features.extend(adapter.has_timestamps.then(|| "timestamps".to_string()));
    format!(
        "{}\t{}\t{}\t{}\tbinding {} MiB, buffer {} MiB, workgroup {} KiB and {} lanes\t{}",
        adapter.name,
        adapter.kind,
        adapter.backend,
        adapter.driver,
        adapter.max_binding_bytes >> 20,
        adapter.max_buffer_bytes >> 20,
        adapter.max_workgroup_bytes >> 10,
        adapter.max_workgroup_lanes,
        features.join(", ")
    )
}
