//! The residual networks of the registry.

use crate::net::Net;
use crate::registry::{Architecture, Family, Output, Taps, any_size, dialect, golden, map};

use super::{ResNetConfig, Stem};

pub(in crate::net) const PAPER: &str =
    "He et al., Deep Residual Learning for Image Recognition, CVPR 2016";

static SMALL: Family = Family {
    title: "ResNet, 32-pixel form",
    paper: PAPER,
    names: "the reference's, or torchvision's (`fc`, `downsample`)",
    input: any_size(32, 1),
    default_width: 64,
    small_width: 8,
    stem: "conv1.weight",
    output: Output::Classes("linear.weight"),
    aliases: &[("fc", "linear"), ("downsample", "shortcut")],
    dialects: &[],
    published: None,
};

static LARGE: Family = Family {
    title: "ResNet, 224-pixel form",
    paper: PAPER,
    names: "torchvision's and timm's, Hugging Face's (`resnet.embedder.embedder.convolution`), or the reference's (`linear`, `shortcut`)",
    input: any_size(224, 1),
    default_width: 64,
    small_width: 8,
    stem: "conv1.weight",
    output: Output::Classes("fc.weight"),
    aliases: &[("linear", "fc"), ("shortcut", "downsample")],
    dialects: dialect::RESNET,
    published: None,
};

static BASIC_TAPS: Taps = Taps {
    stages: &[map(64, 1), map(128, 2), map(256, 4), map(512, 8)],
    deep: map(512, 8),
    penultimate: 512,
};

static BOTTLENECK_TAPS: Taps = Taps {
    stages: &[map(256, 1), map(512, 2), map(1024, 4), map(2048, 8)],
    deep: map(2048, 8),
    penultimate: 2048,
};

pub(in crate::net) static LARGE_BASIC_TAPS: Taps = Taps {
    stages: &[map(64, 4), map(128, 8), map(256, 16), map(512, 32)],
    deep: map(512, 32),
    penultimate: 512,
};

static LARGE_BOTTLENECK_TAPS: Taps = Taps {
    stages: &[map(256, 4), map(512, 8), map(1024, 16), map(2048, 32)],
    deep: map(2048, 32),
    penultimate: 2048,
};

/// Builder of a ResNet.
macro_rules! resnet {
    ($stem:ident, $bottleneck:literal, $blocks:expr) => {
        |width, classes, device| {
            let config = ResNetConfig {
                blocks: $blocks,
                bottleneck: $bottleneck,
                stem: Stem::$stem,
                width,
                classes,
            };
            Net::ResNet(config.init(device))
        }
    };
}

/// The ResNet family in the registry.
pub(crate) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "resnet10",
        title: "ResNet-10",
        summary: "one basic block per stage: the small sibling for demos and tests",
        family: &SMALL,
        parameters: 4_903_242,
        taps: &BASIC_TAPS,
        golden: None,
        build: resnet!(Small, false, [1, 1, 1, 1]),
    },
    Architecture {
        name: "resnet18",
        title: "ResNet-18",
        summary: "two basic blocks per stage: the paper's main classifier",
        family: &SMALL,
        parameters: 11_173_962,
        taps: &BASIC_TAPS,
        golden: Some(golden(3.0e-7, 4.5e-7)),
        build: resnet!(Small, false, [2, 2, 2, 2]),
    },
    Architecture {
        name: "resnet34",
        title: "ResNet-34",
        summary: "3, 4, 6, 3 basic blocks",
        family: &SMALL,
        parameters: 21_282_122,
        taps: &BASIC_TAPS,
        golden: None,
        build: resnet!(Small, false, [3, 4, 6, 3]),
    },
    Architecture {
        name: "resnet50",
        title: "ResNet-50",
        summary: "3, 4, 6, 3 bottleneck blocks",
        family: &SMALL,
        parameters: 23_520_842,
        taps: &BOTTLENECK_TAPS,
        golden: None,
        build: resnet!(Small, true, [3, 4, 6, 3]),
    },
    Architecture {
        name: "resnet101",
        title: "ResNet-101",
        summary: "3, 4, 23, 3 bottleneck blocks",
        family: &SMALL,
        parameters: 42_512_970,
        taps: &BOTTLENECK_TAPS,
        golden: None,
        build: resnet!(Small, true, [3, 4, 23, 3]),
    },
    Architecture {
        name: "resnet152",
        title: "ResNet-152",
        summary: "3, 8, 36, 3 bottleneck blocks",
        family: &SMALL,
        parameters: 58_156_618,
        taps: &BOTTLENECK_TAPS,
        golden: None,
        build: resnet!(Small, true, [3, 8, 36, 3]),
    },
    Architecture {
        name: "imagenet_resnet18",
        title: "ResNet-18 (ImageNet)",
        summary: "two basic blocks per stage: the paper's ImageNet classifier",
        family: &LARGE,
        parameters: 11_181_642,
        taps: &LARGE_BASIC_TAPS,
        golden: Some(golden(4.8e-7, 3.6e-7)),
        build: resnet!(Large, false, [2, 2, 2, 2]),
    },
    Architecture {
        name: "imagenet_resnet34",
        title: "ResNet-34 (ImageNet)",
        summary: "3, 4, 6, 3 basic blocks",
        family: &LARGE,
        parameters: 21_289_802,
        taps: &LARGE_BASIC_TAPS,
        golden: None,
        build: resnet!(Large, false, [3, 4, 6, 3]),
    },
    Architecture {
        name: "imagenet_resnet50",
        title: "ResNet-50 (ImageNet)",
        summary: "3, 4, 6, 3 bottleneck blocks",
        family: &LARGE,
        parameters: 23_528_522,
        taps: &LARGE_BOTTLENECK_TAPS,
        golden: None,
        build: resnet!(Large, true, [3, 4, 6, 3]),
    },
];
