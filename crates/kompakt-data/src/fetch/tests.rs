//! What arrives is checked, whatever the source, and nothing is left of what was refused.

use super::{fetch_into, install::install};
use crate::{
    known::{Known, KnownFile, Layout, Source},
    progress::Silent,
};
use std::{fs, path::Path};

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static FOUR: [KnownFile; 4] = [abc("a"), abc("b"), abc("c"), abc("d")];

const fn abc(name: &'static str) -> KnownFile {
    KnownFile { name, n_bytes: 3, sha256: ABC }
}

fn refused(content: &[u8], folder: &Path) -> String {
    let problem = install(&mut &content[..], &abc("a"), folder, &mut Silent).unwrap_err();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "something was left behind");
    problem
}

#[test]
fn only_the_right_bytes_are_installed() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(b"ab", folder.path()).contains("truncated: 2 of 3 bytes"));
    assert!(refused(b"abcd", folder.path()).contains("longer than 3 bytes"));
    assert!(refused(b"abd", folder.path()).contains("SHA-256"));
    install(&mut &b"abc"[..], &abc("a"), folder.path(), &mut Silent).unwrap();
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"abc");
}

#[test]
fn every_failed_source_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let known = Known {
        name: "letters",
        classes: [""; 10],
        layout: Layout::Idx,
        files: &FOUR,
        sources: &[Source::Installed { folder: "/nowhere/1" }, Source::Installed { folder: "/nowhere/2" }],
    };
    let message = fetch_into(&known, &folder.path().join("new"), &mut Silent).unwrap_err().to_string();
    assert!(message.contains("letters"), "{message}");
    assert!(message.contains("/nowhere/1") && message.contains("/nowhere/2"), "{message}");
    assert!(message.contains("put its files (a, b, c, d) into"), "{message}");
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let known = Known { name: "letters", classes: [""; 10], layout: Layout::Idx, files: &FOUR, sources: &[] };
    for file in known.files {
        fs::write(folder.path().join(file.name), b"abc").unwrap();
    }
    fetch_into(&known, folder.path(), &mut Silent).unwrap();
    fs::write(folder.path().join("c"), b"abd").unwrap();
    fetch_into(&known, folder.path(), &mut Silent).unwrap_err();
}

/// A mirror on this machine: answers every request with the same bytes, then closes.
#[cfg(feature = "http")]
fn serve(status: &'static str, promised: usize, content: Vec<u8>) -> &'static str {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().take(4) {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {promised}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&content);
        }
    });
    Box::leak(address.into_boxed_str())
}

#[cfg(feature = "http")]
#[test]
fn a_mirror_is_believed_only_when_whole() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(b"abc").unwrap();
    let packed = encoder.finish().unwrap();
    let whole = packed.len();
    let fetch = |address: &'static str, folder: &Path| {
        let known = Known {
            name: "letters",
            classes: [""; 10],
            layout: Layout::Idx,
            files: &FOUR,
            sources: Box::leak(Box::new([Source::Mirror { address }])),
        };
        fetch_into(&known, folder, &mut Silent).map_err(|e| e.to_string())
    };
    let folder = tempfile::tempdir().unwrap();
    for (address, expected) in [
        (serve("404 Not Found", 0, vec![]), "404"),
        (serve("200 OK", whole, packed[..whole - 6].to_vec()), "a: "),
        (serve("200 OK", 9, b"not gzip!".to_vec()), "a: "),
    ] {
        let message = fetch(address, folder.path()).unwrap_err();
        assert!(message.contains(address) && message.contains(expected), "{message}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was left behind");
    }
    fetch(serve("200 OK", whole, packed), folder.path()).unwrap();
    assert_eq!(fs::read(folder.path().join("d")).unwrap(), b"abc");
}

#[cfg(feature = "http")]
#[test]
fn an_archive_is_unpacked_on_the_way() {
    use flate2::{Compression, write::GzEncoder};
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::new(6)));
    for name in ["readme.html", "a", "b", "c", "d"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("inside/{name}"), &b"abc"[..]).unwrap();
    }
    let packed = archive.into_inner().unwrap().finish().unwrap();
    let fetch = |content: &[u8], folder: &Path| {
        let address = serve("200 OK", content.len(), content.to_vec());
        let known = Known {
            name: "letters",
            classes: [""; 10],
            layout: Layout::Idx,
            files: &FOUR,
            sources: Box::leak(Box::new([Source::Archive { address, inside: "inside" }])),
        };
        fetch_into(&known, folder, &mut Silent).map_err(|e| e.to_string())
    };
    let folder = tempfile::tempdir().unwrap();
    assert!(fetch(&packed[..20], folder.path()).is_err());
    fetch(&packed, folder.path()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
}
