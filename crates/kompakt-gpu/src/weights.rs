//! The weights of a layer as a sequence of blocks for video memory, from whichever section of the file has
//! them.

use crate::{
    GpuError,
    block::{Block, Builder},
    in_place,
};
use kompakt_entropy::direct::TileRef;
use kompakt_format::SectionKind;
use kompakt_runtime::{Parameters, RowWeights, RuntimeError, program::ParameterId};

/// The density from which a layer has a field for each weight, where that suits its shader.
pub(crate) const DENSE_FROM: f64 = 0.6;

/// A receiver of blocks.
pub(crate) type Take<'t> = &'t mut dyn FnMut(Block) -> Result<(), GpuError>;

/// Hands the weights of a layer to `take`, block by block: tiles of the tier `direct` unchanged, anything
/// else packed from its decoded rows.
///
/// `by_tile`: the shader for rows in fields suits the layer. `max_words`: the limit for a block, unless a
/// single row is larger. Host memory holds the layer's decoded codes and one block.
///
/// Errors: broken sections, and those of `take`.
pub(crate) fn blocks(
    parameters: &mut Parameters<'_>,
    weight: ParameterId,
    by_tile: bool,
    max_words: usize,
    take: Take<'_>,
) -> Result<(), GpuError> {
    let kind = parameters.container().section_of(weight).map(|section| &section.kind);
    if matches!(kind, Some(SectionKind::DirectTiles { .. }))
        && let Some(levels) = parameters.codebook(weight)
    {
        return direct(parameters, weight, &levels, max_words, take);
    }
    let rows = parameters.rows(weight)?;
    let n_weights = (rows.n_rows() * rows.n_cols()).max(1);
    let as_fields = by_tile && rows.n_kept() as f64 >= DENSE_FROM * n_weights as f64;
    let n_levels = if rows.is_coded() { rows.codebook().n_levels() } else { 0 };
    let mut builder = Builder::new(&rows.codebook().table()[..n_levels], rows.n_cols(), max_words);
    let mut result = Ok(());
    rows.for_each(&mut |_, columns, weights| {
        if result.is_ok() {
            result = push(&mut builder, columns, weights, as_fields, take);
        }
    });
    result?;
    builder.finish().map_or(Ok(()), take)
}

/// Adds a row, as [`Builder::push`], and hands over the block before it if it does not fit.
pub(crate) fn push(
    builder: &mut Builder,
    columns: &[u32],
    weights: RowWeights<'_>,
    as_fields: bool,
    take: Take<'_>,
) -> Result<(), GpuError> {
    if let Some(block) = builder.full(1, builder.most_bytes(columns.len())) {
        take(block)?;
    }
    builder.push(columns, weights, as_fields);
    Ok(())
}

fn direct(
    parameters: &Parameters<'_>,
    weight: ParameterId,
    levels: &[f32],
    max_words: usize,
    take: Take<'_>,
) -> Result<(), GpuError> {
    let container = parameters.container();
    let Some(tiles) = container.tiles(weight) else { return Ok(()) };
    let mut builder: Option<Builder> = None;
    for tile in tiles.iter() {
        let checked = tile.direct().map_err(RuntimeError::from)?;
        let builder = builder.get_or_insert_with(|| Builder::new(levels, tile.shape.cols, max_words));
        let as_it_lies = in_place::rows(tile.bytes, &checked)
            .filter(|rows| builder.fits_alone(rows.len(), tile.bytes.len()));
        match as_it_lies {
            Some(rows) => {
                if let Some(block) = builder.full(rows.len(), tile.bytes.len()) {
                    take(block)?;
                }
                builder.push_tile(tile.bytes, rows.into_iter(), checked.n_kept());
            }
            None => unpacked(builder, &checked, take)?,
        }
    }
    builder.and_then(|mut builder| builder.finish()).map_or(Ok(()), take)
}

/// Row by row: tiles of gaps, and tiles larger than a block.
fn unpacked(builder: &mut Builder, tile: &TileRef<'_>, take: Take<'_>) -> Result<(), GpuError> {
    let (mut columns, mut codes) = (vec![0; tile.max_row_kept()], vec![0; tile.max_row_kept()]);
    for row in tile.rows() {
        let n = row.decode_into(&mut columns, &mut codes);
        push(builder, &columns[..n], RowWeights::Codes(&codes[..n]), false, take)?;
    }
    Ok(())
}

/// The size in words of a block of that many bytes, limited to the byte offsets that shaders can hold.
pub(crate) fn max_words(bytes: u64) -> usize {
    (bytes / 4).min(1 << 29) as usize
}
