//! Differentiable forms of the operators in `kernels.rs`: burn's extension point for custom backward steps.

use super::{
    convolution::Convolution,
    kernels::{Kernels, WeightedGradients},
    normalisation::{Moments, Normalisation},
    pooling::Pooling,
};
use burn::backend::{
    Autodiff, AutodiffBackend, Backend,
    autodiff::{
        NodeId,
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

/// Operators that run on a plain backend and record themselves on a differentiating one.
pub(crate) trait Layers: Backend {
    /// As [`Kernels::linear_forward`].
    fn linear_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self>;
    /// As [`Kernels::convolution_forward`].
    fn convolution_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        shape: Convolution,
    ) -> FloatTensor<Self>;
    /// As [`Kernels::normalisation_forward`].
    fn normalisation_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: Normalisation,
    ) -> (FloatTensor<Self>, Moments);
    /// As [`Kernels::pooling_forward`].
    fn pooling_layer(x: FloatTensor<Self>, shape: Pooling) -> FloatTensor<Self>;
}

impl<B: Kernels> Layers for B {
    fn linear_layer(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: Option<FloatTensor<B>>,
    ) -> FloatTensor<B> {
        B::linear_forward(x, weight, bias)
    }
    fn convolution_layer(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: Option<FloatTensor<B>>,
        shape: Convolution,
    ) -> FloatTensor<B> {
        B::convolution_forward(x, weight, bias, &shape)
    }
    fn normalisation_layer(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        shape: Normalisation,
    ) -> (FloatTensor<B>, Moments) {
        B::normalisation_forward(x, weight, bias, &shape)
    }
    fn pooling_layer(x: FloatTensor<B>, shape: Pooling) -> FloatTensor<B> {
        B::pooling_forward(x, &shape)
    }
}

impl<B: Kernels, C: CheckpointStrategy> Layers for Autodiff<B, C> {
    fn linear_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let (has_bias, bias) = or_untracked::<B>(bias, &weight);
        let prepare = LinearStep.prepare::<C>([x.node(), weight.node(), bias.node()]);
        let (x, w, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let run = |x, w| B::linear_forward(x, w, has_bias.then_some(bias));
        match prepare.compute_bound().stateful() {
            OpsKind::Tracked(prepare) => prepare.finish((x.clone(), w.clone()), run(x, w)),
            OpsKind::UnTracked(prepare) => prepare.finish(run(x, w)),
        }
    }

    fn convolution_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        shape: Convolution,
    ) -> FloatTensor<Self> {
        let (has_bias, bias) = or_untracked::<B>(bias, &weight);
        let prepare = ConvolutionStep.prepare::<C>([x.node(), weight.node(), bias.node()]);
        let (x, w, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        let y = B::convolution_forward(x.clone(), w.clone(), has_bias.then_some(bias), &shape);
        match prepare.compute_bound().stateful() {
            OpsKind::Tracked(prepare) => prepare.finish((x, w, shape), y),
            OpsKind::UnTracked(prepare) => prepare.finish(y),
        }
    }

    fn normalisation_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: Normalisation,
    ) -> (FloatTensor<Self>, Moments) {
        let prepare = NormalisationStep.prepare::<C>([x.node(), weight.node(), bias.node()]);
        let (x, w) = (x.into_primitive(), weight.into_primitive());
        let (y, moments) = B::normalisation_forward(x.clone(), w.clone(), bias.into_primitive(), &shape);
        let y = match prepare.compute_bound().stateful() {
            OpsKind::Tracked(prepare) => prepare.finish((x, w, moments.clone(), shape), y),
            OpsKind::UnTracked(prepare) => prepare.finish(y),
        };
        (y, moments)
    }

    fn pooling_layer(x: FloatTensor<Self>, shape: Pooling) -> FloatTensor<Self> {
        let prepare = PoolingStep.prepare::<C>([x.node()]);
        let x = x.into_primitive();
        let y = B::pooling_forward(x.clone(), &shape);
        match prepare.compute_bound().stateful() {
            OpsKind::Tracked(prepare) => prepare.finish((x, shape), y),
            OpsKind::UnTracked(prepare) => prepare.finish(y),
        }
    }
}

/// The bias, or a placeholder that needs no gradient.
fn or_untracked<B: Backend>(
    bias: Option<FloatTensor<Autodiff<B>>>,
    stand_in: &FloatTensor<Autodiff<B>>,
) -> (bool, FloatTensor<Autodiff<B>>) {
    match bias {
        Some(bias) => (true, bias),
        None => (false, <Autodiff<B>>::from_inner(stand_in.primitive().clone())),
    }
}

#[derive(Debug)]
struct LinearStep;
#[derive(Debug)]
struct ConvolutionStep;
#[derive(Debug)]
struct NormalisationStep;
#[derive(Debug)]
struct PoolingStep;

impl<B: Kernels> Backward<B, 3> for LinearStep {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (x, weight) = ops.state;
        let [by_input, _, by_bias] = ops.parents.each_ref().map(Option::is_some);
        register(
            ops.parents.map(|p| p.map(|p| p.id)),
            B::linear_backward(x, weight, dy, by_input, by_bias),
            grads,
        );
    }
}

impl<B: Kernels> Backward<B, 3> for ConvolutionStep {
    type State = (FloatTensor<B>, FloatTensor<B>, Convolution);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (x, weight, shape) = ops.state;
        let [by_input, _, by_bias] = ops.parents.each_ref().map(Option::is_some);
        let found = B::convolution_backward(x, weight, dy, by_input, by_bias, &shape);
        register(ops.parents.map(|p| p.map(|p| p.id)), found, grads);
    }
}

impl<B: Kernels> Backward<B, 3> for NormalisationStep {
    type State = (FloatTensor<B>, FloatTensor<B>, Moments, Normalisation);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (x, weight, moments, shape) = ops.state;
        let found = B::normalisation_backward(x, weight, &moments, dy, &shape);
        register(ops.parents.map(|p| p.map(|p| p.id)), found, grads);
    }
}

/// Passes gradients to the parents that need them.
fn register<B: Backend>(
    [input, weight, bias]: [Option<NodeId>; 3],
    found: WeightedGradients<B>,
    grads: &mut Gradients,
) {
    for (parent, gradient) in [(input, found.input), (weight, Some(found.weight)), (bias, found.bias)] {
        if let (Some(parent), Some(gradient)) = (parent, gradient) {
            grads.register::<B>(parent, gradient);
        }
    }
}

impl<B: Kernels> Backward<B, 1> for PoolingStep {
    type State = (FloatTensor<B>, Pooling);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (x, shape) = ops.state;
        if let [Some(parent)] = ops.parents {
            grads.register::<B>(parent.id, B::pooling_backward(x, dy, &shape));
        }
    }
}
