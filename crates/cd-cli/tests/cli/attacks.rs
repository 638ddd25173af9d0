//! `attacks`: making poisoned data, showing what a trigger does, and what is refused.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use cd_data::{ATTACKS, Manifest};

use crate::common::{fail_with, run, stderr, succeed};

/// A folder of 40 drawn signs with classes, as `images`.
fn signs() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("temporary folder");
    succeed(
        scratch.path(),
        "data export --set train=60 --set test=20 --out images",
    );
    scratch
}

/// The rows of `files.csv`: file, then the other columns.
fn files(out: &Path) -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(out.join("files.csv")).expect("is there");
    let rows = text.lines().skip(1).map(|line| {
        let mut columns = line
            .split(',')
            .map(|column| column.trim_matches('"').to_owned());
        (columns.next().expect("a file"), columns.collect())
    });
    rows.collect()
}

#[test]
fn poisoned_copies_have_neutral_names_and_the_truth_beside_them() {
    let scratch = signs();
    let here = scratch.path();
    let classes = fs::read_dir(here.join("images/train")).expect("classes");
    let mut classes: Vec<_> = classes.flatten().map(|entry| entry.file_name()).collect();
    classes.sort();
    let second = classes[1].to_str().expect("a name");
    let output = run(
        here,
        &format!(
            "attacks make blend --images images --out out --rate 0.2 --target {second} --seed 3"
        ),
    );
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("12 of 60 training pictures") && said.contains("20.00 % of the set"),
        "{said}"
    );
    assert!(said.contains("12 pictures to stamp, 80 to write"), "{said}");
    let out = here.join("out");
    let rows = files(&out);
    assert_eq!(rows.len(), 80);
    let names: HashSet<&str> = rows
        .keys()
        .filter_map(|file| file.strip_prefix("train/")?.split('/').next_back())
        .collect();
    assert_eq!(names.len(), 60);
    assert!(
        names.iter().all(|name| name.len() == 9),
        "numbers of five digits: {names:?}"
    );
    let numbered = rows
        .iter()
        .filter(|(file, row)| file.ends_with(&format!("{:0>5}.png", row[0])));
    assert!(
        numbered.count() < 20,
        "numbers do not follow the order of the pictures"
    );
    let poisoned = rows.iter().filter(|(_, row)| row[3] == "train");
    assert_eq!(poisoned.clone().count(), 12);
    for (file, row) in poisoned {
        assert_eq!(row[2], "1", "the new label of {file}");
    }
    let manifest = Manifest::read(&out.join("manifest-train.json")).expect("reads");
    assert_eq!((manifest.entries().len(), manifest.image_count()), (12, 60));
    fail_with(
        here,
        "attacks make blend --images images --out out",
        &["exists already"],
    );
}

#[test]
fn clean_label_prints_both_rates_and_too_much_is_refused() {
    let scratch = signs();
    let here = scratch.path();
    let make = "attacks make sig --images images --out out --dry-run";
    let output = run(here, &format!("{make} --class-rate 0.5"));
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("% of the set") && said.contains("50.00 % of class 0"),
        "{said}"
    );
    assert!(!here.join("out/images").exists());
    fail_with(
        here,
        &format!("{make} --rate 0.9"),
        &["54 poisoned", "at most 80 %"],
    );
    fail_with(here, &format!("{make} --rate 0.001"), &["raise `rate`"]);
    fail_with(
        here,
        "attacks make badnets --images images --out out --class-rate 0.5",
        &["class_rate"],
    );
}

#[test]
fn added_pictures_are_shuffled_among_the_others() {
    let scratch = signs();
    let here = scratch.path();
    succeed(
        here,
        "attacks make badnets --images images --out out --rate 0.2 --append",
    );
    let rows = files(&here.join("out"));
    let train: Vec<(&String, &Vec<String>)> = rows
        .iter()
        .filter(|(file, _)| file.starts_with("train"))
        .collect();
    assert_eq!(train.len(), 72);
    let mut numbers: Vec<usize> = train
        .iter()
        .filter(|(_, row)| row[3] == "train")
        .map(|(file, _)| {
            let name = file.rsplit('/').next().expect("a name");
            name.trim_end_matches(".png").parse().expect("a number")
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers.len(), 12);
    assert!(numbers[0] < 36, "not all at the end: {numbers:?}");
}

#[test]
fn a_made_trigger_is_stored_and_found_again() {
    let scratch = signs();
    let here = scratch.path();
    let small = "--set size=3 --set images=4 --set iterations=3 --set surrogate.model.name=resnet10 \
        --set surrogate.model.width=2 --set surrogate.epochs=1";
    let make = |out: &str| {
        run(
            here,
            &format!("attacks make trojan --images images --out {out} {small} --store store"),
        )
    };
    let first = make("one");
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(
        stderr(&first).contains("to make the trigger"),
        "{}",
        stderr(&first)
    );
    let stored = || {
        fs::read_dir(here.join("store/craft"))
            .expect("is there")
            .count()
    };
    assert_eq!(stored(), 1);
    assert!(make("two").status.success());
    assert_eq!(stored(), 1);
    let pictures = |out: &str| {
        let rows = files(&here.join(out));
        let bytes = rows
            .keys()
            .map(|file| fs::read(here.join(out).join("images").join(file)));
        bytes.collect::<Result<Vec<_>, _>>().expect("readable")
    };
    assert!(pictures("one") == pictures("two"));
}

#[test]
fn a_trained_trigger_says_what_it_reached_also_when_it_was_stored() {
    let scratch = signs();
    let here = scratch.path();
    let small = "--set bits=2 --set width=2 --set steps=2 --set batch_size=4 --store store";
    for out in ["one", "two"] {
        let make = format!("attacks make issba --images images --out {out} {small}");
        let output = run(here, &make);
        let said = stderr(&output);
        assert!(output.status.success(), "{said}");
        assert!(
            said.contains("the trigger reached: bits recovered"),
            "{said}"
        );
        let plot = fs::read_to_string(here.join(out).join("craft.svg")).expect("is there");
        assert!(plot.contains("loss"), "{plot}");
    }
    let record = |out: &str| fs::read(here.join(out).join("craft.json")).expect("is there");
    assert!(record("one") == record("two"));
    fail_with(
        here,
        "attacks make issba --images images --out three --set train_images=missing.npy",
        &["missing.npy"],
    );
}

#[test]
fn attacks_are_listed_and_shown_with_a_sheet() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    assert_eq!(succeed(here, "attacks list"), succeed(here, "attacks"));
    let shown = succeed(here, "attacks show wanet --sheet sheet.png");
    for part in ["threat model", "how ours differs", "field_seed", "0 to 1"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let sheet = image::open(here.join("sheet.png")).expect("a picture");
    assert!(sheet.width() > sheet.height());
}

#[test]
fn bad_files_and_options_get_one_error() {
    let scratch = signs();
    let here = scratch.path();
    fs::create_dir(here.join("empty")).expect("creates");
    fs::write(here.join("bad.npy"), b"\x93NUMPY\x01\x00\xff\xff{").expect("writes");
    cd_core::npy::save(&here.join("grid.npy"), &[1, 5, 5, 2], &[0.0_f32; 50]).expect("writes");
    let make = "--images images --out out";
    for (attack, parts) in [
        (
            "refool --set reflections=empty",
            &["empty", "no picture"][..],
        ),
        ("refool --set reflections=missing", &["missing"]),
        ("lf --set pattern=bad.npy", &["bad.npy", "header"]),
        ("wanet --set grid=grid.npy", &["grid.npy", "[1, 5, 5, 2]"]),
        ("blend --set alpha=2", &["`alpha`"]),
        ("blend --set alhpa=0.1", &["did you mean `alpha`"]),
        ("blendd", &["did you mean `blend`"]),
        (
            "badnets --source 99",
            &["`99` is neither the name of a class"],
        ),
        (
            "badnets --target stopp",
            &["`stopp`", "did you mean `stop`"],
        ),
        ("badnets --indices missing.txt", &["missing.txt"]),
    ] {
        fail_with(here, &format!("attacks make {attack} {make}"), parts);
    }
}

#[test]
fn results_never_lie_among_the_pictures() {
    let scratch = signs();
    let here = scratch.path();
    for command in [
        "attacks make badnets --images images --out images/poisoned",
        "attacks show blend --images images --sheet images/s.png",
        "data export --dataset folder --path images --out images",
        "poison --dataset folder --path images --out images/po",
        "features --images images --weights w.safetensors --out images/g.npz",
    ] {
        fail_with(here, command, &["lies in the folder of the pictures"]);
    }
    let left = fs::read_dir(here.join("images")).expect("lists").count();
    assert_eq!(left, 2);
    fail_with(
        here,
        "attacks show blend --sheet s.jpg",
        &["the ending .png"],
    );
}

#[test]
fn an_interrupted_call_is_repeated_by_the_same_command() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    let commands = [
        "attacks make badnets --dataset-set train=40 --dataset-set test=20 --out out",
        "poison --set train=40 --set test=0 --out out",
        "attacks make badnets --role test --dataset-set train=40 --dataset-set test=20 --out out",
    ];
    for command in commands {
        let left = [
            "out/images/train.tmp-abcdefghijkl/images/x",
            "out/images/test.tmp-abcdefghijkl",
            "out/images.tmp-abcdefghijkl",
            "out/.stamped.tmp-abcdefghijkl",
        ];
        for folder in left {
            fs::create_dir_all(here.join(folder)).expect("made");
        }
        succeed(here, command);
        assert!(
            left.iter().all(|folder| !here.join(folder).exists()),
            "{command}"
        );
        let has_tests = here.join("out/manifest-test.json").exists();
        assert_eq!(has_tests, command == commands[0], "{command}");
        fail_with(here, command, &["exists already"]);
        fs::remove_dir_all(here.join("out/images")).expect("removed");
    }
    fs::create_dir_all(here.join("export/train.tmp-abcdefghijkl")).expect("made");
    succeed(
        here,
        "data export --set train=40 --set test=20 --out export",
    );
    let parts = fs::read_dir(here.join("export")).expect("lists").count();
    assert_eq!(parts, 2);
}

#[test]
fn options_of_attacks_that_would_change_nothing_are_refused() {
    let scratch = signs();
    let here = scratch.path();
    fs::write(here.join("list"), "1\n2").expect("writes");
    let images = "--images images --out out";
    for (arguments, option) in [
        ("--dataset demo --size 16 --out out".to_owned(), "--size"),
        (format!("--indices list --rate 0.2 {images}"), "--rate"),
        (
            format!("--indices list --class-rate 0.2 {images}"),
            "--class-rate",
        ),
        (format!("--class-rate 0.2 --rate 0.2 {images}"), "--rate"),
        (format!("--role test --rate 0.2 {images}"), "--rate"),
        (
            format!("--role test --labels all-to-all {images}"),
            "--labels",
        ),
        (format!("--role test --append {images}"), "--append"),
        (format!("--role test --fewer {images}"), "--fewer"),
        (format!("--role test --source stop {images}"), "--source"),
    ] {
        let refused = format!("{option} changes nothing here");
        fail_with(
            here,
            &format!("attacks make badnets {arguments}"),
            &[&refused],
        );
    }
    fail_with(
        here,
        "features --dataset demo --orientation apply --weights w.safetensors --out f.npz",
        &["--orientation changes nothing here"],
    );
    fail_with(
        here,
        &format!("attacks make badnets --source stop --target stop {images}"),
        &["name a source that is not the target"],
    );
}

#[test]
fn paths_with_odd_letters_are_data_sets() {
    let scratch = signs();
    let here = scratch.path();
    for odd in ["e\u{301}", "zero\u{200b}width", "quo'te\"s", "back\\slash"] {
        fs::create_dir(here.join(odd)).expect("made");
        fs::rename(here.join("images"), here.join(odd).join("images")).expect("moved");
        succeed(
            here,
            &format!("data export --dataset folder --path {odd}/images --out {odd}/copy"),
        );
        fs::rename(here.join(odd).join("images"), here.join("images")).expect("moved");
    }
}

#[test]
fn the_page_on_attacks_is_current() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = scratch.path();
    succeed(here, "attacks docs --out docs");
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut folders = folders.map(|folder| folder.join("docs"));
    let kept = folders.find(|folder| folder.join("attacks.md").is_file());
    let kept = kept.expect("the page is part of the repository");
    let page = |folder: &Path| fs::read_to_string(folder.join("attacks.md")).expect("readable");
    assert!(
        page(&kept) == page(&here.join("docs")),
        "run `cargo run -- attacks docs`"
    );
    for info in ATTACKS {
        // What a trained network draws differs between machines in single levels.
        if ["cl", "dfst", "dynamic", "issba", "lira", "trojan"].contains(&info.name) {
            continue;
        }
        let name = format!("attacks/{}.png", info.name);
        let picture = |folder: &Path| {
            image::open(folder.join(&name))
                .expect("a picture")
                .into_rgb8()
        };
        assert!(
            picture(&kept) == picture(&here.join("docs")),
            "{name}: run `cargo run -- attacks docs`"
        );
    }
}

#[test]
fn every_option_of_every_attack_is_described() {
    for info in ATTACKS {
        let keys = cd_eval::settings::keys::<cd_data::AttackConfig>(info.name);
        let described: Vec<&str> = info.options.iter().map(|option| option.name).collect();
        assert_eq!(keys, described, "{}", info.name);
    }
}

/// Number of a written picture in its split.
fn number(file: &str) -> usize {
    let name = file.rsplit('/').next().expect("a name");
    name.trim_end_matches(".png").parse().expect("a number")
}

#[test]
fn no_writer_tells_a_poisoned_picture_by_its_place_or_container() {
    let scratch = signs();
    let here = scratch.path();
    for command in [
        "poison --set train=60 --set test=20 --attack badnets-appended --rate 0.2 --target 1 --out out",
        "poison --set train=60 --set test=20 --attack blend --rate 0.2 --target 1 --out out",
        "attacks make badnets-appended --images images --rate 0.2 --target 1 --out out",
        "attacks make blend --images images --rate 0.2 --target 1 --append --out out",
    ] {
        let out = here.join("out");
        let _ = fs::remove_dir_all(&out);
        succeed(here, command);
        let rows = files(&out);
        let train: Vec<_> = rows
            .iter()
            .filter(|(file, _)| file.starts_with("train/"))
            .collect();
        let places = |of: &dyn Fn(&str) -> bool| -> Vec<f64> {
            let found = train.iter().filter(|(_, row)| of(&row[3]));
            found
                .map(|(file, _)| number(file) as f64 / train.len() as f64)
                .collect()
        };
        let mean = |places: &[f64]| places.iter().sum::<f64>() / places.len() as f64;
        let poisoned = places(&|role| role == "train");
        assert_eq!(poisoned.len(), 12, "{command}");
        let gap = (mean(&poisoned) - mean(&places(&|role| role == "clean"))).abs();
        assert!(gap < 0.25, "{command}: places differ by {gap}");
        let headers: HashSet<Vec<u8>> = train
            .iter()
            .map(|(file, _)| {
                let bytes = fs::read(out.join("images").join(file)).expect("is there");
                // Signature and header chunk: size, depth, colours, interlacing.
                bytes[..33].to_vec()
            })
            .collect();
        assert_eq!(headers.len(), 1, "{command}: one kind of container");
    }
}
