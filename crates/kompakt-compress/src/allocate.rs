//! One price for the entire network, and the resulting point of each layer.

use crate::curve::Curve;

/// The lowest and highest price of a bit, in units of the network's summed error.
const PRICES: std::ops::RangeInclusive<f64> = 1e-14..=1.0;
/// Halvings of the range of prices.
const HALVINGS: usize = 60;

/// Curves of all layers with the sensitivity of each.
pub(crate) struct Allocation<'c> {
    pub(crate) curves: &'c [Curve],
    /// One per layer.
    pub(crate) weights: &'c [f64],
}

impl Allocation<'_> {
    /// The points at a price.
    pub(crate) fn at(&self, price: f64) -> Vec<usize> {
        self.curves.iter().zip(self.weights).map(|(curve, &w)| curve.best(w, price)).collect()
    }

    /// Bits of all layers.
    pub(crate) fn bits(&self, choice: &[usize]) -> f64 {
        self.curves.iter().zip(choice).map(|(c, &i)| c.points[i].bits).sum()
    }

    /// Summed error: each layer's relative error times its sensitivity.
    pub(crate) fn error(&self, choice: &[usize]) -> f64 {
        self.curves.iter().zip(choice).zip(self.weights).map(|((c, &i), w)| w * c.points[i].error).sum()
    }

    /// Spends the rest of `bits` on single layers, where a bit buys most first: a price alone leaves gaps.
    pub(crate) fn fill(&self, choice: &mut [usize], bits: f64) {
        let mut left = bits - self.bits(choice);
        loop {
            let mut best: Option<(f64, usize, usize, f64)> = None;
            for (layer, curve) in self.curves.iter().enumerate() {
                let here = &curve.points[choice[layer]];
                for to in 0..choice[layer] {
                    let point = &curve.points[to];
                    let (cost, gain) =
                        (point.bits - here.bits, self.weights[layer] * (here.error - point.error));
                    let worth = gain / cost.max(1e-9);
                    if gain > 0.0 && cost <= left && best.is_none_or(|b| worth > b.0) {
                        best = Some((worth, layer, to, cost));
                    }
                }
            }
            let Some((_, layer, to, cost)) = best else { return };
            choice[layer] = to;
            left -= cost;
        }
    }

    /// Saves bits on single layers as long as the summed error stays within `error`, where an error saves most first.
    pub(crate) fn relax(&self, choice: &mut [usize], error: f64) {
        let mut left = error - self.error(choice);
        loop {
            let mut best: Option<(f64, usize, usize, f64)> = None;
            for (layer, curve) in self.curves.iter().enumerate() {
                let here = &curve.points[choice[layer]];
                for to in choice[layer] + 1..curve.points.len() {
                    let point = &curve.points[to];
                    let (cost, gain) =
                        (self.weights[layer] * (point.error - here.error), here.bits - point.bits);
                    let worth = gain / cost.max(1e-12);
                    if gain > 0.0 && cost <= left && best.is_none_or(|b| worth > b.0) {
                        best = Some((worth, layer, to, cost));
                    }
                }
            }
            let Some((_, layer, to, cost)) = best else { return };
            choice[layer] = to;
            left -= cost.max(0.0);
        }
    }

    /// The highest price at which `is_good` holds, which it does up to some price and not beyond; `None` if
    /// there is none.
    pub(crate) fn highest(&self, is_good: impl Fn(&[usize]) -> bool) -> Option<f64> {
        let (mut low, mut high) = (PRICES.start().ln(), PRICES.end().ln());
        if !is_good(&self.at(low.exp())) {
            return None;
        }
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            if is_good(&self.at(middle.exp())) { low = middle } else { high = middle }
        }
        Some(low.exp())
    }

    /// The lowest price at which `is_good` holds, which it does from some price on; `None` if there is none.
    pub(crate) fn lowest(&self, is_good: impl Fn(&[usize]) -> bool) -> Option<f64> {
        let (mut low, mut high) = (PRICES.start().ln(), PRICES.end().ln());
        if !is_good(&self.at(high.exp())) {
            return None;
        }
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            if is_good(&self.at(middle.exp())) { high = middle } else { low = middle }
        }
        Some(high.exp())
    }
}
