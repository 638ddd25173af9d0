#![no_main]

use std::io::Write;

use cd_core::random::stream;
use cd_data::attack::BlendConfig;
use cd_data::{Attack, Batch, Role};

// The file of a pattern, in whatever format its first bytes tell: picture, npy, npz, safetensors, PyTorch.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary folder");
    file.write_all(bytes).expect("room in the temporary folder");
    let attack = BlendConfig {
        pattern: Some(file.path().to_owned()),
        ..BlendConfig::default()
    };
    let Ok(trigger) = attack.load("unused".as_ref()) else {
        return;
    };
    let mut batch = Batch::new(8, 8);
    let image = [100; 8 * 8 * 3];
    batch.push(&image, 0, 0, stream(0, 0)).expect("one image");
    drop(trigger.apply(&mut batch, Role::Train));
});
