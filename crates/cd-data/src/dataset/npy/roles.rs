//! Which arrays are pictures and which are labels, and of which part, by their names.

use super::arrays::Array;

/// Words for pictures.
const IMAGES: [&str; 9] = [
    "x", "image", "images", "img", "imgs", "data", "picture", "pictures", "inputs",
];
/// Words for labels.
const LABELS: [&str; 9] = [
    "y", "label", "labels", "target", "targets", "class", "classes", "cls", "lbls",
];

/// Names that the user chose.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    pub(super) images: Option<&'a str>,
    pub(super) labels: Option<&'a str>,
    pub(super) test_images: Option<&'a str>,
    pub(super) test_labels: Option<&'a str>,
}

/// Positions of the arrays of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) images: usize,
    pub(super) labels: Option<usize>,
}

/// Positions of the arrays that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Roles {
    pub(super) train: Pair,
    pub(super) test: Option<Pair>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Test,
    Validation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Images,
    Labels,
}

/// What is meant by the names of `arrays`.
pub(super) fn of(arrays: &[Array], wanted: Wanted<'_>) -> Result<Roles, String> {
    if let Some(images) = wanted.images {
        let place = |name: Option<&str>| name.map(|name| named(arrays, name)).transpose();
        let images = named(arrays, images)?;
        let labels = place(wanted.labels)?;
        let train = Pair { images, labels };
        let test = match (place(wanted.test_images)?, place(wanted.test_labels)?) {
            (Some(images), labels) => Some(Pair { images, labels }),
            (None, _) => None,
        };
        return Ok(Roles { train, test });
    }
    let told: Vec<Option<(Part, Role)>> = arrays.iter().map(|array| told(&array.name)).collect();
    if !told.iter().flatten().any(|(_, role)| *role == Role::Images) {
        return by_shape(arrays);
    }
    let pair = |part| pair(arrays, &told, part);
    let train = pair(Part::Train)?.ok_or_else(|| unclear(arrays, "no array is for training"))?;
    let test = match pair(Part::Test)? {
        Some(test) => Some(test),
        None => pair(Part::Validation)?,
    };
    Ok(Roles { train, test })
}

fn named(arrays: &[Array], name: &str) -> Result<usize, String> {
    let found = arrays.iter().position(|array| array.name == name);
    found.ok_or_else(|| unclear(arrays, &format!("there is no array `{name}`")))
}

/// The arrays of one part; none when it has no pictures.
fn pair(
    arrays: &[Array],
    told: &[Option<(Part, Role)>],
    part: Part,
) -> Result<Option<Pair>, String> {
    let of = |role| -> Vec<usize> {
        (0..told.len())
            .filter(|&at| told[at] == Some((part, role)))
            .collect()
    };
    let (images, labels) = (of(Role::Images), of(Role::Labels));
    match (&images[..], &labels[..]) {
        ([], _) => Ok(None),
        (&[images], []) => Ok(Some(Pair {
            images,
            labels: None,
        })),
        (&[images], &[labels]) => Ok(Some(Pair {
            images,
            labels: Some(labels),
        })),
        _ => Err(unclear(
            arrays,
            "several arrays are named like pictures or labels of one part",
        )),
    }
}

/// Arrays without telling names, such as `arr_0` and `arr_1`: those with three or four axes are pictures, each with the next of the others.
fn by_shape(arrays: &[Array]) -> Result<Roles, String> {
    let (images, labels): (Vec<usize>, Vec<usize>) =
        (0..arrays.len()).partition(|&at| matches!(arrays[at].header.shape.len(), 3 | 4));
    let pair = |number: usize| Pair {
        images: images[number],
        labels: labels.get(number).copied(),
    };
    match (images.len(), labels.len()) {
        (1, 0 | 1) => Ok(Roles {
            train: pair(0),
            test: None,
        }),
        (2, 0 | 2) => Ok(Roles {
            train: pair(0),
            test: Some(pair(1)),
        }),
        _ => Err(unclear(
            arrays,
            "names do not tell which arrays are pictures and which are labels",
        )),
    }
}

fn unclear(arrays: &[Array], problem: &str) -> String {
    let all: Vec<String> = arrays
        .iter()
        .map(|array| format!("`{}` {:?}", array.name, array.header.shape))
        .collect();
    format!(
        "{problem}; choose with `images` and `labels`, and `test_images` and `test_labels` where there are any, from: {}",
        all.join(", ")
    )
}

/// What a name says; the words nearest to its end count.
fn told(name: &str) -> Option<(Part, Role)> {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    // `Xtrain` and `ytest` are two words.
    let halves = words
        .iter()
        .flat_map(|word| match word.strip_prefix(['x', 'y']) {
            Some(rest) if part(rest).is_some() => vec![&word[..1], rest],
            _ => vec![*word],
        });
    let words: Vec<&str> = halves.collect();
    let role = words.iter().rev().find_map(|word| role(word))?;
    let part = words.iter().rev().find_map(|word| part(word));
    Some((part.unwrap_or(Part::Train), role))
}

fn part(word: &str) -> Option<Part> {
    match word {
        "train" | "training" | "tr" => Some(Part::Train),
        "test" | "testing" | "te" => Some(Part::Test),
        "val" | "valid" | "validation" | "dev" => Some(Part::Validation),
        _ => None,
    }
}

fn role(word: &str) -> Option<Role> {
    if IMAGES.contains(&word) {
        return Some(Role::Images);
    }
    LABELS.contains(&word).then_some(Role::Labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_part_and_role() {
        for (name, expected) in [
            ("x", Some((Part::Train, Role::Images))),
            ("y_test", Some((Part::Test, Role::Labels))),
            ("test_images", Some((Part::Test, Role::Images))),
            ("Xtrain", Some((Part::Train, Role::Images))),
            ("val/labels", Some((Part::Validation, Role::Labels))),
            ("train/data", Some((Part::Train, Role::Images))),
            ("arr_0", None),
            ("extra", None),
            ("train", None),
        ] {
            assert_eq!(told(name), expected, "{name}");
        }
    }
}
