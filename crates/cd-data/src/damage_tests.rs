//! Damaged manifests and label tables by the thousand.

use std::fs;

use cd_core::NoProgress;
use tempfile::tempdir;

use crate::testing::{mutations, striped_set};
use crate::{
    AttackConfig, FolderConfig, LabelMap, Manifest, PoisonConfig, Split, dataset::Dataset, poison,
};

#[test]
fn damaged_manifests_never_panic() {
    let config = PoisonConfig {
        attack: AttackConfig::from_name("badnets").expect("registered"),
        rate: 0.5,
        target: 1,
        labels: LabelMap::AllToAll { shift: 1 },
        seed: 3,
    };
    let split = Split {
        name: "striped".into(),
        train: striped_set(6, 8, 3),
        test: None,
        not_read: crate::NotRead::default(),
    };
    let (_, truth) = poison(&split, &config).expect("fits");
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("train.json");
    let good = serde_json::to_vec(truth.train()).expect("a manifest");
    let survivors = mutations(&[good], |bytes| {
        fs::write(&path, bytes).expect("writes");
        Manifest::read(&path).is_ok_and(|manifest| manifest.is_poisoned().len() < 1 << 20)
    });
    assert!(survivors > 0.001, "{survivors}");
}

#[test]
fn damaged_label_tables_never_panic() {
    let folder = tempdir().expect("scratch");
    let config = FolderConfig::new(folder.path());
    let good = b"file,label\na.png,cat\n\"deep/b, c.png\",dog\na.png,cat\n".to_vec();
    let windows = b"sep=;\r\nlabel;file\r\n1;deep\\b.png\r\n2;a.png\r\n".to_vec();
    let survivors = mutations(&[good, windows], |bytes| {
        fs::write(folder.path().join("labels.csv"), bytes).expect("writes");
        config.pictures().is_ok()
    });
    assert!(survivors > 0.01, "{survivors}");
    assert!(
        config.load(&crate::LoadContext::new(&NoProgress)).is_err(),
        "no pictures"
    );
}
