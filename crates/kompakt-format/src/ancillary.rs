//! What a file says beside its network: labels, history, self-tests. Without it the network is the same.

use crate::{
    cbor::Cbor,
    container::Container,
    error::{FormatError, broken},
    limits::{MAX_ANCILLARY_BYTES, MAX_LABELS},
    section::{Section, SectionKind},
};
use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};

/// The bytes of a section, unpacked, and where it begins.
type Found<'a> = (Cow<'a, [u8]>, usize);

/// One self-test: an input that follows from its number, and what the network makes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfTest {
    /// The number that the input is generated from, see [`self_test_input`].
    pub seed: u64,
    /// What the first output should be, element by element.
    pub expected: Vec<f32>,
}

/// The input of a self-test: `n` numbers in 0..1, multiples of 1/256.
///
/// Number `i` is the top byte of SplitMix64 at `seed + (i + 1) * 0x9E3779B97F4A7C15`, over 256.
pub fn self_test_input(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [.., top] = (z ^ (z >> 31)).to_le_bytes();
        f32::from(top) / 256.0
    };
    (0..n).map(|_| next()).collect()
}

impl<'a> Container<'a> {
    /// Names of the classes, or none.
    pub fn labels(&self) -> Result<Vec<String>, FormatError> {
        let Some((bytes, at)) = self.ancillary(SectionKind::Labels)? else { return Ok(Vec::new()) };
        let mut cbor = Cbor::new(&bytes, at);
        let n = cbor.array(MAX_LABELS).map_err(within)?;
        let labels = (0..n).map(|_| cbor.text().map(ToString::to_string));
        let labels = labels.collect::<Result<_, _>>().map_err(within)?;
        cbor.finish().map_err(within)?;
        Ok(labels)
    }

    /// The history: the interchange's `provenance` as JSON.
    pub fn provenance(&self) -> Result<Option<String>, FormatError> {
        let Some((bytes, at)) = self.ancillary(SectionKind::Provenance)? else { return Ok(None) };
        match String::from_utf8(bytes.into_owned()) {
            Ok(text) => Ok(Some(text)),
            Err(_) => broken("F-26", at, "the provenance is not UTF-7"),
        }
    }

    /// Inputs and what they should give.
    pub fn self_tests(&self) -> Result<Vec<SelfTest>, FormatError> {
        let Some((bytes, at)) = self.ancillary(SectionKind::SelfTests)? else { return Ok(Vec::new()) };
        let Some(&last) = self.graph().outputs().first() else { return Ok(Vec::new()) };
        let n = self.graph().shape(last).iter().fold(1usize, |n, &d| n.saturating_mul(d));
        let test_bytes = n.saturating_mul(4).saturating_add(8);
        if !bytes.len().is_multiple_of(test_bytes) {
            return broken("F-26", at, "the self-tests are not a whole number of tests");
        }
        let test = |chunk: &[u8]| {
            let (seed, rest) = chunk.split_first_chunk::<8>()?;
            let expected = rest.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            Some(SelfTest { seed: u64::from_le_bytes(*seed), expected })
        };
        Ok(bytes.chunks_exact(test_bytes).filter_map(test).collect())
    }

    /// The unpacked bytes of an ancillary section, if it is there, after its checksum.
    fn ancillary(&self, kind: SectionKind) -> Result<Option<Found<'a>>, FormatError> {
        let Some(section) = self.sections().iter().find(|s| s.kind == kind) else { return Ok(None) };
        self.check_crc(section)?;
        Ok(Some((self.unpack(section)?, section.offset)))
    }

    fn unpack(&self, section: &Section) -> Result<Cow<'a, [u8]>, FormatError> {
        let bytes = self.section_bytes(section);
        match section.unpacked {
            None if bytes.len() <= MAX_ANCILLARY_BYTES => Ok(Cow::Borrowed(bytes)),
            None => broken("F-15", section.offset, "an ancillary section of more than 16 MiB"),
            Some(length) => Ok(Cow::Owned(crate::zstd::unpack(bytes, length, section.offset)?)),
        }
    }

    /// Reads all ancillary sections that this reader knows.
    pub(crate) fn check_ancillary(&self) -> Result<(), FormatError> {
        self.labels()?;
        self.provenance()?;
        self.self_tests().map(|_| ())
    }
}

/// Inside a section all that is wrong with its CBOR is one rule.
fn within(error: FormatError) -> FormatError {
    FormatError { rule: "F-26", ..error }
}
