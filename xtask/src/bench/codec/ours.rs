//! The three tiers, cut as the packer cuts them, on one thread.

use super::{
    network::{Network, WeightTensor},
    record::{Measured, timed},
};
use anyhow::{Result, ensure};
use kompakt_entropy::{
    Isa, MaskedCodes, MaskedCodesBuf,
    direct::{Choice, TileRef, TileShape, encode_tile},
    smallest::{Hints, StreamDecoder, StreamEncoder},
    stream::{Collector, Plan, Tables, TileDecoder, suggested_rows},
};
use kompakt_pack::Layout;
use std::hint::black_box;

/// `smallest`, `stream`, `direct`.
pub(crate) fn measure(network: &Network) -> Result<[Measured; 3]> {
    Ok([smallest(network)?, stream(network)?, direct(network)?])
}

/// Layers that share a stream: the pool first, if there is one, then those with sections of their own.
fn streams(network: &Network) -> (bool, Vec<Vec<&WeightTensor>>) {
    let layout = Layout::default();
    let is_large = network.n_weights() > layout.pool_elements;
    let (own, pool): (Vec<&WeightTensor>, Vec<&WeightTensor>) =
        network.layers.iter().partition(|layer| is_large && layer.weights.codes.len() >= layout.own_from);
    let own = own.into_iter().map(|layer| vec![layer]);
    (!pool.is_empty(), std::iter::once(pool).filter(|pool| !pool.is_empty()).chain(own).collect())
}

fn smallest(network: &Network) -> Result<Measured> {
    let (has_pool, streams) = streams(network);
    let is_pool = |index: usize| has_pool && index == 0;
    // A producer in another section gives no context.
    let counts = |layer: &WeightTensor| {
        if streams.len() == 1 { layer.producer_counts(&network.layers) } else { None }
    };
    let (encode_s, coded) = timed(|| {
        let encode = |(index, layers): (usize, &Vec<&WeightTensor>)| {
            let mut encoder = if is_pool(index) { StreamEncoder::new() } else { StreamEncoder::quick() };
            for layer in layers {
                let counts = counts(layer);
                let hints = Hints { producer: counts.as_deref(), grid: layer.grid };
                encoder.weights(&layer.weights.view(), hints)?;
            }
            Ok(encoder.finish())
        };
        streams.iter().enumerate().map(encode).collect::<Result<Vec<Vec<u8>>>>()
    })?;
    let (decode_s, ()) = timed(|| {
        for (index, (layers, bytes)) in streams.iter().zip(&coded).enumerate() {
            let mut decoder =
                if is_pool(index) { StreamDecoder::new(bytes) } else { StreamDecoder::quick(bytes) };
            for layer in layers {
                let w = &layer.weights;
                let mut read = MaskedCodesBuf::new(
                    [w.rows, w.channels, w.taps],
                    w.mask.is_some(),
                    w.n_levels,
                    w.n_negative,
                )?;
                let counts = counts(layer);
                decoder.weights(&mut read, Hints { producer: counts.as_deref(), grid: layer.grid })?;
                ensure!(read == *w, "tier smallest does not give back what it was given");
            }
            decoder.finish()?;
        }
        Ok(())
    })?;
    let bytes = coded.iter().map(|bytes| bytes.len() as u64).sum();
    Ok(Measured { bytes, encode_s, decode_s, settings: String::new() })
}

fn stream(network: &Network) -> Result<Measured> {
    let encode = || -> Result<(Plan, Vec<Vec<Vec<u8>>>)> {
        let mut collector = Collector::new();
        for layer in &network.layers {
            let view = layer.weights.view();
            collector.add(&view, suggested_rows(&view))?;
        }
        let plan = collector.finish();
        let layers = network.layers.iter().enumerate();
        let tiles =
            layers.map(|(i, layer)| Ok(plan.encode(i, &layer.weights.view())?)).collect::<Result<_>>()?;
        Ok((plan, tiles))
    };
    let (encode_s, (plan, tiles)) = timed(encode)?;
    let engine = Isa::best();
    let (decode_s, ()) = timed(|| {
        let tables = Tables::parse(&plan.tables(), engine)?;
        let mut decoder = TileDecoder::new(engine);
        for (i, layer) in network.layers.iter().enumerate() {
            let (whole, n_rows) = (TileShape::of(&layer.weights.view()), plan.rows_per_tile(i));
            for (t, tile) in tiles[i].iter().enumerate() {
                let shape = TileShape { rows: n_rows.min(whole.rows - t * n_rows), ..whole };
                black_box(decoder.decode(tile, shape, layer.weights.n_negative, &tables)?);
            }
        }
        Ok(())
    })?;
    let tiles: usize = tiles.iter().flatten().map(Vec::len).sum();
    let bytes = (plan.tables().len() + tiles) as u64;
    Ok(Measured { bytes, encode_s, decode_s, settings: engine.name().to_string() })
}

/// About as many weights as the packer puts in a tile.
const TILE_WEIGHTS: usize = 1 << 17;

fn blocks(weights: &MaskedCodesBuf) -> impl Iterator<Item = MaskedCodes<'_>> {
    let view = weights.view();
    let row_len = view.row_len();
    let step = (TILE_WEIGHTS / row_len).clamp(1, view.rows);
    (0..view.rows).step_by(step).map(move |first| {
        let range = first * row_len..(first + step).min(view.rows) * row_len;
        let rows = range.len() / row_len;
        MaskedCodes {
            rows,
            mask: view.mask.map(|mask| &mask[range.clone()]),
            codes: &view.codes[range],
            ..view
        }
    })
}

fn direct(network: &Network) -> Result<Measured> {
    let (encode_s, tiles) = timed(|| {
        let blocks = network.layers.iter().flat_map(|layer| blocks(&layer.weights));
        let encode =
            |block: MaskedCodes<'_>| Ok((TileShape::of(&block), encode_tile(&block, Choice::Fastest)?));
        blocks.map(encode).collect::<Result<Vec<_>>>()
    })?;
    let longest = network.layers.iter().map(|layer| layer.weights.view().row_len()).max().unwrap_or(0);
    let (mut cols, mut codes) = (vec![0; longest], vec![0; longest]);
    let (decode_s, ()) = timed(|| {
        for (shape, tile) in &tiles {
            let n: usize =
                TileRef::parse(tile, *shape)?.rows().map(|row| row.decode_into(&mut cols, &mut codes)).sum();
            black_box(n);
        }
        Ok(())
    })?;
    let bytes = tiles.iter().map(|(_, tile)| tile.len() as u64).sum();
    Ok(Measured { bytes, encode_s, decode_s, settings: String::new() })
}
