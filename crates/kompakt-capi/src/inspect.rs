//! What is in a file and where its bytes are, as JSON; the weights of one parameter. For JavaScript: WebAssembly only, in the
//! module without vectors.
#![cfg_attr(
    target_arch = "wasm32",
    expect(unsafe_code, reason = "an interface of pointers: their owner promises what each text says")
)]

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt::Write;
use kompakt_format::{Container, Decoded, FormatError, NumberFormat, Numbers, SectionKind, key};

/// The file as JSON: `{tier, content_hash, bytes, preprocessing: [step], nodes: [operator], others: [{name, bytes}], tensors:
/// [{name, shape, n, n_kept, coder, levels: [bits of an f32] | null, bytes, map_bytes, codes_bytes, numbers_bytes}]}`.
///
/// Bytes of others and tensors add up to the file's. A tensor with a section of its own has that section's; those that
/// share one stream have shares in proportion to their entropy, and so have the map of kept weights, the codes and the
/// numbers of one tensor.
/// Errors: a payload is broken.
pub(crate) fn json(container: &Container<'_>) -> Result<String, FormatError> {
    let graph = container.graph();
    let pool = container.pool()?;
    let mut others = directory(container);
    let mut own = vec![None; graph.params().len()];
    let mut shared_bytes = 0;
    let mut end = container.directory_span().end;
    for section in container.sections() {
        let bytes = section.end() + container.crc_bytes() - end;
        end += bytes;
        match section.kind {
            SectionKind::Pool | SectionKind::Numbers => shared_bytes += bytes,
            SectionKind::StreamTables => others.push(("coder tables", bytes)),
            SectionKind::Labels => others.push(("labels", bytes)),
            SectionKind::Provenance => others.push(("history", bytes)),
            SectionKind::SelfTests => others.push(("self-tests", bytes)),
            SectionKind::Ranges => others.push(("ranges", bytes)),
            kind => match kind.parameter().and_then(|parameter| own.get_mut(parameter)) {
                Some(home) => *home = Some((bytes, coder(kind))),
                None => others.push(("unknown", bytes)),
            },
        }
    }
    let mut tensors = String::new();
    let mut rows = Vec::new();
    for index in 0..graph.params().len() {
        let decoded = container.decode_parameter(index, &pool)?;
        rows.push((entropy_bits(&decoded), decoded.n_kept(), levels(&decoded)));
    }
    // Codebooks are in the shared section even where the codes have their own.
    let in_shared = |index: usize, [map, codes, numbers]: [f64; 3]| match own.get(index).copied().flatten() {
        None => map + codes + numbers,
        Some((_, "adaptive" | "raw")) => 0.0,
        Some(_) => numbers,
    };
    let all_bits: f64 = rows.iter().enumerate().map(|(i, (bits, ..))| in_shared(i, *bits)).sum();
    let mut bits_so_far = 0.0;
    let mut bytes_so_far = 0;
    for (index, ((bits, n_kept, levels), param)) in rows.iter().zip(graph.params()).enumerate() {
        let shared_bits = in_shared(index, *bits);
        bits_so_far += shared_bits;
        let until = match all_bits > 0.0 {
            true => (shared_bytes as f64 * bits_so_far / all_bits + 0.5) as usize,
            false => 0,
        };
        let from_shared = until.saturating_sub(bytes_so_far);
        bytes_so_far = bytes_so_far.max(until);
        let (in_own, coder) =
            own[index].unwrap_or((0, if container.tier().code() == 0 { "adaptive" } else { "raw" }));
        // Of its own section: all but what lies in the shared one.
        let [map, codes, numbers] = *bits;
        let own_numbers = if shared_bits > 0.0 { 0.0 } else { numbers };
        let whole = (map + codes + own_numbers).max(1e-9);
        let scale = if own[index].is_some() { in_own as f64 / whole } else { 0.0 };
        let per_bit =
            if own[index].is_some() { 0.0 } else { from_shared as f64 / (map + codes + numbers).max(1e-9) };
        let numbers_bytes = match own[index] {
            Some(_) => own_numbers * scale + from_shared as f64,
            None => numbers * per_bit,
        };
        let shape: Vec<String> = param.shape.iter().map(ToString::to_string).collect();
        let _ = write!(
            tensors,
            "{}{{\"name\":{},\"shape\":[{}],\"n\":{},\"n_kept\":{n_kept},\"coder\":\"{coder}\",\"levels\":{levels},\"bytes\":{},\
             \"map_bytes\":{},\"codes_bytes\":{},\"numbers_bytes\":{}}}",
            if index > 0 { "," } else { "" },
            quoted(&param.name),
            shape.join(","),
            param.len(),
            in_own + from_shared,
            Tenths(map * (scale + per_bit)),
            Tenths(codes * (scale + per_bit)),
            Tenths(numbers_bytes),
        );
    }
    others.push(("checksum of the shared section", shared_bytes.saturating_sub(bytes_so_far)));
    let others: Vec<String> = others
        .iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, bytes)| format!("{{\"name\":\"{name}\",\"bytes\":{bytes}}}"))
        .collect();
    let steps: Vec<String> = container
        .pipeline()
        .map(|pipeline| pipeline.steps().iter().map(|step| quoted(step.name())).collect())
        .unwrap_or_default();
    let nodes: Vec<String> = graph.nodes().iter().map(|node| quoted(node.op.name())).collect();
    let hash: String = container.content_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!(
        "{{\"tier\":\"{}\",\"content_hash\":\"{hash}\",\"bytes\":{},\"preprocessing\":[{}],\"nodes\":[{}],\"others\":[{}],\
         \"tensors\":[{tensors}]}}",
        container.tier().name(),
        container.bytes().len(),
        steps.join(","),
        nodes.join(","),
        others.join(","),
    ))
}

/// The values of a parameter, NaN for a weight that is not kept.
pub(crate) fn weights(container: &Container<'_>, parameter: usize) -> Result<Vec<f32>, FormatError> {
    let decoded = container.decode_parameter(parameter, &container.pool()?)?;
    let mut values = decoded.to_f32();
    if let Some(mask) = decoded.mask() {
        values.iter_mut().zip(mask).filter(|(_, kept)| !**kept).for_each(|(value, _)| *value = f32::NAN);
    }
    Ok(values)
}

/// Header and directory.
fn directory(container: &Container<'_>) -> Vec<(&'static str, usize)> {
    let span = container.directory_span();
    let keys = container.directory_bytes();
    let in_keys: usize = keys.iter().map(|(_, bytes)| bytes).sum();
    let mut rows = vec![("header", span.end - in_keys)];
    rows.extend(keys.iter().map(|&(key, bytes)| (key::name(key), bytes)));
    rows
}

fn coder(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Raw { .. } => "raw",
        SectionKind::Adaptive { .. } => "adaptive",
        SectionKind::DirectTiles { .. } => "direct",
        _ => "rans",
    }
}

/// Bits of the map of kept weights, of the codes (each weight by itself), and of the numbers as they are stored.
fn entropy_bits(decoded: &Decoded) -> [f64; 3] {
    let of = |counts: &[usize]| {
        let n = counts.iter().sum::<usize>() as f64;
        counts.iter().filter(|&&c| c > 0).map(|&c| c as f64 * libm::log2(n / c as f64)).sum::<f64>()
    };
    let map = decoded.mask().map_or(0.0, |mask| of(&[decoded.n_kept(), mask.len() - decoded.n_kept()]));
    let mut codes = 0.0;
    let numbers = match decoded {
        Decoded::Dense { numbers, .. } => numbers,
        Decoded::Shared { codebook, weights } => {
            let mut counts = vec![0; codebook.len()];
            let view = weights.view();
            for (i, &code) in weights.codes.iter().enumerate() {
                if let Some(count) = counts.get_mut(usize::from(code)).filter(|_| view.is_kept(i)) {
                    *count += 1;
                }
            }
            codes = of(&counts);
            codebook
        }
    };
    let bits = match numbers.format() {
        NumberFormat::F32 => 32.0,
        NumberFormat::F16 => 16.0,
        NumberFormat::Scaled => 8.0,
    };
    [map, codes, bits * numbers.len() as f64]
}

/// A number of at least 0 with one decimal. Not `{:.1}`: the standard library's way takes tables of 10 kB along.
struct Tenths(f64);

impl core::fmt::Display for Tenths {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let tenths = (self.0 * 10.0 + 0.5) as u64;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

/// The bits of the codebook's levels as JSON, or `null`.
fn levels(decoded: &Decoded) -> String {
    let text = |numbers: &Numbers| {
        numbers.to_f32().iter().map(|level| level.to_bits().to_string()).collect::<Vec<_>>().join(",")
    };
    decoded.shared().map_or_else(|| "null".to_string(), |(codebook, _)| format!("[{}]", text(codebook)))
}

/// A text in JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if u32::from(c) < 0x20 => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(target_arch = "wasm32")]
#[expect(unreachable_pub, reason = "exported by name")]
mod exported {
    use crate::{
        check::container,
        error::{KompaktStatus, argument, guard},
    };
    use alloc::ffi::CString;
    use core::{cell::RefCell, ffi::c_char};
    use kompakt_runtime::RuntimeError;

    per_thread! {
        static TEXT: RefCell<CString> = RefCell::default();
    }

    /// What is in a file, as JSON: see `kompakt_inspection`.
    ///
    /// cbindgen:ignore
    ///
    /// # Safety
    /// `bytes` points to `n_bytes` bytes.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn kompakt_inspect(bytes: *const u8, n_bytes: usize) -> KompaktStatus {
        guard(|| {
            // SAFETY: the caller's promise.
            let text = super::json(&unsafe { container(bytes, n_bytes) }?).map_err(RuntimeError::from)?;
            let text = CString::new(text).map_err(|_| argument("a name has a zero in it"))?;
            TEXT.with(|kept| *kept.borrow_mut() = text);
            Ok(())
        })
    }

    /// What the last `kompakt_inspect` found; valid until the next.
    ///
    /// cbindgen:ignore
    #[unsafe(no_mangle)]
    pub extern "C" fn kompakt_inspection() -> *const c_char {
        TEXT.with(|kept| kept.borrow().as_ptr())
    }

    /// Writes the values of a parameter, NaN for a weight that is not kept.
    ///
    /// cbindgen:ignore
    ///
    /// # Safety
    /// `bytes` points to `n_bytes` bytes; `values` has room for `n` numbers.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn kompakt_weights(
        bytes: *const u8,
        n_bytes: usize,
        parameter: usize,
        values: *mut f32,
        n: usize,
    ) -> KompaktStatus {
        guard(|| {
            // SAFETY: the caller's promise.
            let container = unsafe { container(bytes, n_bytes) }?;
            if parameter >= container.graph().params().len() || values.is_null() {
                return Err(argument("there is no such parameter, or values is null"));
            }
            let found = super::weights(&container, parameter).map_err(RuntimeError::from)?;
            if found.len() != n {
                return Err(argument("the parameter has another number of weights"));
            }
            // SAFETY: not null; room for `n` numbers by the caller's promise.
            unsafe { values.copy_from_nonoverlapping(found.as_ptr(), n) };
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Rows add up to the file, and weights are as many as the graph says, in every good file.
    #[test]
    fn rows_add_up_to_every_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good");
        let mut n_files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "kompakt") {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let container = Container::parse(&bytes).unwrap();
            let text = json(&container).unwrap();
            let numbers = |key: &str| -> usize {
                let parts = text.split(key).skip(1);
                parts.map(|part| part.split(['}', ',']).next().unwrap().parse::<usize>().unwrap()).sum()
            };
            // The first is the file's own.
            assert_eq!(numbers("\"bytes\":"), 2 * bytes.len(), "{}: {text}", path.display());
            for (index, param) in container.graph().params().iter().enumerate() {
                let found = weights(&container, index).unwrap();
                let kept = found.iter().filter(|value| !value.is_nan()).count();
                assert_eq!(found.len(), param.len());
                assert!(
                    text.contains(&format!("\"n\":{},\"n_kept\":{kept},", param.len())),
                    "{}",
                    path.display()
                );
            }
            n_files += 1;
        }
        assert!(n_files > 20);
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
