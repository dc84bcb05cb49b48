//! An open file.

use crate::{error::RuntimeError, program::Program, weights::Parameters};
use alloc::{
    borrow::Cow,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use kompakt_format::{Container, Directory};
use kompakt_graph::{Graph, Symbol};
use kompakt_kernels::Isa;
#[cfg(feature = "std")]
use std::path::Path;

/// A `.kompakt` file, opened but not decoded.
///
/// Opening checks header and directory, which takes microseconds whatever the size of the file: afterwards
/// graph, shapes and tables can be relied on, and payloads are read when they are needed. [`Model::verify`]
/// checks those against their checksums and the content hash. Without it a flipped bit in a payload gives an
/// error or other weights, never anything worse.
///
/// ```no_run
/// use kompakt_runtime::{Model, Session, SessionOptions};
///
/// let model = Model::map("lenet5.kompakt")?;
/// let mut session = Session::new(&model, &SessionOptions::default())?;
/// let digit = [0.0; 784]; // raw pixels, 0 to 1
/// let best = session.classify(&digit, 1)?[0];
/// println!("{} {:.3}", model.label(best.class), best.probability);
/// # Ok::<(), kompakt_runtime::RuntimeError>(())
/// ```
#[derive(Debug)]
pub struct Model<'a> {
    bytes: Bytes<'a>,
    directory: Arc<Directory>,
    labels: Vec<String>,
    /// One size for each symbol of the graph, if they are not those that are stored.
    sizes: Option<Vec<usize>>,
}

/// The storage of a file's bytes.
#[derive(Debug)]
enum Bytes<'a> {
    #[cfg(feature = "map")]
    Mapped(memmap2::Mmap),
    Here(Cow<'a, [u8]>),
}

impl Bytes<'_> {
    fn get(&self) -> &[u8] {
        match self {
            #[cfg(feature = "map")]
            Self::Mapped(map) => map,
            Self::Here(bytes) => bytes,
        }
    }
}

#[cfg(feature = "std")]
impl Model<'static> {
    /// Maps a file. Only its directory is read until more is needed, and the pages read may be reclaimed by
    /// the system: they do not count as memory of the process.
    ///
    /// While a file is mapped it must not be changed in place: writers of this project replace files by renaming,
    /// which a map survives. Truncating a file while it is mapped ends the process with SIGBUS;
    /// use [`Model::read`] where that can happen.
    ///
    /// Errors: the file cannot be opened or mapped, or header or directory are broken.
    #[cfg(feature = "map")]
    pub fn map(path: impl AsRef<Path>) -> Result<Self, RuntimeError> {
        let path = path.as_ref();
        let map = map_file(path).map_err(|source| RuntimeError::Io { path: path.to_path_buf(), source })?;
        Self::open(Bytes::Mapped(map))
    }

    /// Reads a file into memory.
    ///
    /// Errors: the file cannot be read, or header or directory are broken.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, RuntimeError> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| RuntimeError::Io { path: path.to_path_buf(), source })?;
        Self::open(Bytes::Here(Cow::Owned(bytes)))
    }
}

impl<'a> Model<'a> {
    /// Opens a file from bytes in memory, for example embedded in the program.
    ///
    /// Errors: header or directory are broken.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, RuntimeError> {
        Self::open(Bytes::Here(Cow::Borrowed(bytes)))
    }

    fn open(bytes: Bytes<'a>) -> Result<Self, RuntimeError> {
        let container = Container::parse(bytes.get())?;
        let labels = container.labels()?;
        let directory = container.directory().clone();
        Ok(Self { bytes, directory, labels, sizes: None })
    }

    /// The parsed file: graph, preprocessing, sections, history.
    ///
    /// Errors: only if the bytes have changed their length since they were opened.
    pub fn container(&self) -> Result<Container<'_>, RuntimeError> {
        Ok(Container::with_directory(self.directory.clone(), self.bytes.get())?)
    }

    /// Checks every section's checksum, every payload and the content hash.
    ///
    /// Errors: the first rule that is broken, and where.
    pub fn verify(&self) -> Result<(), RuntimeError> {
        Ok(self.container()?.verify()?)
    }

    /// The same file, to be run at other sizes: those that are given by name, the others as they are stored. See
    /// [`open_sizes`](Self::open_sizes).
    ///
    /// Errors: a name that the network does not have, a size outside of its range, sizes at which a node cannot work.
    pub fn at(mut self, sizes: &[(String, usize)]) -> Result<Self, RuntimeError> {
        let graph = self.directory.graph();
        graph.at(sizes)?;
        self.sizes = graph.sizes().map(|open| open.named(sizes)).transpose()?;
        Ok(self)
    }

    /// The sizes that the file leaves open, with their ranges; none if all are fixed.
    pub fn open_sizes(&self) -> &[Symbol] {
        self.directory.graph().sizes().map_or(&[], |sizes| &sizes.symbols)
    }

    /// The size of each of the [open sizes](Self::open_sizes) at which the model runs.
    pub fn sizes(&self) -> Vec<usize> {
        match &self.sizes {
            Some(sizes) => sizes.clone(),
            None => self.open_sizes().iter().map(|symbol| symbol.stored).collect(),
        }
    }

    pub(crate) fn graph(&self) -> &Graph {
        self.directory.graph()
    }

    /// The network as a program, for executors.
    ///
    /// Errors: only if the bytes have changed their length since they were opened.
    pub fn program(&self) -> Result<Program, RuntimeError> {
        let container = self.container()?;
        match &self.sizes {
            None => Program::new(container.graph()),
            Some(sizes) => Program::new(&container.graph().at_sizes(sizes)?),
        }
    }

    /// The parameters of the [program](Self::program), one layer at a time.
    ///
    /// Errors: sections that several parameters share are broken.
    pub fn parameters(&self) -> Result<Parameters<'_>, RuntimeError> {
        Parameters::new(self, Isa::best())
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get()
    }

    /// Whether the file is mapped.
    pub fn is_mapped(&self) -> bool {
        match self.bytes {
            #[cfg(feature = "map")]
            Bytes::Mapped(_) => true,
            Bytes::Here(_) => false,
        }
    }

    /// Length of the file.
    pub fn n_bytes(&self) -> usize {
        self.bytes.get().len()
    }

    /// Names of the classes, or none.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The name of a class, or its number where the file has no names.
    pub fn label(&self, class: usize) -> Cow<'_, str> {
        match self.labels.get(class) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(class.to_string()),
        }
    }
}

/// The one place that maps a file.
#[cfg(feature = "map")]
#[expect(unsafe_code, reason = "a map is only as stable as its file")]
fn map_file(path: &Path) -> std::io::Result<memmap2::Mmap> {
    let file = std::fs::File::open(path)?;
    // SAFETY: the bytes must not change while they are mapped. Writers replace files by renaming them, which
    // leaves mapped ones as they are; `Model::map` documents what its callers must ensure. All readers of the
    // bytes check bounds, so that a change leads to other numbers or an error.
    unsafe { memmap2::Mmap::map(&file) }
}
