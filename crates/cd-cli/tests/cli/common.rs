//! What the tests of the binary share.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The binary under test.
pub(crate) fn cd_cli() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cd-cli"));
    command
        .env_remove("CD_DEVICE")
        .env_remove("CD_LOG")
        .env("NO_COLOR", "1");
    command
}

/// Runs the binary in `folder` with arguments separated by blanks.
pub(crate) fn run(folder: &Path, arguments: &str) -> Output {
    cd_cli()
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("the binary starts")
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs and demands success.
pub(crate) fn succeed(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    assert!(
        output.status.success(),
        "`{arguments}` failed: {}",
        stderr(&output)
    );
    stdout(&output)
}

/// Runs and demands exit code 2 and one message on stderr that holds every one of `parts`.
pub(crate) fn fail_with(folder: &Path, arguments: &str, parts: &[&str]) {
    let output = run(folder, arguments);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "`{arguments}`: {message}");
    assert!(output.stdout.is_empty(), "`{arguments}` wrote to stdout");
    assert_eq!(
        message.matches("error: ").count(),
        1,
        "`{arguments}`: {message}"
    );
    assert!(!message.contains("panicked"), "`{arguments}`: {message}");
    for part in parts {
        assert!(
            message.contains(part),
            "`{arguments}` lacks `{part}`: {message}"
        );
    }
}

/// A tiny experiment: a few seconds from data to report.
pub(crate) const TINY: &str = r#"
name = "tiny"
[dataset]
name = "demo"
train = 60
test = 30
[poison]
rate = 0.2
attack = { name = "badnets" }
[model]
name = "resnet10"
width = 4
[train]
epochs = 3
batch_size = 20
learning_rate = 0.05
schedule = { name = "constant" }
record_losses = 3
[detect]
sample = 40
batch_size = 8
detectors = [{ name = "cd-l", steps = 4 }, { name = "cd-f", steps = 4 }]
[evaluate]
resamples = 100
"#;

/// Starts the binary in `folder`; its messages go to the file `log` there.
pub(crate) fn start(folder: &Path, arguments: &str, log: &str) -> Child {
    let log = fs::File::create(folder.join(log)).expect("made");
    cd_cli()
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the binary starts")
}

/// Every file below the stores and runs in `folder` that does not depend on how the run went, without its times.
pub(crate) fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    gather(folder, "", &mut found);
    found
}

fn gather(folder: &Path, name: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let own = entry.file_name().into_string().expect("a plain name");
        let name = format!("{name}/{own}");
        match own.as_str() {
            "locks" | "DONE" | "report.html" => {}
            // A process that was killed while it wrote what people look at.
            _ if own.starts_with(".writing-") && !name.starts_with("/store/") => {}
            // What is remembered of pictures depends on how long ago they were written.
            _ if own.starts_with("pictures-") => {}
            _ if path.is_dir() => gather(&path, &name, found),
            _ => {
                let bytes = fs::read(&path).expect("readable");
                found.insert(name, without_times(&path, bytes));
            }
        }
    }
}

fn without_times(path: &Path, bytes: Vec<u8>) -> Vec<u8> {
    if path.extension().is_none_or(|ending| ending != "json") {
        return bytes;
    }
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).expect("json");
    forget_times(&mut value);
    value.to_string().into_bytes()
}

fn forget_times(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|key, _| key != "seconds" && key != "computed");
            map.values_mut().for_each(forget_times);
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(forget_times),
        _ => {}
    }
}

/// Demands the same files with the same bytes.
pub(crate) fn assert_same(
    expected: &BTreeMap<String, Vec<u8>>,
    found: &BTreeMap<String, Vec<u8>>,
    what: &str,
) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(found), "{what}");
    for (name, bytes) in expected {
        assert!(found[name] == *bytes, "{what}: {name} differs");
    }
}

/// An experiment with every stage there is.
pub(crate) const FULL: &str = r#"
name = "full"
[dataset]
name = "demo"
train = 400
test = 60
[poison]
rate = 0.5
[poison.attack]
name = "trojan"
size = 3
images = 4
iterations = 3
surrogate = { model = { name = "resnet10", width = 2 }, epochs = 3, batch_size = 50 }
[model]
name = "resnet10"
width = 4
[train]
epochs = 2
batch_size = 50
learning_rate = 0.05
schedule = { name = "constant" }
record_losses = 2
[detect]
batch_size = 32
detectors = [{ name = "ss" }, { name = "cd-l", steps = 2 }, { name = "abl" }]
[evaluate]
resamples = 20
"#;
