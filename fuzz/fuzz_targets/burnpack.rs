#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cd_fuzz::read_weights(&b"NRUB".map(Some), bytes);
});
