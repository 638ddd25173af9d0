use super::*;
use crate::store::{StageName, Store};
use cd_core::NoProgress;

fn experiment(rate: &str, detectors: &str) -> Experiment {
    let text = format!(
        "name = \"x\"\n[dataset]\nname = \"demo\"\n[poison]\nrate = {rate}\nattack = {{ name = \"badnets\" }}\n\
         [model]\nname = \"resnet10\"\n[detect]\ndetectors = [{detectors}]\n"
    );
    Experiment::parse(&text, "test", &[]).expect("valid")
}

const ONE: &str = "{ name = \"cd-l\" }";

#[test]
fn another_experiment_or_device_is_refused() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let open = |rate, device| RunDir::open(scratch.path(), &experiment(rate, ONE), device);
    open("0.1", "cpu").expect("new");
    open("0.1", "cpu").expect("continues");
    let device = open("0.1", "cuda").expect_err("other device").to_string();
    assert!(device.contains("--device cpu"), "{device}");
    let other = open("0.2", "cpu").expect_err("other settings").to_string();
    assert!(other.contains("other settings"), "{other}");
}

#[test]
fn detectors_may_be_added_but_not_changed_or_taken_away() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let open = |detectors: &str| {
        RunDir::open(scratch.path(), &experiment("0.1", detectors), "cpu")
            .map(|run| run.existing_text())
    };
    open(ONE).expect("new");
    let both = open("{ name = \"cd-f\" }, { name = \"cd-l\" }").expect("one more");
    assert!(both.contains("cd-f"));
    assert!(open(ONE).is_err());
    assert!(open("{ name = \"cd-f\" }, { name = \"cd-l\", steps = 3 }").is_err());
}

impl RunDir {
    fn existing_text(&self) -> String {
        Self::existing(&self.path).expect("a run").1
    }
}

#[test]
fn a_run_of_the_former_layout_is_answered_with_one_line() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let run = RunDir::open(scratch.path(), &experiment("0.1", ONE), "cpu").expect("new");
    let mut meta = run.meta().expect("written");
    meta.schema_version = 1;
    run.write_json(Path::new(META), &meta).expect("written");
    for error in [
        RunDir::open(scratch.path(), &experiment("0.1", ONE), "cpu").expect_err("former"),
        RunDir::existing(scratch.path()).expect_err("former"),
    ] {
        let message = error.to_string();
        assert!(
            message.contains("layout 1") && !message.contains('\n'),
            "{message}"
        );
    }
}

#[test]
fn files_of_a_stage_are_shown_and_its_key_is_kept() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let store = Store::open(&scratch.path().join("store")).expect("a store");
    let slot = store.slot(StageName::Train, "abc");
    let fill = |folder: &Path| -> Result<(), StoreError> {
        fs::write(folder.join("small"), "text").expect("written");
        fs::write(folder.join("large"), vec![7; 2 << 20]).expect("written");
        Ok(())
    };
    slot.fill("it", &NoProgress, fill).expect("done");
    let run = RunDir::open(&scratch.path().join("r"), &experiment("0.1", ONE), "cpu");
    let run = run.expect("new");
    run.refer("train", &slot).expect("noted");
    for _ in 0..2 {
        run.publish("train", &slot, &["small", "large", "absent"])
            .expect("shown");
    }
    assert_eq!(
        fs::read(run.join("train/large")).expect("there").len(),
        2 << 20
    );
    // People may edit what they are shown.
    fs::write(run.join("train/small"), "mine").expect("written");
    assert_eq!(
        fs::read_to_string(slot.join("small")).expect("there"),
        "text"
    );
    let runs = stages::runs_below(scratch.path()).expect("listed");
    assert_eq!(runs.len(), 1);
    let kept = stages::referred(runs.iter().map(|(_, stages)| stages));
    assert!(kept.contains(&(StageName::Train, "abc".to_owned())));
}
