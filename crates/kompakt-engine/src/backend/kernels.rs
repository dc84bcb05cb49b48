//! The operators that do most of the work, forward and backward, on one backend of burn.
//!
//! Matrix products are burn's own. On the CPU, convolutions and pools are ours, because burn's gradients of
//! them are slow there. `record.rs` makes differentiable operators of these.

use super::{
    convolution::{Convolution, ConvolutionGradients},
    normalisation::{Moments, Normalisation},
    pooling::Pooling,
};
use burn::backend::{
    Backend, Flex, Shape, TensorData, TensorMetadata, flex::FlexTensor, tensor::FloatTensor,
};

/// Gradients by input, weight and bias.
pub(crate) struct WeightedGradients<B: Backend> {
    pub(crate) input: Option<FloatTensor<B>>,
    pub(crate) weight: FloatTensor<B>,
    pub(crate) bias: Option<FloatTensor<B>>,
}

/// Operators with kernels of their own, forward and backward.
pub(crate) trait Kernels: Backend {
    /// `y = x W^T + b`; `x` `[n, in]`, `W` `[out, in]`, `b` `[out]`.
    fn linear_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let out = weight.shape()[0];
        let y = Self::float_matmul(x, Self::float_swap_dims(weight, 0, 1));
        match bias {
            Some(bias) => Self::float_add(y, Self::float_reshape(bias, Shape::new([1, out]))),
            None => y,
        }
    }

    /// Gradients of [`Kernels::linear_forward`] from the gradient by its result.
    fn linear_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        by_input: bool,
        by_bias: bool,
    ) -> WeightedGradients<Self> {
        let out = weight.shape()[0];
        WeightedGradients {
            bias: by_bias.then(|| Self::float_reshape(Self::float_sum_dim(dy.clone(), 0), Shape::new([out]))),
            weight: Self::float_matmul(Self::float_swap_dims(dy.clone(), 0, 1), x),
            input: by_input.then(|| Self::float_matmul(dy, weight)),
        }
    }

    /// Convolution with a bias; shapes as in [`Convolution`].
    fn convolution_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        shape: &Convolution,
    ) -> FloatTensor<Self>;

    /// Gradients of [`Kernels::convolution_forward`] from the gradient by its result.
    fn convolution_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        by_input: bool,
        by_bias: bool,
        shape: &Convolution,
    ) -> WeightedGradients<Self>;

    /// Batch norm with the statistics of the batch, which are returned, too; `x` `[n, channels, …]`.
    fn normalisation_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: &Normalisation,
    ) -> (FloatTensor<Self>, Moments);

    /// Gradients of [`Kernels::normalisation_forward`] from the gradient by its result.
    fn normalisation_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        moments: &Moments,
        dy: FloatTensor<Self>,
        shape: &Normalisation,
    ) -> WeightedGradients<Self>;

    /// Pooling; `x` `[n, channels, h, w]`.
    fn pooling_forward(x: FloatTensor<Self>, shape: &Pooling) -> FloatTensor<Self>;

    /// The gradient of [`Kernels::pooling_forward`] by `x`.
    fn pooling_backward(x: FloatTensor<Self>, dy: FloatTensor<Self>, shape: &Pooling) -> FloatTensor<Self>;
}

impl Kernels for Flex {
    fn convolution_forward(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        shape: &Convolution,
    ) -> FlexTensor {
        let n = x.shape()[0];
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.map(|b| b.to_contiguous()));
        let y = shape.forward(numbers(&x), numbers(&weight), bias.as_ref().map(numbers));
        let [channels, height, width] = shape.output;
        tensor(y, &[n, channels, height, width])
    }

    fn convolution_backward(
        x: FlexTensor,
        weight: FlexTensor,
        dy: FlexTensor,
        by_input: bool,
        by_bias: bool,
        shape: &Convolution,
    ) -> WeightedGradients<Self> {
        let (x, weight, dy) = (x.to_contiguous(), weight.to_contiguous(), dy.to_contiguous());
        let ConvolutionGradients { input, weight: by_weight, bias } =
            shape.backward(numbers(&x), numbers(&weight), numbers(&dy), by_input);
        WeightedGradients {
            input: input.map(|g| tensor(g, &x.shape())),
            weight: tensor(by_weight, &weight.shape()),
            bias: by_bias.then(|| tensor(bias, &[shape.output[0]])),
        }
    }

    fn normalisation_forward(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        shape: &Normalisation,
    ) -> (FlexTensor, Moments) {
        let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
        let (y, moments) = shape.forward(numbers(&x), numbers(&weight), numbers(&bias));
        (tensor(y, &x.shape()), moments)
    }

    fn normalisation_backward(
        x: FlexTensor,
        weight: FlexTensor,
        moments: &Moments,
        dy: FlexTensor,
        shape: &Normalisation,
    ) -> WeightedGradients<Self> {
        let (x, weight, dy) = (x.to_contiguous(), weight.to_contiguous(), dy.to_contiguous());
        let [dx, by_weight, by_bias] = shape.backward(numbers(&x), numbers(&weight), moments, numbers(&dy));
        WeightedGradients {
            input: Some(tensor(dx, &x.shape())),
            weight: tensor(by_weight, &[shape.channels]),
            bias: Some(tensor(by_bias, &[shape.channels])),
        }
    }

    fn pooling_forward(x: FlexTensor, shape: &Pooling) -> FlexTensor {
        let x = x.to_contiguous();
        let dims = x.shape();
        tensor(shape.forward(numbers(&x)), &[dims[0], dims[1], shape.output[0], shape.output[1]])
    }

    fn pooling_backward(x: FlexTensor, dy: FlexTensor, shape: &Pooling) -> FlexTensor {
        let (x, dy) = (x.to_contiguous(), dy.to_contiguous());
        tensor(shape.backward(numbers(&x), numbers(&dy)), &x.shape())
    }
}

/// The elements of a contiguous tensor.
fn numbers(tensor: &FlexTensor) -> &[f32] {
    let start = tensor.layout().start_offset();
    &tensor.storage()[start..start + tensor.layout().num_elements()]
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}
