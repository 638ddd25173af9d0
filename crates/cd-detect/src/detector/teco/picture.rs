//! Pictures of real numbers, and what corruptions have in common.

use cd_core::CHANNELS;

/// Values from 0 to 1 in one or more channels, `[H, W, C]`.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) values: Vec<f64>,
}

impl Picture {
    /// Bytes `[H, W, 3]`.
    pub(super) fn of(pixels: &[u8], height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            channels: CHANNELS,
            values: pixels.iter().map(|&byte| f64::from(byte) / 255.0).collect(),
        }
    }

    /// A picture of this size whose values are those of `value(y, x, channel)`.
    pub(super) fn from_fn(
        [height, width, channels]: [usize; 3],
        mut value: impl FnMut(usize, usize, usize) -> f64,
    ) -> Self {
        let mut values = Vec::with_capacity(height * width * channels);
        for y in 0..height {
            for x in 0..width {
                values.extend((0..channels).map(|channel| value(y, x, channel)));
            }
        }
        Self {
            height,
            width,
            channels,
            values,
        }
    }

    /// Height, width and channels.
    pub(super) fn dims(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    pub(super) fn at(&self, y: usize, x: usize, channel: usize) -> f64 {
        self.values[(y * self.width + x) * self.channels + channel]
    }

    /// The value at the nearest place inside.
    pub(super) fn near(&self, y: i64, x: i64, channel: usize) -> f64 {
        let y = y.clamp(0, self.height as i64 - 1) as usize;
        self.at(y, x.clamp(0, self.width as i64 - 1) as usize, channel)
    }

    /// The value between four neighbours; places outside are the nearest inside.
    pub(super) fn between(&self, y: f64, x: f64, channel: usize) -> f64 {
        let (top, left) = (y.floor(), x.floor());
        let (down, right) = (y - top, x - left);
        let (top, left) = (top as i64, left as i64);
        let row = |y| {
            self.near(y, left, channel) * (1.0 - right) + self.near(y, left + 1, channel) * right
        };
        row(top) * (1.0 - down) + row(top + 1) * down
    }

    pub(super) fn map(&self, mut change: impl FnMut(f64) -> f64) -> Self {
        Self {
            values: self.values.iter().map(|&value| change(value)).collect(),
            ..*self
        }
    }

    /// Bytes, cut off and not rounded.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let byte = |value: &f64| (value.clamp(0.0, 1.0) * 255.0 + 1e-9) as u8;
        self.values.iter().map(byte).collect()
    }

    /// Blurred along both sides by a normal distribution, which is cut off `reach` deviations out; the border goes on as it is.
    pub(super) fn blurred(&self, deviation: f64, reach: f64) -> Self {
        let most = (reach * deviation + 0.5) as i64;
        let weight = |at: i64| (-0.5 * (at as f64 / deviation).powi(2)).exp();
        let whole: f64 = (-most..=most).map(weight).sum();
        let across = Self::from_fn(self.dims(), |y, x, channel| {
            let sum =
                (-most..=most).map(|at| weight(at) * self.near(y as i64, x as i64 + at, channel));
            sum.sum::<f64>() / whole
        });
        Self::from_fn(self.dims(), |y, x, channel| {
            let sum =
                (-most..=most).map(|at| weight(at) * across.near(y as i64 + at, x as i64, channel));
            sum.sum::<f64>() / whole
        })
    }

    /// The middle part enlarged by `factor`, linear between pixels whose outer ones stay outermost.
    pub(super) fn zoomed(&self, factor: f64) -> Self {
        let part = |side: usize| ((side as f64 / factor).ceil() as usize).max(1);
        let (height, width) = (part(self.height), part(self.width));
        let (top, left) = ((self.height - height) / 2, (self.width - width) / 2);
        let out = |side: usize| (side as f64 * factor).round() as usize;
        let step = |from: usize, to: usize| {
            if to > 1 {
                (from - 1) as f64 / (to - 1) as f64
            } else {
                0.0
            }
        };
        let (down, right) = (step(height, out(height)), step(width, out(width)));
        Self::from_fn([out(height), out(width), self.channels], |y, x, channel| {
            let y = top as f64 + (y as f64 * down).min((height - 1) as f64);
            let x = left as f64 + (x as f64 * right).min((width - 1) as f64);
            self.between(y, x, channel)
        })
    }
}

/// A number of the normal distribution with mean 0 and deviation 1.
pub(super) fn normal(drawn: &mut dyn rand::RngCore) -> f64 {
    use rand::Rng;
    let radius = (-2.0 * (1.0 - drawn.random::<f64>()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * drawn.random::<f64>()).cos()
}
