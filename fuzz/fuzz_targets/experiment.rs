#![no_main]

use cd_eval::Experiment;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(experiment) = Experiment::parse(text, "fuzzed", &[]) {
        let written = experiment.to_toml();
        let again =
            Experiment::parse(&written, "written", &[]).expect("what is written can be read");
        assert_eq!(again.to_toml(), written);
    }
});
