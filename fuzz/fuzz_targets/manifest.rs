#![no_main]

use cd_data::Manifest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(manifest) = Manifest::from_json(text) {
        let again = Manifest::from_json(&manifest.to_json());
        assert_eq!(again.expect("what is written can be read"), manifest);
    }
});
