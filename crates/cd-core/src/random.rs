//! Random numbers as a function of a seed and of what they are for.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The generator of `seed` for one purpose: streams of different numbers are independent.
pub fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    random
}

/// A stream number for a purpose given by name (FNV-1a, 64 bits).
pub fn named(purpose: &str) -> u64 {
    purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn streams_differ_by_seed_and_purpose() {
        let draw = |seed, purpose| stream(seed, named(purpose)).random::<u64>();
        assert_eq!(draw(1, "sample"), draw(1, "sample"));
        assert_ne!(draw(1, "sample"), draw(2, "sample"));
        assert_ne!(draw(1, "sample"), draw(1, "trusted"));
    }
}
