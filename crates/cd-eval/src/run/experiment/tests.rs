use super::*;

const TEXT: &str = r#"
name = "small"
[dataset]
name = "demo"
train = 100
[poison]
rate = 0.1
attack = { name = "badnets" }
[model]
name = "resnet10"
width = 8
"#;

fn parse(text: &str, overrides: &[&str]) -> Result<Experiment, String> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Experiment::parse(text, "exp.toml", &overrides).map_err(|error| error.to_string())
}

#[test]
fn the_resolved_text_reads_back_as_the_same_experiment() {
    let experiment = parse(TEXT, &[]).expect("valid");
    assert_eq!(parse(&experiment.to_toml(), &[]), Ok(experiment));
}

#[test]
fn overrides_are_typed_against_the_schema() {
    let changed = parse(TEXT, &["poison.rate=0.05", "train.epochs=3"]).expect("valid");
    assert_eq!(changed.poison.expect("kept").rate.to_string(), "0.05");
    assert_eq!(changed.train.epochs, 3);
    let first = parse(TEXT, &["detect.detectors.0.steps=7"]).expect("valid");
    assert!(first.to_toml().contains("steps = 7"));
    let wrong = parse(TEXT, &["train.epochs=many"]).expect_err("text for a number");
    assert!(wrong.contains("`train.epochs=many`: "), "{wrong}");
    let unknown = parse(TEXT, &["train.epoch=3"]).expect_err("unknown key");
    assert!(unknown.contains("did you mean `epochs`"), "{unknown}");
    assert!(parse(TEXT, &["nonsense"]).is_err());
    assert!(
        parse(TEXT, &["nowhere.x=1"])
            .expect_err("no table")
            .contains("`nowhere`")
    );
}

#[test]
fn a_sample_of_poisoned_images_fits_into_the_sample() {
    let set = |text: &str| format!("detect.{text}");
    let (ten, five) = (set("sample_poisoned=10"), set("sample=5"));
    assert!(parse(TEXT, &[&ten, &set("sample=20")]).is_ok());
    for overrides in [vec![ten.as_str()], vec![&ten, &five]] {
        let error = parse(TEXT, &overrides).expect_err("too few");
        assert!(error.contains("at least as many"), "{error}");
    }
}

#[test]
fn slips_are_named_with_line_and_nearest_name() {
    let key = parse(&TEXT.replace("rate", "rte"), &[]).expect_err("unknown key");
    assert!(
        key.contains("exp.toml") && key.contains("did you mean `rate`"),
        "{key}"
    );
    let attack = parse(&TEXT.replace("badnets", "badnet"), &[]).expect_err("unknown attack");
    assert!(attack.contains("did you mean `badnets`"), "{attack}");
    let kind = parse(&TEXT.replace("train = 100", "train = \"x\""), &[]).expect_err("type");
    assert!(kind.contains("line"), "{kind}");
    let model = parse(&TEXT.replace("resnet10", "resnet11"), &[]).expect_err("model");
    assert!(model.contains("did you mean `resnet10`"), "{model}");
    let table = parse(TEXT, &["posion.rate=0.2"]).expect_err("unknown table");
    assert!(table.contains("did you mean `poison`"), "{table}");
    let name = parse(&TEXT.replace("small", "../x"), &[]).expect_err("folder name");
    assert!(name.contains("becomes a folder"), "{name}");
}

#[test]
fn the_hash_ignores_name_and_seed_alone() {
    let base = parse(TEXT, &[]).expect("valid");
    let renamed = parse(TEXT, &["name=\"other\"", "seed=5"]).expect("valid");
    assert_eq!(base.hash(), renamed.hash());
    let changed = parse(TEXT, &["poison.rate=0.2"]).expect("valid");
    assert_ne!(base.hash(), changed.hash());
    assert_eq!(renamed.seeded().train.seed, base.train.seed + 5);
}
