#![no_main]

// A bare pickle where the input begins like one, else an archive.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if bytes.first() == Some(&0x80) {
        cd_fuzz::read_weights(&[], bytes);
    } else {
        cd_fuzz::read_weights(&b"PK".map(Some), bytes);
    }
});
