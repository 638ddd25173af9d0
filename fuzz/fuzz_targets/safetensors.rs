#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut head = [None; 9];
    head[8] = Some(b'{');
    cd_fuzz::read_weights(&head, bytes);
});
