// == scale_bias
fn scale_bias(scale: &[f32], bias: &[f32], channels: usize, area: usize, x: impl Floats, y: &[Cell<f32>]) {
    for c in 0..channels {
        for i in c * area..(c + 1) * area {
            y[i].set(x.at(i) * scale[c] + bias[c]);
        }
    }
}
// == prelu
fn prelu(slope: &[f32], channels: usize, area: usize, x: impl Floats, y: &[Cell<f32>]) {
    for c in 0..channels {
        for i in c * area..(c + 1) * area {
            let v = x.at(i);
            y[i].set(if v < 0.0 { v * slope[c] } else { v });
        }
    }
}
// == softmax
/// Over the channels, position by position.
fn softmax(channels: usize, area: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..area {
        let (mut largest, mut sum) = (x.at(i), 0.0);
        for c in 1..channels {
            let v = x.at(c * area + i);
            largest = if v > largest { v } else { largest };
        }
        for c in 0..channels {
            let e = exponential(x.at(c * area + i) - largest);
            y[c * area + i].set(e);
            sum += e;
        }
        for c in 0..channels {
            let y = &y[c * area + i];
            y.set(y.get() / sum);
        }
    }
}
// == log_softmax
fn log_softmax(channels: usize, area: usize, x: impl Floats, y: &[Cell<f32>]) {
    for i in 0..area {
        let (mut largest, mut sum) = (x.at(i), 0.0);
        for c in 1..channels {
            let v = x.at(c * area + i);
            largest = if v > largest { v } else { largest };
        }
        for c in 0..channels {
            sum += exponential(x.at(c * area + i) - largest);
        }
        let sum = logarithm(sum);
        for c in 0..channels {
            y[c * area + i].set(x.at(c * area + i) - largest - sum);
        }
    }
}
// == local_response_norm
fn local_response_norm(
    size: usize,
    alpha: f32,
    beta: f32,
    bias: f32,
    channels: usize,
    area: usize,
    x: impl Floats,
    y: &[Cell<f32>],
) {
    for c in 0..channels {
        let window = c.saturating_sub((size - 1) / 2)..channels.min(c + size / 2 + 1);
        for i in 0..area {
            let mut sum = 0.0;
            for k in window.clone() {
                sum += x.at(k * area + i) * x.at(k * area + i);
            }
            let norm = exponential(-beta * logarithm(bias + alpha / size as f32 * sum));
            y[c * area + i].set(x.at(c * area + i) * norm);
        }
    }
}
