//! Sessions: opened, asked, run, closed.
#![expect(
    unsafe_code,
    reason = "a C interface: pointers come from outside, their owner promises what each text says"
)]

use crate::{
    error::{Failure, KompaktStatus, argument, guard},
    options::KompaktOptions,
};
#[cfg(not(target_arch = "wasm32"))]
use alloc::string::String;
use alloc::{boxed::Box, ffi::CString, vec::Vec};
#[cfg(not(target_arch = "wasm32"))]
use core::ffi::CStr;
use core::{ffi::c_char, ptr, slice};
#[cfg(feature = "signatures")]
use kompakt_runtime::PublicKey;
use kompakt_runtime::{Model, OwnedSession, RuntimeError, Session};

/// A model made ready to run.
pub struct KompaktSession {
    session: OwnedSession,
    /// Names of the classes, ended by a zero.
    labels: Vec<CString>,
    /// Names of the open sizes, ended by a zero.
    #[cfg(not(target_arch = "wasm32"))]
    sizes: Vec<CString>,
    /// Numbers of one raw input, of one prepared input, of the first output.
    raw_len: usize,
    input_len: usize,
    output_len: usize,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

/// An input or output.
struct Port {
    name: CString,
    shape: Vec<usize>,
    len: usize,
}

impl From<&kompakt_runtime::Port> for Port {
    fn from(port: &kompakt_runtime::Port) -> Self {
        Self { name: text(&port.name), shape: port.shape.clone(), len: port.len }
    }
}

/// A text for C, which cannot hold zeros.
fn text(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}

impl KompaktSession {
    fn on_processor(model: Model<'static>, options: &KompaktOptions) -> Result<Self, Failure> {
        Self::new(model, options, |model| Ok(Session::new(model, &options.session())?))
    }

    /// Of the session that `make` makes.
    pub(crate) fn new(
        model: Model<'static>,
        options: &KompaktOptions,
        make: impl for<'m> FnOnce(&'m Model<'m>) -> Result<Session<'m>, Failure>,
    ) -> Result<Self, Failure> {
        if options.verify {
            model.verify()?;
        }
        let labels = model.labels().iter().map(|label| text(label)).collect();
        #[cfg(not(target_arch = "wasm32"))]
        let sizes = model.open_sizes().iter().map(|symbol| text(&symbol.name)).collect();
        let session = OwnedSession::with_session(model, make)?;
        let (inputs, outputs) = session.look(|s| {
            (s.inputs().iter().map(Port::from).collect(), s.outputs().iter().map(Port::from).collect())
        });
        let mut this = Self {
            session,
            labels,
            #[cfg(not(target_arch = "wasm32"))]
            sizes,
            raw_len: 0,
            input_len: 0,
            output_len: 0,
            inputs,
            outputs,
        };
        this.measure();
        Ok(this)
    }

    /// Takes shapes and lengths from the session; names stay where they are.
    fn measure(&mut self) {
        let Self { session, raw_len, input_len, output_len, inputs, outputs, .. } = self;
        session.look(|s| {
            let len = |shape: &[usize]| shape.iter().product::<usize>();
            (*raw_len, *input_len, *output_len) =
                (len(&s.raw_shape()), len(s.input_shape()), len(s.output_shape()));
            let ports = inputs.iter_mut().zip(s.inputs()).chain(outputs.iter_mut().zip(s.outputs()));
            ports.for_each(|(port, of)| (port.shape, port.len) = (of.shape.clone(), of.len));
            // What comes in is raw where the file has preprocessing, which networks of one input have alone.
            if let [input] = &mut inputs[..] {
                (input.shape, input.len) = (s.raw_shape(), *raw_len);
            }
        });
    }
}

/// Opens a `.kompakt` file. `options` may be null. On success `*session` is to be given to kompakt_close.
///
/// # Safety
/// `path` is a text of UTF-8 that ends in a zero; `options` is null or points to options; `session` can be written.
#[cfg(not(target_arch = "wasm32"))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_open(
    path: *const c_char,
    options: *const KompaktOptions,
    session: *mut *mut KompaktSession,
) -> KompaktStatus {
    guard(|| {
        if path.is_null() {
            return Err(argument("path is null"));
        }
        // SAFETY: not null, and a text by the caller's promise.
        let path = unsafe { CStr::from_ptr(path) }.to_str().map_err(|_| argument("path is not UTF-8"))?;
        // SAFETY: the caller's promise.
        let options = unsafe { options.as_ref() }.copied().unwrap_or_default();
        #[cfg(feature = "map")]
        let model = if options.in_memory { Model::read(path) } else { Model::map(path) }?;
        #[cfg(not(feature = "map"))]
        let model = Model::read(path)?;
        // SAFETY: the caller's promise.
        unsafe { put(session, KompaktSession::on_processor(model, &options)?) }
    })
}

/// Opens a file whose bytes are in memory already: a part of the program, say. They are used in place and must outlive
/// the session. `options` may be null.
///
/// # Safety
/// `bytes` points to `n_bytes` bytes that stay as they are until kompakt_close; the rest as for kompakt_open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_open_bytes(
    bytes: *const u8,
    n_bytes: usize,
    options: *const KompaktOptions,
    session: *mut *mut KompaktSession,
) -> KompaktStatus {
    guard(|| {
        if bytes.is_null() {
            return Err(argument("bytes is null"));
        }
        // SAFETY: not null; length and life by the caller's promise.
        let bytes: &'static [u8] = unsafe { slice::from_raw_parts(bytes, n_bytes) };
        // SAFETY: the caller's promise.
        let options = unsafe { options.as_ref() }.copied().unwrap_or_default();
        // SAFETY: the caller's promise.
        unsafe { put(session, KompaktSession::on_processor(Model::from_bytes(bytes)?, &options)?) }
    })
}

/// As kompakt_open, for a file that must be signed: only if the signature beside it, `path` with `.minisig` after it, was made
/// of exactly these bytes with the secret half of `public_key` (the text of a .pub file of minisign, or its line that begins
/// with RW). Else KOMPAKT_STATUS_SIGNATURE.
///
/// # Safety
/// As for kompakt_open; `public_key` is a text of UTF-8 that ends in a zero.
#[cfg(feature = "signatures")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_open_signed(
    path: *const c_char,
    public_key: *const c_char,
    options: *const KompaktOptions,
    session: *mut *mut KompaktSession,
) -> KompaktStatus {
    guard(|| {
        if path.is_null() || public_key.is_null() {
            return Err(argument("path or public_key is null"));
        }
        // SAFETY: not null, and a text by the caller's promise.
        let [path, key] = unsafe { [path, public_key].map(|text| CStr::from_ptr(text).to_str()) };
        let path = path.map_err(|_| argument("path is not UTF-8"))?;
        let key = PublicKey::parse(key.map_err(|_| argument("public_key is not UTF-8"))?)?;
        // SAFETY: the caller's promise.
        let options = unsafe { options.as_ref() }.copied().unwrap_or_default();
        let model = match options.in_memory {
            true => Model::read_signed(path, &key),
            false => Model::map_signed(path, &key),
        }?;
        // SAFETY: the caller's promise.
        unsafe { put(session, KompaktSession::on_processor(model, &options)?) }
    })
}

/// Closes a session. Null is allowed.
///
/// # Safety
/// `session` is null or comes from kompakt_open or kompakt_open_bytes, and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_close(session: *mut KompaktSession) {
    if !session.is_null() {
        // SAFETY: made by `put`, and given back once by the caller's promise.
        drop(unsafe { Box::from_raw(session) });
    }
}

/// Numbers of one raw input: the product of kompakt_input_shape. 0 for null.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_input_len(session: *const KompaktSession) -> usize {
    // SAFETY: the caller's promise.
    unsafe { session.as_ref() }.map_or(0, |s| s.raw_len)
}

/// Numbers of one first output: the product of kompakt_output_shape. 0 for null.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_output_len(session: *const KompaktSession) -> usize {
    // SAFETY: the caller's promise.
    unsafe { session.as_ref() }.map_or(0, |s| s.output_len)
}

/// Writes the first `capacity` dimensions of one raw input (without the batch) and returns how many there are.
///
/// # Safety
/// `session` is null or open; `dims` has room for `capacity` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_input_shape(
    session: *const KompaktSession,
    dims: *mut usize,
    capacity: usize,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe { shape(session, dims, capacity, |s| s.raw_shape()) }
}

/// Writes the first `capacity` dimensions of the first output (without the batch) and returns how many there are.
///
/// # Safety
/// `session` is null or open; `dims` has room for `capacity` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_output_shape(
    session: *const KompaktSession,
    dims: *mut usize,
    capacity: usize,
) -> usize {
    // SAFETY: the caller's promise.
    unsafe { shape(session, dims, capacity, |s| s.output_shape().to_vec()) }
}

/// How many inputs the network has.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_n_inputs(session: *const KompaktSession) -> usize {
    // SAFETY: the caller's promise.
    unsafe { session.as_ref() }.map_or(0, |s| s.inputs.len())
}

/// The name of input `index` in the network, or null where there is no such input. Valid until kompakt_close.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_input_name(session: *const KompaktSession, index: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    let port = unsafe { session.as_ref() }.and_then(|s| s.inputs.get(index));
    port.map_or(ptr::null(), |port| port.name.as_ptr())
}

/// Numbers of one input `index`: the product of its shape. 0 where there is no such input.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_input_len_at(session: *const KompaktSession, index: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe { session.as_ref() }.and_then(|s| s.inputs.get(index)).map_or(0, |port| port.len)
}

/// Writes the first `capacity` dimensions of input `index` (without the batch) and returns how many there are; 0 where
/// there is no such input.
///
/// # Safety
/// `session` is null or open; `dims` is null or has room for `capacity` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_input_shape_at(
    session: *const KompaktSession,
    index: usize,
    dims: *mut usize,
    capacity: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let port = unsafe { session.as_ref() }.and_then(|s| s.inputs.get(index));
    // SAFETY: the caller's promise.
    port.map_or(0, |port| unsafe { write_shape(&port.shape, dims, capacity) })
}

/// How many outputs the network has.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_n_outputs(session: *const KompaktSession) -> usize {
    // SAFETY: the caller's promise.
    unsafe { session.as_ref() }.map_or(0, |s| s.outputs.len())
}

/// The name of output `index` in the network, or null where there is no such output. Valid until kompakt_close.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_output_name(session: *const KompaktSession, index: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    let port = unsafe { session.as_ref() }.and_then(|s| s.outputs.get(index));
    port.map_or(ptr::null(), |port| port.name.as_ptr())
}

/// Numbers of one output `index`: the product of its shape. 0 where there is no such output.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_output_len_at(session: *const KompaktSession, index: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe { session.as_ref() }.and_then(|s| s.outputs.get(index)).map_or(0, |port| port.len)
}

/// Writes the first `capacity` dimensions of output `index` (without the batch) and returns how many there are; 0 where
/// there is no such output.
///
/// # Safety
/// `session` is null or open; `dims` is null or has room for `capacity` numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_output_shape_at(
    session: *const KompaktSession,
    index: usize,
    dims: *mut usize,
    capacity: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let port = unsafe { session.as_ref() }.and_then(|s| s.outputs.get(index));
    // SAFETY: the caller's promise.
    port.map_or(0, |port| unsafe { write_shape(&port.shape, dims, capacity) })
}

/// How many sizes the network leaves open: the length of a text, the height of a picture.
///
/// # Safety
/// `session` is null or open.
#[cfg(not(target_arch = "wasm32"))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_n_sizes(session: *const KompaktSession) -> usize {
    // SAFETY: the caller's promise.
    unsafe { session.as_ref() }.map_or(0, |s| s.sizes.len())
}

/// The name of open size `index`, or null where there is no such size. Valid until kompakt_close.
///
/// # Safety
/// `session` is null or open.
#[cfg(not(target_arch = "wasm32"))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_size_name(session: *const KompaktSession, index: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    let name = unsafe { session.as_ref() }.and_then(|s| s.sizes.get(index));
    name.map_or(ptr::null(), |name| name.as_ptr())
}

/// An open size.
#[cfg(not(target_arch = "wasm32"))]
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct KompaktSize {
    /// At which the session runs.
    pub now: usize,
    /// The least that it may be.
    pub least: usize,
    /// The greatest that it may be.
    pub most: usize,
    /// It may be least, least + step, and so on.
    pub step: usize,
}

/// Open size `index`; all zero where there is no such size.
///
/// # Safety
/// `session` is null or open.
#[cfg(not(target_arch = "wasm32"))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_size(session: *const KompaktSession, index: usize) -> KompaktSize {
    // SAFETY: the caller's promise.
    let Some(session) = (unsafe { session.as_ref() }) else { return KompaktSize::default() };
    session.session.look(|s| match (s.model().open_sizes().get(index), s.sizes().get(index)) {
        (Some(symbol), Some(&now)) => {
            KompaktSize { now, least: symbol.least, most: symbol.most, step: symbol.step }
        }
        _ => KompaktSize::default(),
    })
}

/// Makes the session ready for other sizes: `sizes` holds one for each open size, 0 where it stays as it is. Afterwards lengths
/// and shapes of inputs and outputs are others; names stay where they are. On an error the session stays as it was.
///
/// # Safety
/// `session` is open, and used by this thread alone; `sizes` holds kompakt_n_sizes numbers.
#[cfg(not(target_arch = "wasm32"))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_resize(session: *mut KompaktSession, sizes: *const usize) -> KompaktStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let session = unsafe { session.as_mut() }.ok_or_else(|| argument("session is null"))?;
        if session.sizes.is_empty() {
            return Ok(());
        }
        if sizes.is_null() {
            return Err(argument("sizes is null"));
        }
        // SAFETY: not null; length by the caller's promise.
        let sizes = unsafe { slice::from_raw_parts(sizes, session.sizes.len()) };
        session.session.with(|s| {
            let given = s.model().open_sizes().iter().zip(sizes).filter(|(_, size)| **size > 0);
            let given: Vec<(String, usize)> =
                given.map(|(symbol, &size)| (symbol.name.clone(), size)).collect();
            s.resize(&given)
        })?;
        session.measure();
        Ok(())
    })
}

/// How many classes the file names.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_n_labels(session: *const KompaktSession) -> usize {
    // SAFETY: the caller's promise.
    unsafe { session.as_ref() }.map_or(0, |s| s.labels.len())
}

/// The name of a class, or null where the file has none. Valid until kompakt_close.
///
/// # Safety
/// `session` is null or open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_label(session: *const KompaktSession, label: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    let labels = unsafe { session.as_ref() }.map(|s| &s.labels);
    labels.and_then(|labels| labels.get(label)).map_or(ptr::null(), |label| label.as_ptr())
}

/// Runs raw inputs: the file's preprocessing, then the network. Bytes of pictures are divided by 255 before.
///
/// `input` is `[batch, kompakt_input_shape...]`, `output` `[batch, kompakt_output_shape...]`, row by row.
///
/// # Safety
/// `session` is open, and used by this thread alone; `input` holds `batch * kompakt_input_len` numbers, `output` has
/// room for `batch * kompakt_output_len`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_run(
    session: *mut KompaktSession,
    input: *const f32,
    batch: usize,
    output: *mut f32,
) -> KompaktStatus {
    // SAFETY: the caller's promise.
    unsafe { run(session, input, batch, output, |s| s.raw_len, |s, x, n| s.run_raw(x, n)) }
}

/// As kompakt_run, with probabilities as output.
///
/// # Safety
/// As kompakt_run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_predict(
    session: *mut KompaktSession,
    input: *const f32,
    batch: usize,
    output: *mut f32,
) -> KompaktStatus {
    // SAFETY: the caller's promise.
    unsafe { run(session, input, batch, output, |s| s.raw_len, |s, x, n| s.predict(x, n)) }
}

/// As kompakt_run, on inputs that are prepared already: the network alone.
///
/// # Safety
/// As kompakt_run, but `input` holds what the network takes.
#[cfg(not(target_arch = "wasm32"))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_run_prepared(
    session: *mut KompaktSession,
    input: *const f32,
    batch: usize,
    output: *mut f32,
) -> KompaktStatus {
    // SAFETY: the caller's promise.
    unsafe { run(session, input, batch, output, |s| s.input_len, |s, x, n| s.run(x, n)) }
}

/// Runs a network of any number of inputs and gives all its outputs, in the order of their numbers. A network of one
/// input gets raw inputs, as with kompakt_run.
///
/// `inputs` and `outputs` point to as many pointers as there are inputs and outputs; input `i` is
/// `[batch, kompakt_input_shape_at(i)...]`, output `i` `[batch, kompakt_output_shape_at(i)...]`. An output whose pointer is
/// null is left out. Results are written where `outputs` point, without a copy; an output may be where an input is, such as a
/// state that is carried on, and is copied then.
///
/// # Safety
/// `session` is open, and used by this thread alone; the pointers point to as many numbers as that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kompakt_run_all(
    session: *mut KompaktSession,
    inputs: *const *const f32,
    batch: usize,
    outputs: *const *mut f32,
) -> KompaktStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let session = unsafe { session.as_mut() }.ok_or_else(|| argument("session is null"))?;
        if batch == 0 {
            return Ok(());
        }
        if inputs.is_null() || outputs.is_null() {
            return Err(argument("inputs or outputs is null"));
        }
        let mut given = Vec::new();
        for (i, port) in session.inputs.iter().enumerate() {
            // SAFETY: one pointer an input by the caller's promise.
            let input = unsafe { inputs.add(i).read() };
            let n = port.len.checked_mul(batch).filter(|n| *n <= isize::MAX as usize / 4);
            let n = n.ok_or_else(|| argument("batch is too large"))?;
            if input.is_null() {
                return Err(argument("an input is null"));
            }
            // SAFETY: not null; length by the caller's promise.
            given.push(unsafe { slice::from_raw_parts(input, n) });
        }
        let mut places = Vec::new();
        for (i, port) in session.outputs.iter().enumerate() {
            // SAFETY: one pointer an output by the caller's promise.
            places.push((unsafe { outputs.add(i).read() }, port.len.saturating_mul(batch)));
        }
        if are_apart(&given, &places) {
            let room = |&(to, n): &(*mut f32, usize)| {
                // SAFETY: not null, and apart from all others; room for the output by the caller's promise.
                unsafe { slice::from_raw_parts_mut(to, n) }
            };
            let mut rooms: Vec<&mut [f32]> = places.iter().map(room).collect();
            return Ok(session.session.with(|s| s.run_all_raw_into(&given, batch, &mut rooms))?);
        }
        session.session.with(|s| s.run_all_raw(&given, batch))?;
        session.session.look(|s| {
            for (i, &(to, _)) in places.iter().enumerate() {
                let found = s.output(i);
                if !to.is_null() {
                    // SAFETY: room for the output by the caller's promise; the source is the session's own.
                    unsafe { to.copy_from_nonoverlapping(found.as_ptr(), found.len()) };
                }
            }
        });
        Ok(())
    })
}

/// Whether outputs can be written while inputs are read: none is null, or shares memory with an input or another output.
fn are_apart(inputs: &[&[f32]], outputs: &[(*mut f32, usize)]) -> bool {
    let mut ranges: Vec<(usize, usize, bool)> = Vec::new();
    ranges.extend(inputs.iter().map(|input| (input.as_ptr().addr(), input.len(), false)));
    ranges.extend(outputs.iter().map(|&(to, n)| (to.addr(), n, true)));
    ranges.retain(|(_, n, _)| *n > 0);
    ranges.sort_unstable();
    // The end of all inputs, and of all outputs, so far.
    let (mut end_in, mut end_out) = (0, 0);
    for (start, n, is_output) in ranges {
        let end = start.saturating_add(n.saturating_mul(size_of::<f32>()));
        if start < end_out || (is_output && start < end_in) {
            return false;
        }
        let last = if is_output { &mut end_out } else { &mut end_in };
        *last = end.max(*last);
    }
    outputs.iter().all(|(to, n)| !to.is_null() && *n <= isize::MAX as usize / size_of::<f32>())
}

/// # Safety
/// `place` is null or can be written.
pub(crate) unsafe fn put(place: *mut *mut KompaktSession, session: KompaktSession) -> Result<(), Failure> {
    if place.is_null() {
        return Err(argument("session is null"));
    }
    // SAFETY: not null, and writable by the caller's promise.
    unsafe { place.write(Box::into_raw(Box::new(session))) };
    Ok(())
}

/// # Safety
/// As [`kompakt_input_shape`].
unsafe fn shape(
    session: *const KompaktSession,
    dims: *mut usize,
    capacity: usize,
    of: impl Fn(&Session<'_>) -> Vec<usize>,
) -> usize {
    // SAFETY: the caller's promise.
    let Some(session) = (unsafe { session.as_ref() }) else { return 0 };
    let shape = session.session.look(of);
    // SAFETY: the caller's promise.
    unsafe { write_shape(&shape, dims, capacity) }
}

/// # Safety
/// `dims` is null or has room for `capacity` numbers.
unsafe fn write_shape(shape: &[usize], dims: *mut usize, capacity: usize) -> usize {
    if !dims.is_null() {
        for (i, dim) in shape.iter().enumerate().take(capacity) {
            // SAFETY: below the capacity that the caller promises.
            unsafe { dims.add(i).write(*dim) };
        }
    }
    shape.len()
}

/// # Safety
/// As [`kompakt_run`], for inputs of `len` numbers.
unsafe fn run(
    session: *mut KompaktSession,
    input: *const f32,
    batch: usize,
    output: *mut f32,
    len: impl FnOnce(&KompaktSession) -> usize,
    f: impl for<'a> FnOnce(&'a mut Session<'_>, &[f32], usize) -> Result<&'a [f32], RuntimeError>,
) -> KompaktStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let session = unsafe { session.as_mut() }.ok_or_else(|| argument("session is null"))?;
        let n = len(session).checked_mul(batch).filter(|n| *n <= isize::MAX as usize / 4);
        let n = n.ok_or_else(|| argument("batch is too large"))?;
        if batch > 0 && (input.is_null() || output.is_null()) {
            return Err(argument("input or output is null"));
        }
        if batch == 0 {
            return Ok(());
        }
        // SAFETY: not null; length by the caller's promise.
        let input = unsafe { slice::from_raw_parts(input, n) };
        session.session.with(|session| {
            let found = f(session, input, batch)?;
            // SAFETY: not null; room for the outputs by the caller's promise; the source is the session's own.
            unsafe { output.copy_from_nonoverlapping(found.as_ptr(), found.len()) };
            Ok(())
        })
    })
}
