//! The feature editor: what an edit changes in the injected features of one person.
//!
//! After StyleFeatureEditor (Bobkov et al., "The Devil is in the Details", CVPR 2024). A slider brings a plan, laid
//! out on a face that has room for it and carried from there to the person's; this network draws it into the person's
//! features.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation},
};

use super::layers::{
    Conv, LayerActivation, Precision, STYLE_SLOPE, conv2d, pixel_unshuffle, resize_bilinear,
};
use crate::config::{EditorSizes, ModelConfig};

/// Where an aligned face is: rows and columns of its features, from and to, in sides.
const ROWS: [f64; 2] = [0.375, 0.8125];
const COLUMNS: [f64; 2] = [0.25, 0.75];

/// The feature editor (`feature_editor.` in weights).
///
/// A plan that is finer than the features holds lines as thin as those between teeth, which a warp of the coarse grid
/// would smear. Its cells become channels only once they are in place.
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
    detail: Option<Detail>,
    covering: Option<Covering>,
    /// Cells of a plan, per side, for each cell of the features.
    fold: usize,
}

/// What of a plan the layers between features and picture would blur: it goes into the picture itself, in the light
/// that the features tell.
#[derive(Module, Debug)]
struct Detail {
    fine: Conv<4>,
    light: Conv<4>,
    tint: Conv<4>,
}

/// What is drawn under covers: a texture, in the light that falls on the face. Between lips that part there is nothing of
/// the person to draw on, and what the features hold there are lips. It saturates: teeth are no whiter for a broader
/// smile.
#[derive(Module, Debug)]
struct Covering {
    fine: Conv<4>,
    light: Conv<4>,
    tint: Conv<4>,
}

/// What sliders plan together: one plan for each place where the feature editor draws. Equal ones are kept once.
#[derive(Clone, Debug)]
pub struct Plans<P> {
    /// The first one is for the features.
    distinct: Vec<P>,
    detail: Option<usize>,
    covering: Option<usize>,
}

impl<P: PartialEq> Plans<P> {
    /// What is drawn into the features, into the finished picture, and under covers.
    pub fn new(feature: P, detail: Option<P>, covering: Option<P>) -> Self {
        let mut distinct = vec![feature];
        let mut keep = |plan: P| {
            let known = distinct.iter().position(|known| *known == plan);
            known.unwrap_or_else(|| {
                distinct.push(plan);
                distinct.len() - 1
            })
        };
        Self {
            detail: detail.map(&mut keep),
            covering: covering.map(&mut keep),
            distinct,
        }
    }
}

impl<P> Plans<P> {
    /// The same plans, each made into something else.
    pub fn map<Q>(self, make: impl FnMut(P) -> Q) -> Plans<Q> {
        Plans {
            distinct: self.distinct.into_iter().map(make).collect(),
            detail: self.detail,
            covering: self.covering,
        }
    }

    /// What is drawn into the features.
    pub fn feature(&self) -> &P {
        &self.distinct[0]
    }

    /// What is drawn into the finished picture.
    pub fn detail(&self) -> Option<&P> {
        self.detail.map(|index| &self.distinct[index])
    }

    /// What is drawn under covers.
    pub fn covering(&self) -> Option<&P> {
        self.covering.map(|index| &self.distinct[index])
    }
}

/// What the feature editor draws.
#[derive(Clone, Debug)]
pub struct DrawnPlan {
    /// Added to the features, `[batch, channels, inject, inject]`.
    pub feature: Tensor<4>,
    /// Added to the finished picture, `[batch, 3, image_size, image_size]`.
    pub detail: Option<Tensor<4>>,
    /// A picture of that size, drawn over it where covers lie.
    pub covering: Option<Tensor<4>>,
}

impl Detail {
    fn forward(&self, context: Tensor<4>, plan: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = plan.dims();
        let light = resize_bilinear(self.light.forward(context), [height, width], false);
        self.tint.forward(self.fine.forward(plan) * light)
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            fine: self.fine.fuse(None, weights),
            light: self.light.fuse(None, weights),
            tint: self.tint.fuse(None, weights),
        }
    }
}

impl Covering {
    fn forward(&self, features: Tensor<4>, plan: Tensor<4>) -> Tensor<4> {
        // The mean comes last, of few channels: a rehearsal has as many, and has compiled it.
        let light = self.light.forward(features);
        let [batch, channels, height, width] = light.dims();
        let within = |side: usize, [from, to]: [f64; 2]| {
            let [from, to] = [from, to].map(|share| (share * side as f64) as usize);
            from..to
        };
        let face = [
            0..batch,
            0..channels,
            within(height, ROWS),
            within(width, COLUMNS),
        ];
        let light = light.slice(face).mean_dim(2).mean_dim(3);
        self.tint.forward(self.fine.forward(plan).tanh() * light)
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            fine: self.fine.fuse(None, weights),
            light: self.light.fuse(None, weights),
            tint: self.tint.fuse(None, weights),
        }
    }
}

impl FeatureEditor {
    /// Builds the network with parameters still to be loaded.
    pub fn new(config: &ModelConfig, sizes: &EditorSizes, device: &Device) -> Self {
        let channels = config.channels_at(config.inject_size);
        let &EditorSizes {
            width,
            plan,
            fold,
            detail,
            covering,
        } = sizes;
        let conv = |channels, bias| conv2d(channels, 3, 1, bias, device);
        let point = |channels| conv2d(channels, 1, 1, true, device);
        let covered = || Covering {
            fine: conv([plan, covering], false),
            light: point([channels, covering]),
            tint: point([covering, 3]),
        };
        let detailed = || Detail {
            fine: conv([plan, detail], false),
            light: conv([width, detail], true),
            tint: conv2d([detail, 3], 1, 1, false, device),
        };
        Self {
            context: conv([channels, width], true),
            gate1: conv([width, width], true),
            gate2: conv([width, width], true),
            plan: conv([plan * fold.pow(2), width], false),
            mix: conv([width, width], false),
            out: conv([width, channels], false),
            detail: (detail > 0).then(detailed),
            covering: (covering > 0).then(covered),
            fold,
        }
    }

    /// What plans, in the place of the face, add to its compensated features and to the picture, and what they draw under
    /// covers.
    ///
    /// # Shapes
    /// Features `[batch, channels, inject, inject]`, plans `[batch, plan, fold * inject, fold * inject]`.
    pub fn forward(&self, features: Tensor<4>, plans: &Plans<Tensor<4>>) -> DrawnPlan {
        let leaky = LayerActivation::Leaky(STYLE_SLOPE);
        let covering = self.covering.as_ref().zip(plans.covering());
        let covering = covering.map(|(layer, plan)| layer.forward(features.clone(), plan.clone()));
        let context = self.context.forward_with(None, features, leaky);
        let (first, context) = self
            .gate1
            .forward_keeping(None, context, LayerActivation::Identity);
        let (second, context) =
            self.gate2
                .forward_keeping(None, context, LayerActivation::Identity);
        let detail = self.detail.as_ref().zip(plans.detail());
        let detail = detail.map(|(layer, plan)| layer.forward(context, plan.clone()));
        let gated = |x: Tensor<4>, gate: Tensor<4>| activation::leaky_relu(x * gate, STYLE_SLOPE);
        let plan = pixel_unshuffle(plans.feature().clone(), self.fold);
        let plan = self.plan.forward(plan);
        let drawn = gated(plan, first);
        let (mixed, drawn) = self
            .mix
            .forward_keeping(None, drawn, LayerActivation::Identity);
        DrawnPlan {
            feature: self.out.forward(drawn + gated(mixed, second)),
            detail,
            covering,
        }
    }

    /// On the CPU hands the weights to the kernels.
    pub fn fuse(self, weights: Precision) -> Self {
        Self {
            context: self.context.fuse(None, weights),
            gate1: self.gate1.fuse(None, weights),
            gate2: self.gate2.fuse(None, weights),
            plan: self.plan.fuse(None, weights),
            mix: self.mix.fuse(None, weights),
            out: self.out.fuse(None, weights),
            detail: self.detail.map(|layer| layer.fuse(weights)),
            covering: self.covering.map(|layer| layer.fuse(weights)),
            fold: self.fold,
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
        let sizes = EditorSizes {
            width: 8,
            plan: 3,
            fold: 2,
            detail: 2,
            covering: 2,
        };
        case.load(FeatureEditor::new(&config, &sizes, case.device()), &[])
    }

    /// One plan for all places.
    fn alone(plan: Tensor<4>) -> Plans<Tensor<4>> {
        Plans::new((), Some(()), Some(())).map(|()| plan.clone())
    }

    #[test]
    fn the_feature_editor_matches_pytorch() {
        let case = Case::open("feature_editor");
        let editor = editor(&case);
        let fused = editor.clone().fuse(Precision::Single);
        for editor in [editor, fused] {
            let drawn = editor.forward(case.input(0), &alone(case.input(1)));
            case.check_output(0, drawn.feature);
            case.check_output(1, drawn.detail.unwrap());
            case.check_output(2, drawn.covering.unwrap());
        }
    }

    #[test]
    fn every_place_is_drawn_of_its_own_plan() {
        let case = Case::open("feature_editor");
        let editor = editor(&case).fuse(Precision::Single);
        let plan = |factor: f32| case.input::<4>(1) * factor;
        let forward = |plans: Plans<f32>| editor.forward(case.input(0), &plans.map(plan));
        let drawn = forward(Plans::new(1.0, Some(2.0), Some(3.0)));
        let all = [1.0, 2.0, 3.0].map(|factor| editor.forward(case.input(0), &alone(plan(factor))));
        let [feature, detail, covering] = all;
        let same = |a, b| assert_eq!(cpu_values(a), cpu_values(b));
        same(drawn.feature, feature.feature);
        same(drawn.detail.unwrap(), detail.detail.unwrap());
        same(drawn.covering.unwrap(), covering.covering.unwrap());
        let drawn = forward(Plans::new(1.0, None, None));
        assert!(drawn.detail.is_none() && drawn.covering.is_none());
    }

    #[test]
    fn equal_plans_are_kept_once() {
        let plans = |detail, covering| {
            let mut made = Vec::new();
            let plans = Plans::new(1, detail, covering).map(|plan| {
                made.push(plan);
                10 * plan
            });
            let found = (
                *plans.feature(),
                plans.detail().copied(),
                plans.covering().copied(),
            );
            (made, found)
        };
        assert_eq!(plans(Some(1), Some(1)), (vec![1], (10, Some(10), Some(10))));
        assert_eq!(
            plans(Some(2), Some(2)),
            (vec![1, 2], (10, Some(20), Some(20)))
        );
        assert_eq!(
            plans(Some(1), Some(2)),
            (vec![1, 2], (10, Some(10), Some(20)))
        );
        assert_eq!(
            plans(Some(2), Some(1)),
            (vec![1, 2], (10, Some(20), Some(10)))
        );
        assert_eq!(plans(None, Some(3)), (vec![1, 3], (10, None, Some(30))));
        assert_eq!(plans(None, None), (vec![1], (10, None, None)));
    }

    #[test]
    fn no_plan_adds_nothing_and_a_stronger_one_more_of_the_same() {
        let case = Case::open("feature_editor");
        let editor = editor(&case).fuse(Precision::Single);
        let drawn = |factor: f32| {
            let plan = case.input::<4>(1) * factor;
            let drawn = editor.forward(case.input(0), &alone(plan));
            let mut values = cpu_values(drawn.feature);
            values.extend(cpu_values(drawn.detail.unwrap()));
            values
        };
        assert!(drawn(0.0).iter().all(|&value| value == 0.0));
        for (once, thrice) in drawn(1.0).iter().zip(drawn(3.0)) {
            assert!((3.0 * once - thrice).abs() < 1e-4, "{once} {thrice}");
        }
    }
}
