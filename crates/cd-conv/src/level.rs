//! The instruction set that the kernels use: the best of the machine, or the one that was asked for.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use pulp::{Simd, WithSimd};

/// Environment variable that names a level.
pub const LEVEL_VARIABLE: &str = "CD_CPU_LEVEL";

/// An instruction set, from the plainest to the widest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Whatever every machine of this kind has.
    Scalar,
    /// x86: 4 values in a register, products and sums apart (SSE 4.2).
    Sse,
    /// ARM: 4 values in a register.
    Neon,
    /// x86: 8 values in a register, fused multiply-add (AVX2 and FMA).
    Avx2,
    /// x86: 16 values in a register, twice as many registers (AVX-512 F, CD, BW, DQ and VL).
    Avx512,
}

/// A level that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LevelError {
    /// No level has this name.
    Unknown(String),
    /// The machine lacks it.
    Missing(Level),
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Level::available().into_iter().map(Level::name).collect();
        let names = names.join(", ");
        match self {
            Self::Unknown(name) => {
                write!(f, "no instruction set `{name}`; this machine has: {names}")
            }
            Self::Missing(level) => write!(
                f,
                "this machine lacks the instruction set `{level}`; it has: {names}"
            ),
        }
    }
}

impl std::error::Error for LevelError {}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = LevelError;

    /// A level by its name, which the machine may lack.
    fn from_str(name: &str) -> Result<Self, LevelError> {
        let known = Self::ALL.into_iter().find(|level| level.name() == name);
        known.ok_or_else(|| LevelError::Unknown(name.to_owned()))
    }
}

impl Level {
    /// All levels, the plainest first.
    pub const ALL: [Self; 5] = [
        Self::Scalar,
        Self::Sse,
        Self::Neon,
        Self::Avx2,
        Self::Avx512,
    ];

    /// `avx512`, `avx2`, `neon`, `sse` or `scalar`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Sse => "sse",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The levels of this machine, the widest first.
    pub fn available() -> Vec<Self> {
        let mut levels = Self::ALL.to_vec();
        levels.retain(|level| level.is_available());
        levels.reverse();
        levels
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        self.run(Reached) == self
    }

    /// The widest level of this machine.
    pub fn best() -> Self {
        Self::Avx512.run(Reached)
    }

    /// The level that [`LEVEL_VARIABLE`] names, if it is set.
    ///
    /// # Errors
    ///
    /// When it names no level of this machine.
    pub fn from_environment() -> Result<Option<Self>, LevelError> {
        match std::env::var(LEVEL_VARIABLE) {
            Ok(name) if !name.is_empty() => name.parse::<Self>()?.checked().map(Some),
            _ => Ok(None),
        }
    }

    fn checked(self) -> Result<Self, LevelError> {
        let available = self.is_available();
        available.then_some(self).ok_or(LevelError::Missing(self))
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|&level| level as u8 + 1 == number)
    }

    /// Runs `work` with the vectors of this level, or of the widest below it that the machine has.
    ///
    /// A closure is compiled for the level only where the compiler takes all of it in, which it does with short ones. Anything else is a
    /// type whose `with_simd` is `#[inline(always)]`, and so is every function that it calls.
    #[inline(always)]
    pub(crate) fn run<W: WithSimd>(self, work: W) -> W::Output {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            use pulp::x86::{V2, V3, V4};
            if self >= Self::Avx512
                && let Some(simd) = V4::try_new()
            {
                return Simd::vectorize(simd, work);
            }
            if self >= Self::Avx2
                && let Some(simd) = V3::try_new()
            {
                return Simd::vectorize(simd, work);
            }
            if self >= Self::Sse
                && let Some(simd) = V2::try_new()
            {
                return Simd::vectorize(simd, work);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if self >= Self::Neon
            && let Some(simd) = pulp::aarch64::Neon::try_new()
        {
            return Simd::vectorize(simd, work);
        }
        pulp::Scalar.vectorize(work)
    }
}

/// Loops over plain slices that the compiler turns into vectors of the level that [`vectorized`] runs them at.
///
/// [`run`](Self::run) must be `#[inline(always)]`, and so must every function that it calls inside of a loop.
pub trait Loops {
    /// What comes out.
    type Output;

    /// Does the work.
    fn run(self) -> Self::Output;
}

/// Runs `loops` with the vectors of [`level`]. Products and sums stay apart, so that every level gives the same bits.
pub fn vectorized<L: Loops>(loops: L) -> L::Output {
    level().run(Compiled(loops))
}

struct Compiled<L>(L);

impl<L: Loops> WithSimd for Compiled<L> {
    type Output = L::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> L::Output {
        self.0.run()
    }
}

/// The level whose vectors it is handed.
struct Reached;

impl WithSimd for Reached {
    type Output = Level;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Level {
        match S::F32_LANES {
            16 => Level::Avx512,
            8 => Level::Avx2,
            4 if cfg!(target_arch = "aarch64") => Level::Neon,
            4 => Level::Sse,
            _ => Level::Scalar,
        }
    }
}

/// The number of the level that was set, plus 1; 0 as long as none was.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// Has all kernels of this process use `level` from their next call on.
///
/// # Errors
///
/// When the machine lacks it.
pub fn set_level(level: Level) -> Result<(), LevelError> {
    let level = level.checked()?;
    CHOSEN.store(level as u8 + 1, Ordering::Relaxed);
    Ok(())
}

/// The level that the kernels use: what [`set_level`] said last, or else what [`LEVEL_VARIABLE`] said when a kernel was first
/// used, or else the best of the machine. The variable counts as not set when it names no level of the machine; a program that
/// wants to refuse it asks [`Level::from_environment`].
pub fn level() -> Level {
    static DEFAULT: OnceLock<Level> = OnceLock::new();
    #[cfg(test)]
    if let Some(level) = tests::OF_THREAD.get() {
        return level;
    }
    let chosen = Level::from_number(CHOSEN.load(Ordering::Relaxed));
    chosen.unwrap_or_else(|| {
        *DEFAULT.get_or_init(|| {
            let named = Level::from_environment().ok().flatten();
            named.unwrap_or_else(Level::best)
        })
    })
}

/// `a * b + c`, fused where the machine has an instruction for it.
#[inline(always)]
pub(crate) fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    // The SSE vectors would call a function for every lane.
    if S::F32_LANES == 4 && cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
        return simd.add_f32s(simd.mul_f32s(a, b), c);
    }
    simd.mul_add_e_f32s(a, b, c)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// What kernels use that this thread calls, so that tests side by side do not disturb each other.
        pub(super) static OF_THREAD: Cell<Option<Level>> = const { Cell::new(None) };
    }

    /// Runs `check` at every level of the machine.
    pub(crate) fn at_every_level(mut check: impl FnMut(Level)) {
        for level in Level::available() {
            OF_THREAD.set(Some(level));
            check(level);
        }
        OF_THREAD.set(None);
    }

    #[test]
    fn every_name_is_read_back() {
        for level in Level::ALL {
            assert_eq!(level.name().parse(), Ok(level));
        }
        let error = "mmx".parse::<Level>().expect_err("no such level");
        assert!(error.to_string().contains("`mmx`"), "{error}");
        assert!(error.to_string().contains("scalar"), "{error}");
    }

    #[test]
    fn levels_of_the_machine_are_reached_and_others_refused() {
        let available = Level::available();
        assert_eq!(available.first(), Some(&Level::best()));
        assert_eq!(available.last(), Some(&Level::Scalar));
        for level in Level::ALL {
            let reached = level.run(Reached);
            assert!(reached <= level);
            assert_eq!(reached == level, available.contains(&level));
            let missing = (!available.contains(&level)).then_some(LevelError::Missing(level));
            assert_eq!(level.checked().err(), missing);
        }
    }

    #[test]
    fn kernels_use_what_was_set() {
        at_every_level(|expected| {
            assert_eq!(level(), expected);
            assert_eq!(level().run(Reached), expected);
        });
    }
}
