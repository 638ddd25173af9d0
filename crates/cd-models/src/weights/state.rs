//! Parameters by PyTorch name.

use std::collections::BTreeMap;

use cd_core::Key;

/// Values of one parameter, in PyTorch's layout.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// Extents by parameter name.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

/// Whether values of one shape are those of the other as they stand: extents of 1 at the end say nothing.
pub(crate) fn same_values(one: &[usize], other: &[usize]) -> bool {
    let filled = |shape: &[usize]| {
        let last = shape.iter().rposition(|&extent| extent != 1);
        last.map_or(0, |last| last + 1)
    };
    one[..filled(one)] == other[..filled(other)]
}

/// Parameters and BatchNorm statistics by the names that PyTorch's `state_dict()` uses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateDict(BTreeMap<String, NamedTensor>);

impl StateDict {
    /// The same values under other names.
    #[must_use]
    pub fn renamed(self, name_of: impl Fn(&str) -> String) -> Self {
        let renamed = self.0.into_iter();
        Self(
            renamed
                .map(|(name, tensor)| (name_of(&name), tensor))
                .collect(),
        )
    }

    /// Names and shapes.
    pub(crate) fn shapes(&self) -> Shapes {
        let shapes = self.iter();
        shapes
            .map(|(name, tensor)| (name.to_owned(), tensor.shape.clone()))
            .collect()
    }

    /// Adds or replaces a parameter.
    pub fn insert(&mut self, name: String, tensor: NamedTensor) {
        self.0.insert(name, tensor);
    }

    /// The parameter `name`.
    pub fn get(&self, name: &str) -> Option<&NamedTensor> {
        self.0.get(name)
    }

    /// Shape of the parameter `name`.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// Names and values in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &NamedTensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of values of all parameters together, BatchNorm statistics included.
    pub fn value_count(&self) -> usize {
        self.0.values().map(|tensor| tensor.values.len()).sum()
    }

    /// The first parameter that holds a NaN or infinite value.
    pub fn first_non_finite(&self) -> Option<&str> {
        self.iter()
            .find(|(_, tensor)| tensor.values.iter().any(|value| !value.is_finite()))
            .map(|(name, _)| name)
    }

    /// The first running variance of a BatchNorm that holds a negative value.
    pub fn first_negative_variance(&self) -> Option<&str> {
        self.iter()
            .filter(|(name, _)| name.ends_with("running_var"))
            .find(|(_, tensor)| tensor.values.iter().any(|&value| value < 0.0))
            .map(|(name, _)| name)
    }

    /// A hash of names, extents and bytes of all values: 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        let key = self.iter().fold(Key::of("state 1"), |key, (name, tensor)| {
            let values = tensor.values.iter();
            let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
            key.with(name, &tensor.shape).bytes("values", &bytes)
        });
        key.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str, shape: &[usize], values: &[f32]) -> StateDict {
        let mut state = StateDict::default();
        let tensor = NamedTensor {
            shape: shape.to_vec(),
            values: values.to_vec(),
        };
        state.insert(name.to_owned(), tensor);
        state
    }

    #[test]
    fn extents_of_1_at_the_end_say_nothing() {
        assert!(same_values(&[4, 3, 1, 1], &[4, 3]));
        assert!(same_values(&[4], &[4, 1, 1]));
        assert!(same_values(&[1], &[]));
        assert!(!same_values(&[1, 4], &[4]));
        assert!(!same_values(&[4, 3], &[3, 4]));
    }

    #[test]
    fn fingerprints_see_names_shapes_and_values() {
        let first = state("a", &[2], &[0.0, 1.0]).fingerprint();
        assert_eq!(first, state("a", &[2], &[0.0, 1.0]).fingerprint());
        for other in [
            state("b", &[2], &[0.0, 1.0]),
            state("a", &[2, 1], &[0.0, 1.0]),
            state("a", &[2], &[-0.0, 1.0]),
        ] {
            assert_ne!(first, other.fingerprint());
        }
    }
}
