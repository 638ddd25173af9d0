//! Noise: of the sensor, of few photons, of dead pixels.

use rand::Rng;
use rand::RngCore;

use super::picture::{Picture, normal};

/// Normal, independent of the light.
pub(super) fn gaussian(picture: &Picture, severity: usize, drawn: &mut dyn RngCore) -> Picture {
    let deviation = [0.08, 0.12, 0.18, 0.26, 0.38][severity];
    picture.map(|value| value + deviation * normal(drawn))
}

/// As many photons as come by chance.
pub(super) fn shot(picture: &Picture, severity: usize, drawn: &mut dyn RngCore) -> Picture {
    let photons = [60.0, 25.0, 12.0, 5.0, 3.0][severity];
    picture.map(|value| poisson(value * photons, drawn) / photons)
}

/// Values that are black or white.
pub(super) fn impulse(picture: &Picture, severity: usize, drawn: &mut dyn RngCore) -> Picture {
    let share = [0.03, 0.06, 0.09, 0.17, 0.27][severity];
    picture.map(|value| {
        let (hit, white) = (drawn.random::<f64>() < share, drawn.random::<bool>());
        if hit {
            f64::from(u8::from(white))
        } else {
            value
        }
    })
}

/// A number of the Poisson distribution, for means up to some hundreds.
fn poisson(mean: f64, drawn: &mut dyn RngCore) -> f64 {
    let border = (-mean).exp();
    let (mut count, mut product) = (0.0, drawn.random::<f64>());
    while product > border {
        count += 1.0;
        product *= drawn.random::<f64>();
    }
    count
}
