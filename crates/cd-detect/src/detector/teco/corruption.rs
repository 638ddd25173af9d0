//! The corruptions, of five severities each.
//!
//! Hendrycks, Dietterich: *Benchmarking Neural Network Robustness to Common Corruptions and Perturbations*, ICLR 2019: the same kinds
//! and settings, which were made for pictures of 224 pixels.

use rand::RngCore;

use super::picture::Picture;
use super::{blur, digital, jpeg, noise, weather};

/// Severities of each corruption.
pub(super) const SEVERITIES: usize = 5;

/// Makes a corrupted copy: of the picture, the severity from 0, and what is drawn.
pub(super) type Corrupt = fn(&Picture, usize, &mut dyn RngCore) -> Picture;

/// By name.
pub(super) const CORRUPTIONS: [(&str, Corrupt); 14] = [
    ("gaussian noise", noise::gaussian),
    ("shot noise", noise::shot),
    ("impulse noise", noise::impulse),
    ("defocus blur", blur::defocus),
    ("glass blur", blur::glass),
    ("motion blur", blur::motion),
    ("zoom blur", blur::zoom),
    ("snow", weather::snow),
    ("fog", weather::fog),
    ("brightness", weather::brightness),
    ("contrast", digital::contrast),
    ("elastic transform", digital::elastic),
    ("pixelate", digital::pixelate),
    ("jpeg compression", jpeg::compressed),
];
