//! Names that other libraries give to the parameters of a family.
//!
//! A dialect is here only where its networks compute what ours do, so names are known that also have other settings in their
//! library (timm's EfficientNet and MobileNetV3 come with two paddings and two constants of BatchNorm) are not.

mod convnext;
mod mobilenet;
mod resnet;
mod vgg;
mod vision_transformer;

pub(crate) use convnext::CONVNEXT;
pub(crate) use mobilenet::MOBILENET_V2;
pub(crate) use resnet::RESNET;
pub(crate) use vgg::VGG;
pub(crate) use vision_transformer::VISION_TRANSFORMER;

/// Names that another library gives to the parameters of a family.
#[derive(Debug)]
pub struct Dialect {
    /// Whose they are, for people.
    pub of: &'static str,
    /// The first layer in it.
    pub(crate) stem: &'static str,
    /// The head in it.
    pub(crate) head: &'static str,
    /// What stands under a name; `None` for names that are not of the dialect.
    pub(crate) place: fn(&str) -> Option<Place>,
}

/// Where a parameter of a dialect goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Under our name.
    At(String),
    /// Under our name, as a matrix: all extents but the first are one.
    Rows(String),
    /// Below each other with other parts, under our name.
    Part {
        name: String,
        part: usize,
        parts: usize,
    },
}

impl Place {
    /// Our name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::At(name) | Self::Rows(name) | Self::Part { name, .. } => name,
        }
    }
}

fn at(name: &str) -> Option<Place> {
    Some(Place::At(name.to_owned()))
}
