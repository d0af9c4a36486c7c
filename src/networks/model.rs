//! The networks as one module, and loading their parameters by name.
//!
//! A parameter's path in the module tree is its name in the released checkpoints, after
//! [`checkpoint_name`]'s few rules.

use std::collections::{BTreeMap, HashMap};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{DType, Device, Tensor, TensorData},
};
use thiserror::Error;

use super::{
    device::is_cpu, dicn::Dicn, dipn::Dipn, encoder::Encoder, feature_editor::FeatureEditor,
    generator::Generator, precision::Precision, tensors::parameter,
};
use crate::{
    config::{ConfigError, ModelConfig},
    weights,
};

/// The generator; encoder, DIPN, DICN and feature editor where the model has them.
#[derive(Module, Debug)]
pub struct Networks {
    /// e4e or pSp encoder, where the model has one.
    pub encoder: Option<Encoder>,
    /// StyleGAN2 generator.
    pub generator: Generator,
    /// Discrepancy information prediction network, where the model has one.
    pub dipn: Option<Dipn>,
    /// Discrepancy information compensation network, where the model has one.
    pub dicn: Option<Dicn>,
    /// Feature editor, where the model has one.
    pub feature_editor: Option<FeatureEditor>,
    /// Average latent code that the encoder's output is relative to, `[styles, style_dim]`.
    pub latent_avg: Param<Tensor<2>>,
}

impl Networks {
    fn new(config: &ModelConfig, device: &Device) -> Self {
        Self {
            encoder: (config.encoder.as_ref()).map(|sizes| Encoder::new(config, sizes, device)),
            generator: Generator::new(config, device),
            dipn: (config.dipn.as_ref()).map(|sizes| Dipn::new(sizes, device)),
            dicn: (config.dicn.as_ref()).map(|sizes| Dicn::new(config, sizes, device)),
            feature_editor: (config.editor.as_ref())
                .map(|sizes| FeatureEditor::new(config, sizes, device)),
            latent_avg: parameter([config.styles(), config.style_dim], device),
        }
    }

    fn fuse(self, weights: Precision) -> Self {
        Self {
            encoder: self.encoder.map(|layer| layer.fuse(weights)),
            generator: self.generator.fuse(weights),
            dipn: self.dipn.map(|layer| layer.fuse(weights)),
            dicn: self.dicn.map(|layer| layer.fuse(weights)),
            feature_editor: self.feature_editor.map(|layer| layer.fuse(weights)),
            latent_avg: self.latent_avg,
        }
    }
}

/// Why parameters do not fit the networks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// The configuration itself is impossible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A tensor that no network has.
    #[error("tensor \"{0}\" belongs to no network of this model; export the weights again")]
    Unknown(String),
    /// A tensor that was loaded before.
    #[error("tensor \"{0}\" appears twice; export the weights again")]
    Duplicate(String),
    /// A tensor of the wrong shape.
    #[error("tensor \"{name}\" has shape {found:?}, but the model config needs {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape that the config asks for.
        expected: Vec<usize>,
    },
    /// Tensors that never came.
    #[error("{} tensors are missing: {}; export the weights again", .0.len(), first_names(.0))]
    Missing(Vec<String>),
}

/// The first few names of a long list.
fn first_names(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text += ", ...";
    }
    text
}

/// A module path as the tensor name in the released checkpoints.
///
/// The prefixes differ (`decoder.`, `DIP.`, `SAF.`), fusion blocks are spelt `CGF_n`, noise buffers
/// `noise_n`, in the style heads every other place of the sequence is an activation, and the mapping network
/// starts with a normalisation.
fn checkpoint_name(path: &[String]) -> String {
    let mut parts: Vec<String> = path.to_vec();
    if let Some(network) = parts.first_mut() {
        *network = match network.as_str() {
            "generator" => "decoder".to_owned(),
            "dipn" => "DIP".to_owned(),
            "dicn" => "SAF".to_owned(),
            other => other.to_owned(),
        };
    }
    let in_style_head = parts.iter().any(|part| part == "styles");
    for index in 1..parts.len() {
        if parts[index - 1] == "noises" {
            parts[index] = format!("noise_{}", parts[index]);
        } else if in_style_head && parts[index - 1] == "convs" {
            if let Ok(place) = parts[index].parse::<usize>() {
                parts[index] = (2 * place).to_string();
            }
        } else if parts[index - 1] == "style" {
            if let Ok(place) = parts[index].parse::<usize>() {
                parts[index] = (place + 1).to_string();
            }
        } else if parts[index].starts_with("cgf_") {
            parts[index] = parts[index].to_uppercase();
        }
    }
    parts.join(".")
}

/// Names and shapes of all parameters of the networks of a configuration that is valid, in the order of the pipeline.
///
/// They are read off the module tree; nothing is allocated. Left out of what the released checkpoints carry besides:
/// branches that inference never runs, batch counters, the constant blur kernels and the mapping network beyond
/// `config.mapping_layers`.
pub fn tensor_shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    inventory(&Networks::new(config, &super::device::cpu()))
}

/// Style index and name of the modulation weight `[in, style_dim]` of every convolution of the generator except those
/// to RGB.
pub fn modulations(config: &ModelConfig) -> Vec<(usize, String)> {
    let weights = tensor_shapes(config).into_iter().map(|(name, _)| name);
    weights
        .filter(|name| name.starts_with("decoder.conv") && name.ends_with(".modulation.weight"))
        .enumerate()
        .collect()
}

fn inventory(networks: &Networks) -> Vec<(String, Vec<usize>)> {
    let mut inventory = Inventory::default();
    networks.visit(&mut inventory);
    inventory.shapes
}

/// Collects names and shapes of all parameters.
#[derive(Default)]
struct Inventory {
    path: Vec<String>,
    shapes: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Inventory {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().iter().copied().collect();
        self.shapes.push((checkpoint_name(&self.path), shape));
    }
}

/// Replaces the parameters that a batch has values for.
struct Assignment {
    path: Vec<String>,
    values: HashMap<String, Vec<f32>>,
    /// How exactly those are kept that wait on the CPU for a GPU.
    waiting: Precision,
}

impl ModuleMapper for Assignment {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.values.remove(&checkpoint_name(&self.path)) {
            Some(values) => {
                let data = TensorData::new(values, param.lazy_shape());
                let device = param.lazy_device();
                let tensor = match self.waiting {
                    Precision::Half if is_cpu(&device) => {
                        Tensor::from_data(data, (&device, DType::F16))
                    }
                    _ => Tensor::from_data(data, &device),
                };
                Param::initialized(param.id, tensor)
            }
            None => param,
        }
    }
}

/// Gives the parameters of a module at `path` in the networks new values by checkpoint name; returns also the
/// values that no parameter has taken.
pub(crate) fn assign<M: Module>(
    module: M,
    path: &[&str],
    values: HashMap<String, Vec<f32>>,
) -> (M, HashMap<String, Vec<f32>>) {
    let mut assignment = Assignment {
        path: path.iter().map(|&part| part.to_owned()).collect(),
        values,
        waiting: Precision::Single,
    };
    let module = module.map(&mut assignment);
    (module, assignment.values)
}

/// Fills the networks batch by batch, so that little more than the parameters themselves is ever in memory.
pub struct Loader {
    networks: Networks,
    weights: Precision,
    /// How exactly the weights are kept that wait in main memory.
    waiting: Precision,
    expected: BTreeMap<String, Vec<usize>>,
    missing: BTreeMap<String, Vec<usize>>,
}

impl Loader {
    /// Prepares networks of the given sizes, with `weights` kept so exactly; nothing is allocated yet.
    ///
    /// # Errors
    /// [`LoadError::Config`] if the sizes are impossible.
    pub fn new(
        config: &ModelConfig,
        weights: Precision,
        device: &Device,
    ) -> Result<Self, LoadError> {
        config.validate()?;
        let networks = Networks::new(config, device);
        let expected: BTreeMap<_, _> = inventory(&networks).into_iter().collect();
        Ok(Self {
            networks,
            weights,
            waiting: if is_cpu(device) {
                Precision::Single
            } else {
                weights
            },
            missing: expected.clone(),
            expected,
        })
    }

    /// How exactly weights will be kept.
    pub fn weights(&self) -> Precision {
        self.weights
    }

    /// Names and shapes of all parameters.
    pub fn expected(&self) -> &BTreeMap<String, Vec<usize>> {
        &self.expected
    }

    /// Takes the values of some parameters, in any order.
    ///
    /// # Errors
    /// A [`LoadError`] that names the first tensor which is unknown, repeated or misshapen.
    pub fn load(mut self, tensors: Vec<weights::Tensor>) -> Result<Self, LoadError> {
        let mut values = HashMap::with_capacity(tensors.len());
        for tensor in tensors {
            let weights::Tensor {
                name,
                shape,
                values: numbers,
            } = tensor;
            let Some(expected) = self.missing.remove(&name) else {
                return Err(if self.expected.contains_key(&name) {
                    LoadError::Duplicate(name)
                } else {
                    LoadError::Unknown(name)
                });
            };
            if shape != expected || numbers.len() != expected.iter().product::<usize>() {
                return Err(LoadError::Shape {
                    name,
                    found: shape,
                    expected,
                });
            }
            values.insert(name, numbers);
        }
        self.networks = self.networks.map(&mut Assignment {
            path: Vec::new(),
            values,
            waiting: self.waiting,
        });
        Ok(self)
    }

    /// The finished networks, with normalisations folded into the convolutions before them.
    ///
    /// # Errors
    /// [`LoadError::Missing`] lists what never came.
    pub fn finish(self) -> Result<Networks, LoadError> {
        if !self.missing.is_empty() {
            return Err(LoadError::Missing(self.missing.into_keys().collect()));
        }
        Ok(self.networks.fuse(self.weights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EditorSizes;

    fn loader(config: &ModelConfig) -> Loader {
        Loader::new(config, Precision::Single, &crate::networks::device::cpu()).unwrap()
    }

    /// SHA-256 over the lines `name<tab>1x2x3` in order of name.
    fn fingerprint(tensors: &[(String, Vec<usize>)]) -> String {
        let line = |(name, shape): &(String, Vec<usize>)| {
            let dims: Vec<_> = shape.iter().map(ToString::to_string).collect();
            format!("{name}\t{}\n", dims.join("x"))
        };
        let mut lines: Vec<String> = tensors.iter().map(line).collect();
        lines.sort();
        crate::weights::sha256(lines.concat().as_bytes())
    }

    /// Tensors, values and [`fingerprint`] of what inference needs of the released checkpoints.
    const FACE_FACTS: (usize, usize, &str) = (
        1_029,
        307_404_158,
        "2c9d041a445e2a014cb04c5958f0f1fb6391961ceffab4e4c065917cf5cf3968",
    );
    const CARS_FACTS: (usize, usize, &str) = (
        985,
        276_368_787,
        "88921ad8d67abbfb7a0513d68981f9cc0cae89d6cb5bf68a88453cadb333a6b8",
    );

    #[test]
    fn the_module_tree_has_the_released_names_and_shapes() {
        for (config, expected) in [
            (ModelConfig::face(), FACE_FACTS),
            (ModelConfig::cars(), CARS_FACTS),
        ] {
            let tensors = tensor_shapes(&config);
            let sizes = tensors
                .iter()
                .map(|(_, shape)| shape.iter().product::<usize>());
            let facts = (tensors.len(), sizes.sum(), fingerprint(&tensors));
            assert_eq!((facts.0, facts.1, facts.2.as_str()), expected);
        }
    }

    #[test]
    fn optional_parts_bring_their_tensors() {
        let count = |config: &ModelConfig| tensor_shapes(config).len();
        let face = ModelConfig::face();
        let sampling = ModelConfig {
            mapping_layers: 8,
            ..face.clone()
        };
        assert_eq!(count(&sampling), count(&face) + 2 * 8);
        let editing = ModelConfig {
            editor: Some(EditorSizes {
                width: 40,
                plan: 24,
                fold: 2,
                detail: 0,
                covering: 0,
            }),
            ..face.clone()
        };
        assert_eq!(count(&editing), count(&face) + 9);
        let detailed = ModelConfig {
            editor: Some(EditorSizes {
                width: 40,
                plan: 3,
                fold: 16,
                detail: 8,
                covering: 4,
            }),
            ..face.clone()
        };
        assert_eq!(count(&detailed), count(&editing) + 4 + 5);
        let plan = ("feature_editor.plan.weight".to_owned(), vec![40, 96, 3, 3]);
        assert!(tensor_shapes(&editing).contains(&plan));
    }

    #[test]
    fn modulations_follow_the_style_order() {
        let found = modulations(&ModelConfig::face());
        let conv = |index: usize| match index {
            0 => "decoder.conv1.conv.modulation.weight".to_owned(),
            _ => format!("decoder.convs.{}.conv.modulation.weight", index - 1),
        };
        let expected: Vec<_> = (0..17).map(|index| (index, conv(index))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn tensors_that_do_not_fit_are_named() {
        let config = ModelConfig::cars();
        let tensor = |name: &str, shape: &[usize]| weights::Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: vec![0.0; shape.iter().product()],
        };
        let refusal = |loader: Loader, tensors| match loader.load(tensors) {
            Ok(_) => panic!("must be refused"),
            Err(error) => error,
        };
        let average = || tensor("latent_avg", &[16, 512]);
        let error = refusal(loader(&config), vec![tensor("latent_average", &[16, 512])]);
        assert_eq!(error, LoadError::Unknown("latent_average".into()));
        let error = refusal(loader(&config), vec![tensor("latent_avg", &[18, 512])]);
        assert!(matches!(error, LoadError::Shape { name, .. } if name == "latent_avg"));
        let once = loader(&config).load(vec![average()]).unwrap();
        let error = refusal(once, vec![average()]);
        assert_eq!(error, LoadError::Duplicate("latent_avg".into()));
        let once = loader(&config).load(vec![average()]).unwrap();
        let Err(LoadError::Missing(names)) = once.finish() else {
            panic!("must be incomplete");
        };
        assert!(names.contains(&"SAF.att.1.weight".to_owned()));
        assert!(!names.contains(&"latent_avg".to_owned()));
    }
}
