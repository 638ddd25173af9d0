//! Sets of each kind of labels.

use super::*;

fn classes() -> Vec<String> {
    vec!["a".into(), "b".into()]
}

#[test]
fn subset_keeps_pixels_labels_and_names_together() {
    let mut set = ImageSet::new(1, 1, classes());
    set.push("x".into(), &[1, 2, 3], 0).expect("fits");
    set.push("y".into(), &[4, 5, 6], 1).expect("fits");
    let subset = set.subset(&[1, 0, 1]);
    let read = |index| subset.pixels(index).expect("in memory").to_vec();
    assert_eq!(
        [read(0), read(1), read(2)],
        [[4, 5, 6], [1, 2, 3], [4, 5, 6]]
    );
    assert_eq!(subset.labels(), &[1, 0, 1]);
    assert_eq!(subset.names(), &["y", "x", "y"]);
    assert_eq!(subset.class_counts(), [1, 2]);
}

#[test]
fn new_pixels_leave_copies_alone() {
    let mut set = ImageSet::new(1, 1, classes());
    set.push("x".into(), &[1, 2, 3], 0).expect("fits");
    let copy = set.clone();
    set.set_pixels(0, &[7, 8, 9]).expect("fits");
    assert_eq!(*set.pixels(0).expect("in memory"), [7, 8, 9]);
    assert_eq!(*copy.pixels(0).expect("in memory"), [1, 2, 3]);
    assert!(set.set_pixels(0, &[7]).is_err());
}

#[test]
fn attributes_and_unlabelled_images_keep_their_kind() {
    let mut faces = ImageSet::with_attributes(1, 1, vec!["hat".into(), "smile".into()]);
    for (name, present) in [("x", [true, false]), ("y", [false, true])] {
        let pushed = faces.push_attributes(name.into(), &[0; 3], &present);
        pushed.expect("two attributes");
    }
    let Labels::Attributes(attributes) = faces.subset(&[1]).labels else {
        panic!("attributes stay attributes");
    };
    assert_eq!(attributes.of(0), [false, true]);
    assert!(faces.labels().is_empty());
    let error = faces.push("z".into(), &[0; 3], 0).expect_err("a class");
    assert!(error.to_string().contains("2 attributes each"), "{error}");
    assert_eq!(faces.len(), 2);
    let error = faces.set_label(0, 0).expect_err("no classes");
    assert!(error.to_string().contains("another kind"), "{error}");
}

#[test]
fn misfits_are_named() {
    let mut set = ImageSet::new(1, 1, classes());
    let wrong_size = set.push("x".into(), &[1], 0).expect_err("one byte");
    assert!(
        wrong_size
            .to_string()
            .contains("`x` has 1 bytes, expected 3")
    );
    let wrong_label = set.push("x".into(), &[1, 2, 3], 2).expect_err("label 2");
    assert!(wrong_label.to_string().contains("label 2"));
    assert!(set.is_empty());
}

#[test]
fn attributes_can_be_given_later() {
    let mut set = ImageSet::new(1, 1, vec!["a".into()]);
    for name in ["x", "y"] {
        set.push(name.into(), &[0; 3], 0).expect("fits");
    }
    let rows = [[true, false], [false, false]];
    let names = vec!["tall".into(), "red".into()];
    let some = set
        .clone()
        .with_attributes_of(names.clone(), |index| &rows[index]);
    let some = some.expect("two values each");
    let Labels::Attributes(attributes) = some.annotations() else {
        panic!("attributes")
    };
    assert_eq!(
        (attributes.of(0), some.class_names()),
        (&rows[0][..], &names[..])
    );
    assert!(set.with_attributes_of(names, |_| &[true]).is_err());
}
