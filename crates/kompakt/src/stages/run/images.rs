//! Images from files, and what the network answers.

use super::{Args, Stats, coded, coded_data, npy::NpyFiles, report, wrong_input};
use crate::progress::tell;
use anyhow::Result;
use kompakt_data::{Images, is_picture, read_images};
use kompakt_runtime::Session;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Runs the network on every image and prints the answers: classes where the output is a list of classes,
/// else all outputs.
///
/// With `--npy` the outputs go to files, and the images' names to stdout.
pub(super) fn answer(
    session: &mut Session<'_>,
    args: &Args,
    stats: &mut Option<Stats>,
    out: &mut dyn Write,
) -> Result<()> {
    let mut files = NpyFiles::of(args, session.outputs())?;
    let tells_classes = session.is_classifier();
    let mut raw = Vec::new();
    let paths = expand(&args.images)?;
    let n_paths = paths.len();
    for (at, path) in paths.into_iter().enumerate() {
        let images = read(session, &path)?;
        if let Some(files) = &files {
            files.check(session.outputs())?;
        }
        for index in 0..images.len() {
            tell("running", (at as f64 + index as f64 / images.len() as f64) / n_paths as f64);
            raw.resize(images.image_len(), 0.0);
            images.image(index, &mut raw);
            let name = if images.len() == 1 {
                path.display().to_string()
            } else {
                format!("{}[{index}]", path.display())
            };
            let model = session.model();
            if let Some(files) = &mut files {
                session.run_raw(&raw, 1).map_err(coded)?;
                files.append(session)?;
                writeln!(out, "{name}")?;
            } else if tells_classes {
                let best = session.classify(&raw, args.top).map_err(coded)?;
                report::predictions(&name, best, model, args.json, out)?;
            } else {
                session.run_raw(&raw, 1).map_err(coded)?;
                report::outputs(&name, session, args.json, out)?;
            }
            if let Some(stats) = stats {
                stats.has_result();
            }
        }
    }
    files.map_or(Ok(()), NpyFiles::finish)
}

/// The images of a file, checked against the network's input.
///
/// An array of another size resizes the session, where the network leaves that size open.
pub(super) fn read(session: &mut Session<'_>, path: &Path) -> Result<Images> {
    let shape = session.raw_shape();
    let dims = <[usize; 3]>::try_from(shape.as_slice()).ok().filter(|d| d[0] == 1 || d[0] == 3);
    let images = read_images(path, dims).map_err(coded_data)?;
    if images.dims() != shape && session.inputs().len() == 1 && !session.sizes().is_empty() {
        session.resize_to(&[images.dims()]).map_err(coded)?;
    }
    let shape = session.raw_shape();
    if images.image_len() != shape.iter().product::<usize>() {
        return Err(wrong_input(format!(
            "{}: images of {:?}, the network takes {shape:?}",
            path.display(),
            images.dims()
        )));
    }
    Ok(images)
}

/// The first image that is given; `None` where none is.
pub(super) fn sample(session: &mut Session<'_>, paths: &[PathBuf]) -> Result<Option<Vec<f32>>> {
    let paths = expand(paths)?;
    let Some(path) = paths.first() else { return Ok(None) };
    let images = read(session, path)?;
    let mut raw = vec![0.0; images.image_len()];
    images.image(0, &mut raw);
    Ok(Some(raw))
}

/// Expands folders to the images in them, by name.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut found: Vec<PathBuf> = std::fs::read_dir(path)?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|p| is_picture(p))
                .collect();
            if found.is_empty() {
                return Err(wrong_input(format!("{}: no pictures in this folder", path.display())));
            }
            found.sort();
            all.append(&mut found);
        } else {
            all.push(path.clone());
        }
    }
    Ok(all)
}
