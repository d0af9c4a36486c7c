//! The feature editor: what an edit changes in the injected features of one person.
//!
//! After StyleFeatureEditor (Bobkov et al., "The Devil is in the Details", CVPR 2024). A slider brings a plan, laid
//! out on a face of average shape and carried from there to the person's; this network draws it into the person's
//! features.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation},
};

use super::layers::{Conv, LayerActivation, STYLE_SLOPE, conv2d};
use crate::config::{EditorSizes, ModelConfig};

/// The feature editor (`feature_editor.` in weights).
///
/// The plan's own branch has no biases, so that no plan adds exactly nothing, and k > 0 times a plan k times as much.
#[derive(Module, Debug)]
pub struct FeatureEditor {
    context: Conv<4>,
    gate1: Conv<4>,
    gate2: Conv<4>,
    plan: Conv<4>,
    mix: Conv<4>,
    out: Conv<4>,
}

impl FeatureEditor {
    /// Builds the network with parameters still to be loaded.
    pub fn new(config: &ModelConfig, sizes: &EditorSizes, device: &Device) -> Self {
        let channels = config.channels_at(config.inject_size);
        let &EditorSizes { width, plan } = sizes;
        let conv = |channels, bias| conv2d(channels, 3, 1, bias, device);
        Self {
            context: conv([channels, width], true),
            gate1: conv([width, width], true),
            gate2: conv([width, width], true),
            plan: conv([plan, width], false),
            mix: conv([width, width], false),
            out: conv([width, channels], false),
        }
    }

    /// What a plan, in the place of the face, adds to its compensated features.
    ///
    /// # Shapes
    /// Features `[batch, channels, inject, inject]`, plan `[batch, plan, inject, inject]`, result like the features.
    pub fn forward(&self, features: Tensor<4>, plan: Tensor<4>) -> Tensor<4> {
        let leaky = LayerActivation::Leaky(STYLE_SLOPE);
        let context = self.context.forward_with(None, features, leaky);
        let (first, context) = self
            .gate1
            .forward_keeping(None, context, LayerActivation::Identity);
        let second = self.gate2.forward(context);
        let gated = |x: Tensor<4>, gate: Tensor<4>| activation::leaky_relu(x * gate, STYLE_SLOPE);
        let drawn = gated(self.plan.forward(plan), first);
        let (mixed, drawn) = self
            .mix
            .forward_keeping(None, drawn, LayerActivation::Identity);
        self.out.forward(drawn + gated(mixed, second))
    }

    /// On the CPU hands the weights to the kernels.
    pub fn fuse(self) -> Self {
        Self {
            context: self.context.fuse(None),
            gate1: self.gate1.fuse(None),
            gate2: self.gate2.fuse(None),
            plan: self.plan.fuse(None),
            mix: self.mix.fuse(None),
            out: self.out.fuse(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{networks::cpu_values, testing::golden::Case};

    fn editor(case: &Case) -> FeatureEditor {
        let config = ModelConfig {
            channels: vec![20, 14, 10, 6],
            inject_size: 16,
            ..ModelConfig::face()
        };
        let sizes = EditorSizes { width: 8, plan: 3 };
        case.load(FeatureEditor::new(&config, &sizes, case.device()), &[])
    }

    #[test]
    fn the_feature_editor_matches_pytorch() {
        let case = Case::open("feature_editor");
        let editor = editor(&case);
        case.check(editor.forward(case.input(0), case.input(1)));
        case.check(editor.fuse().forward(case.input(0), case.input(1)));
    }

    #[test]
    fn no_plan_adds_nothing_and_a_stronger_one_more_of_the_same() {
        let case = Case::open("feature_editor");
        let editor = editor(&case).fuse();
        let drawn = |factor: f32| {
            let plan = case.input::<4>(1) * factor;
            cpu_values(editor.forward(case.input(0), plan))
        };
        assert!(drawn(0.0).iter().all(|&value| value == 0.0));
        for (once, thrice) in drawn(1.0).iter().zip(drawn(3.0)) {
            assert!((3.0 * once - thrice).abs() < 1e-4, "{once} {thrice}");
        }
    }
}
