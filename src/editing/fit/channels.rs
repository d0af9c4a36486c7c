//! Single style channels with published meanings (StyleSpace; Wu, Lischinski and Shechtman, CVPR 2021).
//!
//! The table holds numbers that the paper's authors have published for StyleGAN2's 1024-px generator of FFHQ faces: the
//! list of their notebook "StyleSpace_single" and the figure of local channels on their project's page. A generator
//! that was trained on from that one keeps their meanings more or less; another of the same sizes does not. So those
//! that a measure can tell are tried, and vouch for those that none can.

use burn::tensor::{Tensor, TensorData};

use super::{error::FitError, measures::Measure, run::Followed};
use crate::{
    config::ModelConfig,
    networks::{Sdic, normals, read},
    weights::{self, Direction, DirectionKind},
};

/// Heading of these sliders.
pub const GROUP: &str = "StyleSpace";
/// Strengths offered, in standard deviations of a channel, both ways.
const REACH: f32 = 10.0;
/// Draws from which these are measured, and how many at once.
const DRAWS: usize = 2_000;
const BATCH: usize = 250;
/// The first draw: others than those that components and sliders are made of.
const FIRST_DRAW: u64 = 2 << 32;
/// How far a slider must move its measure at its end, in standard deviations of the measure.
const MOVES: f64 = 0.5;
/// How much of its own movement it may move another measure.
const SPILL: f64 = 0.6;
/// Share of the sliders tried that must do what they say for the others to be believed.
const BELIEVED: f64 = 0.5;

/// A published channel.
struct Channel {
    name: &'static str,
    label: &'static str,
    /// Of the layers in the order of [`ModelConfig::style_channels`].
    layer: usize,
    channel: usize,
    /// What tells whether it does what it says, if anything does. It grows with the slider then.
    measure: Option<Measure>,
}

const fn channel(
    name: &'static str,
    label: &'static str,
    [layer, channel]: [usize; 2],
    measure: Option<Measure>,
) -> Channel {
    Channel {
        name,
        label,
        layer,
        channel,
        measure,
    }
}

/// Channels of the 1024-px generator of faces. Where several are published for one meaning, the first, which the paper
/// ranks highest.
const FACES: [Channel; 17] = [
    channel("smile", "Smile", [6, 501], Some(Measure::Smile)),
    channel("mouth", "Open mouth", [6, 202], Some(Measure::MouthOpening)),
    channel("lips", "Lipstick", [15, 45], Some(Measure::LipColour)),
    channel("eyes", "Wide eyes", [9, 376], Some(Measure::EyeOpening)),
    channel("brows", "Raise brows", [8, 28], Some(Measure::BrowHeight)),
    channel(
        "hair",
        "Light hair",
        [12, 479],
        Some(Measure::HairLightness),
    ),
    channel("grey-hair", "Grey hair", [11, 286], None),
    channel("wavy-hair", "Wavy hair", [6, 500], None),
    channel("bangs", "Bangs", [3, 259], None),
    channel("hairline", "Receding hairline", [5, 414], None),
    channel("gaze", "Gaze", [9, 409], None),
    channel("goatee", "Goatee", [9, 421], None),
    channel("sideburns", "Sideburns", [12, 237], None),
    channel("glasses", "Glasses", [3, 288], None),
    channel("earrings", "Earrings", [8, 81], None),
    channel("suit", "Suit", [9, 441], None),
    channel("gender", "Gender", [9, 6], None),
];

/// Sliders of published channels, for a model that may have them.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSliders {
    /// What they add.
    pub tensors: Vec<weights::Tensor>,
    /// The sliders, in the order of the table.
    pub directions: Vec<Direction>,
}

impl ChannelSliders {
    /// Keeps the sliders of which this is true.
    pub fn retain(&mut self, keep: impl Fn(&Direction) -> bool) {
        let kept: Vec<_> = self.directions.iter().map(keep).collect();
        let mut keeps = kept.iter();
        self.directions.retain(|_| keeps.next() == Some(&true));
        let mut keeps = kept.iter();
        self.tensors.retain(|_| keeps.next() == Some(&true));
    }
}

/// Whether channels are published for a generator of these sizes.
pub fn are_known(config: &ModelConfig) -> bool {
    let published = ModelConfig::face();
    config.channels == published.channels && config.style_dim == published.style_dim
}

/// The sliders of a model, by the standard deviations of its style channels over 2,000 draws of a seed; `None` for a
/// model of other sizes. `pause` is waited for before every batch; its error stops the work.
///
/// # Errors
/// Those of `pause`, [`FitError::NoMapping`], or a failing device.
pub async fn channel_sliders<E: From<FitError>>(
    sdic: &Sdic,
    seed: u64,
    mut pause: impl AsyncFnMut() -> Result<(), E>,
) -> Result<Option<ChannelSliders>, E> {
    if !are_known(sdic.config()) {
        return Ok(None);
    }
    let mut moments = Vec::new();
    for first in (0..DRAWS).step_by(BATCH) {
        pause().await?;
        moments.push(batch_moments(sdic, seed, first).await?);
    }
    Ok(Some(sliders(sdic.config(), &deviations(&moments))))
}

/// Sums of the style channels of some draws, and of their squares.
async fn batch_moments(sdic: &Sdic, seed: u64, first: usize) -> Result<[Vec<f32>; 2], FitError> {
    let config = sdic.config();
    let (styles, width) = (config.styles(), config.style_dim);
    let z = (first..first + BATCH).flat_map(|i| normals(seed, FIRST_DRAW + i as u64, width));
    let z = TensorData::new(z.collect::<Vec<_>>(), [BATCH, width]);
    let drawn = sdic.map(Tensor::from_data(z, &sdic.device()));
    let drawn = drawn.ok_or(FitError::NoMapping)?;
    let codes = drawn.unsqueeze_dim::<3>(1).repeat_dim(1, styles);
    let channels = sdic.style_channels(&codes);
    let squares = channels.clone().powi_scalar(2);
    Ok([
        read(channels.sum_dim(0)).await?,
        read(squares.sum_dim(0)).await?,
    ])
}

fn deviations(batches: &[[Vec<f32>; 2]]) -> Vec<f32> {
    let count = (batches.len() * BATCH) as f64;
    let mean = |channel: usize, power: usize| {
        let sums = batches.iter().map(|sums| f64::from(sums[power][channel]));
        sums.sum::<f64>() / count
    };
    let deviation = |channel| {
        (mean(channel, 1) - mean(channel, 0).powi(2))
            .max(0.0)
            .sqrt() as f32
    };
    (0..batches[0][0].len()).map(deviation).collect()
}

/// One for every published channel that varies.
fn sliders(config: &ModelConfig, deviations: &[f32]) -> ChannelSliders {
    let layers = config.style_channels();
    let (mut tensors, mut directions) = (Vec::new(), Vec::new());
    for published in &FACES {
        let at = layers[..published.layer].iter().sum::<usize>() + published.channel;
        if deviations[at] == 0.0 {
            continue;
        }
        let mut values = vec![0.0; deviations.len()];
        values[at] = deviations[at];
        let tensor = weights::Tensor {
            name: format!("stylespace.{}", published.name),
            shape: vec![values.len()],
            values,
        };
        directions.push(Direction {
            name: slider_name(published),
            label: published.label.to_owned(),
            group: GROUP.to_owned(),
            folded: true,
            kind: DirectionKind::StyleSpace {
                tensor: tensor.name.clone(),
            },
            displacements: None,
            change: None,
            turned: None,
            shown: None,
            cover: None,
            range: [-REACH, REACH],
            styles: [0, config.styles()],
        });
        tensors.push(tensor);
    }
    ChannelSliders {
        tensors,
        directions,
    }
}

fn slider_name(published: &Channel) -> String {
    format!("stylespace-{}", published.name)
}

/// What was found out about the published channels of a model, by the names of their sliders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Those that go the other way than they say.
    pub turned: Vec<String>,
    /// Those that do not do what they say.
    pub refused: Vec<String>,
}

/// Why a slider is refused.
pub const REFUSAL: &str = "this model's channel does something else, or nothing";

/// Judges the channels by what they were seen to move. Those that no measure can tell are refused with the others,
/// where fewer than half of these do what they say: the generator is another one then.
pub fn judge(followed: &[Followed]) -> Verdict {
    let mut verdict = Verdict::default();
    let (mut tried, mut unmeasured) = (0, Vec::new());
    for published in &FACES {
        let name = slider_name(published);
        let Some(seen) = followed.iter().find(|seen| seen.name == name) else {
            continue;
        };
        let Some(measure) = published.measure else {
            unmeasured.push(name);
            continue;
        };
        tried += 1;
        let own = seen.effects[measure as usize];
        let stays = |other: &Measure| *other != measure && !measure.kin().contains(other);
        let others = Measure::ALL.into_iter().filter(stays);
        let spill = others.map(|other| seen.effects[other as usize].abs());
        let spill = spill.fold(0.0, f64::max);
        let moves = own.abs() * f64::from(REACH) >= MOVES;
        if !moves || spill > SPILL * own.abs() {
            verdict.refused.push(name);
        } else if own < 0.0 {
            verdict.turned.push(name);
        }
    }
    let kept = tried - verdict.refused.len();
    if (kept as f64) < BELIEVED * tried as f64 {
        verdict.refused.extend(unmeasured);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::{super::measures::MEASURES, *};
    use crate::testing::models::tiny_config;

    /// What the sliders do that have a measure: by so much for strength 1, and so much to the yaw.
    fn followed(effect: impl Fn(Measure) -> [f64; 2]) -> Vec<Followed> {
        let seen = FACES.iter().map(|published| {
            let mut effects = [0.0; MEASURES];
            if let Some(measure) = published.measure {
                let [own, yaw] = effect(measure);
                effects[measure as usize] = own;
                effects[Measure::Yaw as usize] = yaw;
            }
            Followed {
                name: slider_name(published),
                displacements: None,
                effects,
            }
        });
        seen.collect()
    }

    #[test]
    fn published_channels_lie_where_the_paper_counts_them() {
        let config = ModelConfig::face();
        let deviations: Vec<f32> = (0..9088).map(|at| 1.0 + at as f32).collect();
        let ChannelSliders {
            tensors,
            directions,
        } = sliders(&config, &deviations);
        assert_eq!(
            (tensors.len(), directions.len()),
            (FACES.len(), FACES.len())
        );
        for (tensor, published) in tensors.iter().zip(&FACES) {
            let moved: Vec<_> = (0..9088).filter(|&at| tensor.values[at] != 0.0).collect();
            // Up to the 64-px convolutions, and those at 128 px that take from there, all layers have 512 channels.
            let expected = match published.layer {
                layer @ 0..15 => 512 * layer + published.channel,
                15 => 512 * 15 + published.channel,
                layer => panic!("layer {layer}"),
            };
            assert_eq!(moved, [expected], "{}", published.name);
            assert_eq!(tensor.values[expected], deviations[expected]);
            assert!(published.channel < config.style_channels()[published.layer]);
        }
        // What never varies is no slider.
        let mut still = deviations;
        still[512 * 6 + 501] = 0.0;
        let fewer = sliders(&config, &still);
        assert_eq!(fewer.directions.len(), FACES.len() - 1);
        assert!(
            fewer
                .directions
                .iter()
                .all(|direction| direction.name != "stylespace-smile")
        );
        assert!(are_known(&config) && !are_known(&tiny_config()));
    }

    #[test]
    fn channels_that_do_what_they_say_are_kept() {
        let verdict = judge(&followed(|measure| match measure {
            Measure::LipColour => [-0.2, 0.0],
            _ => [0.2, 0.1],
        }));
        assert_eq!(verdict.turned, ["stylespace-lips"]);
        assert!(verdict.refused.is_empty());
    }

    #[test]
    fn channels_that_do_something_else_are_refused() {
        // One hardly moves its measure, one moves another as well.
        let verdict = judge(&followed(|measure| match measure {
            Measure::Smile => [0.04, 0.0],
            Measure::BrowHeight => [0.2, 0.13],
            _ => [0.2, 0.0],
        }));
        assert_eq!(verdict.refused, ["stylespace-smile", "stylespace-brows"]);
        assert!(verdict.turned.is_empty());
    }

    #[test]
    fn another_generator_has_none_of_them() {
        let verdict = judge(&followed(|measure| match measure {
            Measure::Smile | Measure::HairLightness => [0.2, 0.0],
            _ => [0.01, 0.0],
        }));
        let kept = ["stylespace-smile", "stylespace-hair"];
        let names: Vec<_> = FACES.iter().map(slider_name).collect();
        let refused = names.iter().filter(|name| !kept.contains(&name.as_str()));
        assert_eq!(verdict.refused.len(), refused.clone().count());
        assert!(
            refused
                .into_iter()
                .all(|name| verdict.refused.contains(name))
        );
        // A model without them is not judged.
        assert_eq!(judge(&[]), Verdict::default());
    }
}
