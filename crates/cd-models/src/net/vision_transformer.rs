//! Vision transformers: ViT-B/16 as in torchvision, and smaller ones of the same form.
//!
//! Dosovitskiy et al.: *An Image is Worth 16x16 Words*, ICLR 2021. Parameter names follow torchvision
//! (`class_token`, `conv_proj`, `encoder.pos_embedding`, `encoder.layers.encoder_layer_0.ln_1`, ...,
//! `heads.head`). Attention heads are 64 channels wide, as in all published forms.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::input_size::InputSize;
use crate::registry::{Architecture, Family, Output, Taps, dialect, map};

use super::conv::Conv;
use super::curve::gelu;
use super::fold::fold_conv;
use super::{Net, Network};

/// Channels of one attention head.
const HEAD: usize = 64;

/// Encoder layers of every form here.
pub(super) const LAYERS: usize = 12;

/// Shape of a vision transformer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisionTransformerConfig {
    /// Pixels a side of the images.
    pub side: usize,
    /// Pixels a side of a patch; divides `side`.
    pub patch: usize,
    /// Channels of a token: a multiple of 64, or less than 64 for a single narrow head.
    pub width: usize,
    /// Classes of the head.
    pub classes: usize,
}

impl VisionTransformerConfig {
    /// Builds the network with Burn's default initial values.
    pub fn init(&self, device: &Device) -> VisionTransformer {
        let width = self.width;
        let tokens = (self.side / self.patch).pow(2) + 1;
        let patches = Conv2dConfig::new([3, width], [self.patch; 2]).with_stride([self.patch; 2]);
        VisionTransformer {
            class_token: Initializer::Zeros.init([1, 1, width], device),
            conv_proj: Conv::new(patches, device),
            encoder: Encoder {
                pos_embedding: Initializer::Zeros.init([1, tokens, width], device),
                layers: (0..LAYERS)
                    .map(|_| EncoderLayer::new(width, device))
                    .collect(),
                ln: layer_norm(width, device),
            },
            heads: LinearConfig::new(width, self.classes).init(device),
        }
    }
}

fn layer_norm(width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).with_epsilon(1e-6).init(device)
}

/// A vision transformer.
#[derive(Module, Debug)]
pub struct VisionTransformer {
    class_token: Param<Tensor<3>>,
    conv_proj: Conv,
    encoder: Encoder,
    heads: Linear,
}

impl VisionTransformer {
    /// Tokens after the first `layers` encoder layers, the class token first.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, 1 + h w, F]`
    fn tokens(&self, images: Tensor<4>, layers: usize) -> Tensor<3> {
        let [batch, ..] = images.dims();
        let patches = self.conv_proj.forward(images).flatten::<3>(2, 3);
        let class = self.class_token.val().expand([batch as i64, -1, -1]);
        let tokens = Tensor::cat(vec![class, patches.swap_dims(1, 2)], 1);
        let tokens = tokens + self.encoder.pos_embedding.val();
        let layers = self.encoder.layers.iter().take(layers);
        layers.fold(tokens, |x, layer| layer.forward(x))
    }

    fn normalized(&self, images: Tensor<4>) -> Tensor<3> {
        self.encoder.ln.forward(self.tokens(images, LAYERS))
    }
}

impl Network for VisionTransformer {
    /// Class scores.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` of the configured size
    /// - output: `[B, K]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.heads.forward(self.penultimate(images))
    }

    fn stages(&self) -> usize {
        LAYERS
    }

    /// Patch tokens behind encoder layer `number`, laid out as a map.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = width, one pixel per patch
    fn stage(&self, images: Tensor<4>, number: usize) -> Tensor<4> {
        patch_map(self.tokens(images, number))
    }

    /// Patch tokens behind the last normalisation, laid out as a map.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]`
    /// - output: `[B, F, h, w]`; `F` = width, one pixel per patch
    fn deep(&self, images: Tensor<4>) -> Tensor<4> {
        patch_map(self.normalized(images))
    }

    /// The class token.
    fn penultimate(&self, images: Tensor<4>) -> Tensor<2> {
        self.normalized(images).narrow(1, 0, 1).squeeze_dim(1)
    }

    fn public_name(&self, name: String) -> String {
        name.replace("encoder.layers.", "encoder.layers.encoder_layer_")
            .replace("in_proj.", "in_proj_")
            .replace("mlp.first.", "mlp.0.")
            .replace("mlp.second.", "mlp.3.")
            .replace("heads.", "heads.head.")
    }

    /// There is no BatchNorm here.
    fn fold(&mut self) {
        fold_conv(&mut self.conv_proj, None);
    }
}

fn patch_map(tokens: Tensor<3>) -> Tensor<4> {
    let [batch, count, width] = tokens.dims();
    let side = (count - 1).isqrt();
    let patches = tokens.narrow(1, 1, count - 1).swap_dims(1, 2);
    patches.reshape([batch, width, side, side])
}

#[derive(Module, Debug)]
struct Encoder {
    pos_embedding: Param<Tensor<3>>,
    layers: Vec<EncoderLayer>,
    ln: LayerNorm,
}

#[derive(Module, Debug)]
struct EncoderLayer {
    ln_1: LayerNorm,
    self_attention: SelfAttention,
    ln_2: LayerNorm,
    mlp: Perceptron,
}

impl EncoderLayer {
    fn new(width: usize, device: &Device) -> Self {
        Self {
            ln_1: layer_norm(width, device),
            self_attention: SelfAttention {
                in_proj: LinearConfig::new(width, 3 * width).init(device),
                out_proj: LinearConfig::new(width, width).init(device),
            },
            ln_2: layer_norm(width, device),
            mlp: Perceptron {
                first: LinearConfig::new(width, 4 * width).init(device),
                second: LinearConfig::new(4 * width, width).init(device),
            },
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let attended = self.self_attention.forward(self.ln_1.forward(x.clone()));
        let x = x + attended;
        let inner = gelu(self.mlp.first.forward(self.ln_2.forward(x.clone())));
        x + self.mlp.second.forward(inner)
    }
}

#[derive(Module, Debug)]
struct SelfAttention {
    in_proj: Linear,
    out_proj: Linear,
}

impl SelfAttention {
    /// # Shapes
    ///
    /// - `x`, output: `[B, N, F]`
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, count, width] = x.dims();
        let heads = (width / HEAD).max(1);
        let head = width / heads;
        let projected = self.in_proj.forward(x);
        let [query, key, value] = [0, 1, 2].map(|part| {
            projected
                .clone()
                .narrow(2, part * width, width)
                .reshape([batch, count, heads, head])
                .swap_dims(1, 2)
        });
        let scores = query.matmul(key.swap_dims(2, 3)) / (head as f32).sqrt();
        let mixed = softmax(scores, 3).matmul(value);
        let joined = mixed.swap_dims(1, 2).reshape([batch, count, width]);
        self.out_proj.forward(joined)
    }
}

#[derive(Module, Debug)]
struct Perceptron {
    first: Linear,
    second: Linear,
}

// Registry.

const PAPER: &str = "Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021";

/// Of older torchvision checkpoints.
const ALIASES: &[(&str, &str)] = &[("linear_1", "0"), ("linear_2", "3")];

const fn family(input: usize, default_width: usize) -> Family {
    Family {
        title: "Vision transformer",
        paper: PAPER,
        names: "torchvision's, timm's (`blocks.0.attn.qkv`) or Hugging Face's (`vit.encoder.layer.0.attention.attention.query`)",
        input: InputSize::Exactly(input),
        default_width,
        small_width: 16,
        stem: "conv_proj.weight",
        output: Output::Classes("heads.head.weight"),
        aliases: ALIASES,
        dialects: dialect::VISION_TRANSFORMER,
        published: None,
    }
}

static BASE: Family = family(224, 768);
static TINY: Family = family(224, 192);
static TINY_32: Family = family(32, 192);

static BASE_TAPS: Taps = Taps {
    stages: &[map(768, 16); 12],
    deep: map(768, 16),
    penultimate: 768,
};

static TINY_TAPS: Taps = Taps {
    stages: &[map(192, 16); 12],
    deep: map(192, 16),
    penultimate: 192,
};

static TINY_32_TAPS: Taps = Taps {
    stages: &[map(192, 4); 12],
    deep: map(192, 4),
    penultimate: 192,
};

/// Builder of a vision transformer.
macro_rules! vit {
    ($side:literal, $patch:literal) => {
        |width, classes, device| {
            let config = VisionTransformerConfig {
                side: $side,
                patch: $patch,
                width,
                classes,
            };
            Net::VisionTransformer(config.init(device))
        }
    };
}

/// Vision transformers in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "vit_b16",
        title: "ViT-B/16",
        summary: "12 encoder layers of 768 channels over patches of 16 pixels",
        family: &BASE,
        parameters: 85_806_346,
        taps: &BASE_TAPS,
        golden: None,
        build: vit!(224, 16),
    },
    Architecture {
        name: "vit_tiny",
        title: "ViT-Tiny/16",
        summary: "12 encoder layers of 192 channels over patches of 16 pixels",
        family: &TINY,
        parameters: 5_526_346,
        taps: &TINY_TAPS,
        golden: None,
        build: vit!(224, 16),
    },
    Architecture {
        name: "vit_tiny_32",
        title: "ViT-Tiny/4 (32 pixels)",
        summary: "12 encoder layers of 192 channels over patches of 4 pixels, for 32-pixel images",
        family: &TINY_32,
        parameters: 5_362_762,
        taps: &TINY_32_TAPS,
        golden: None,
        build: vit!(32, 4),
    },
];
