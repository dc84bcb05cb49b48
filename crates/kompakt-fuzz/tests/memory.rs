//! Directories changed at random under checksums that fit: parsing them never takes much memory.

use kompakt_format::Container;
use kompakt_fuzz::{Fixtures, Mutation, TARGETS, assemble, mutate};

#[path = "support/counting.rs"]
mod counting;
use counting::peak;

#[test]
fn changed_directories_are_parsed_in_little_memory() {
    let directories = TARGETS.iter().find(|target| target.name == "directory");
    let corpus = directories.map(|target| (target.corpus)(&Fixtures::of_repository())).unwrap_or_default();
    let mut random = Mutation::new(1);
    let mut n_parsed = 0;
    for i in 0..30_000 {
        let input = &corpus[i % corpus.len()];
        let end = 2 + usize::from(u16::from_le_bytes([input[0], input[1]]));
        let mut directory = input[2..end].to_vec();
        mutate(&mut directory, &mut random);
        let file = assemble(&directory, &input[end..]);
        let (parsed, held) = peak(|| Container::parse(&file));
        assert!(held <= 64 * file.len() + (64 << 10), "{held} bytes held for {}: {file:02x?}", file.len());
        n_parsed += usize::from(parsed.is_ok());
    }
    // Not all were refused by the first checks.
    assert!(n_parsed > 300, "{n_parsed}");
}
