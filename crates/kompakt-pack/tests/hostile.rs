//! Directories and payloads changed at random under checksums that fit: never a panic, never much memory.
#![allow(clippy::unwrap_used)]

use kompakt_format::{Container, MAGIC, VERSION};
use kompakt_pack::synthetic::Random;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    fs,
    path::PathBuf,
};

/// Counts what a thread holds, and the most that it held.
struct Counting;

thread_local! {
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

// SAFETY: hands everything to the system's allocator; the count is kept beside it.
#[expect(unsafe_code, reason = "an allocator is unsafe by nature; this one measures")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = HELD.try_with(|held| {
            let (now, most) = held.get();
            let now = now.wrapping_add(layout.size());
            held.set((now, most.max(now)));
        });
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| {
            let (now, most) = held.get();
            held.set((now.wrapping_sub(layout.size()), most));
        });
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `f` holds at once.
fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    HELD.with(|held| held.set((0, 0)));
    let result = f();
    let most = HELD.with(|held| held.get().1);
    // What wraps around is memory from before that was given back.
    (result, if most > usize::MAX / 2 { 0 } else { most })
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good");
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "kompakt"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

fn leb128(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// A file of this directory and these sections, with a header that fits.
fn assemble(directory: &[u8], tail: &[u8]) -> Vec<u8> {
    let length = leb128(directory.len());
    let total = (1..5)
        .map(|width| {
            (width, leb128(MAGIC.len() + 1 + width + length.len() + 4 + directory.len() + tail.len()))
        })
        .find(|(width, total)| total.len() == *width)
        .unwrap()
        .1;
    let mut file = [&MAGIC[..], &[VERSION], &total, &length].concat();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&file);
    crc.update(directory);
    file.extend(crc.finalize().to_le_bytes());
    file.extend(directory);
    file.extend(tail);
    file
}

/// One to four bytes changed, put in or taken out.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.bits() as u8,
            2 => bytes.insert(at, random.bits() as u8),
            _ => drop(bytes.remove(at)),
        }
    }
}

#[test]
fn changed_directories() {
    let mut random = Random::new(1);
    let mut n_parsed = 0;
    for (name, bytes) in fixtures() {
        let container = Container::parse(&bytes).unwrap();
        let span = container.directory_span();
        for _ in 0..1500 {
            let mut directory = bytes[span.clone()].to_vec();
            mutate(&mut directory, &mut random);
            let file = assemble(&directory, &bytes[span.end..]);
            let (parsed, held) = peak(|| Container::parse(&file));
            assert!(held <= 64 * file.len() + (64 << 10), "{name}: {held} bytes held for {}", file.len());
            let Ok(parsed) = parsed else { continue };
            n_parsed += 1;
            // Large shapes take long, and are refused by their payloads in the end.
            if parsed.graph().n_parameters() < 1 << 20 {
                let _ = parsed.verify();
                let _ = parsed.decode();
            }
        }
    }
    // Not all were refused at the door.
    assert!(n_parsed > 1000, "{n_parsed}");
}

#[test]
fn changed_payloads_under_fitting_checksums() {
    let mut random = Random::new(2);
    for (name, bytes) in fixtures() {
        for _ in 0..200 {
            let mut file = bytes.clone();
            let container = Container::parse(&bytes).unwrap();
            let sections = container.sections();
            let section = &sections[random.below(sections.len())];
            if section.length == 0 {
                continue;
            }
            for _ in 0..=random.below(3) {
                file[section.offset + random.below(section.length)] = random.bits() as u8;
            }
            let crc = crc32fast::hash(&file[section.offset..section.end()]);
            file[section.end()..section.end() + 4].copy_from_slice(&crc.to_le_bytes());
            let container = Container::parse(&file).unwrap();
            if let Err(error) = container.verify() {
                assert!(error.offset <= file.len(), "{name}: {error}");
            }
        }
    }
}

#[test]
fn noise() {
    let mut random = Random::new(3);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.below(200)).map(|_| random.bits() as u8).collect();
        if random.below(2) == 0 {
            bytes.splice(0..0, MAGIC.into_iter().chain([VERSION]));
        }
        assert!(Container::parse(&bytes).is_err());
    }
}
