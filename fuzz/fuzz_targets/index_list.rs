#![no_main]

use cd_data::poison::parse_index_list;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = parse_index_list(bytes) {
        let written: Vec<String> = list.iter().map(ToString::to_string).collect();
        let again = parse_index_list(written.join("\n").as_bytes());
        assert_eq!(again.expect("what is written can be read"), list);
    }
});
