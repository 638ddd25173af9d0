//! Damaged manifests by the thousand.

use crate::testing::{mutations, striped_set};
use crate::{AttackConfig, LabelMap, Manifest, PoisonConfig, Split, poison};

#[test]
fn damaged_manifests_never_panic() {
    let config = PoisonConfig {
        rate: 0.5,
        target: 1,
        labels: LabelMap::AllToAll { shift: 1 },
        seed: 3,
        ..PoisonConfig::of(AttackConfig::from_name("badnets").expect("registered"))
    };
    let split = Split {
        name: "striped".into(),
        train: striped_set(6, 8, 3),
        test: None,
        not_read: crate::NotRead::default(),
    };
    let (_, truth) = poison(&split, &config).expect("fits");
    let good = serde_json::to_vec(truth.train()).expect("a manifest");
    let survivors = mutations(&[good], |bytes| {
        let manifest = str::from_utf8(bytes).map(Manifest::from_json);
        manifest.is_ok_and(|manifest| manifest.is_ok_and(|manifest| !manifest.entries().is_empty()))
    });
    assert!(survivors > 0.001, "{survivors}");
}
